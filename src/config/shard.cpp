#include "config/shard.hpp"

#include "base/siphash.hpp"

namespace ecmp::config {

namespace {

/// Never another one: agents of different versions must agree.
constexpr SipKey kKey{0x65636d705f736861u, 0x72645f6f665f6e61u};

/// A bijection that mixes well (the finisher of SplitMix64: Steele, Lea and Flood, 2014).
std::uint64_t mix(std::uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

}  // namespace

std::uint32_t shard_of(std::string_view name, std::uint32_t count) {
  const std::uint64_t hash = siphash(kKey, ByteView(reinterpret_cast<const std::uint8_t*>(name.data()), name.size()));
  std::uint32_t chosen = 0;
  std::uint64_t best = 0;
  for (std::uint32_t index = 0; index < count; ++index) {
    const std::uint64_t score = mix(hash ^ mix(index + std::uint64_t{1}));
    if (score <= best) continue;
    best = score;
    chosen = index;
  }
  return chosen;
}

}  // namespace ecmp::config
