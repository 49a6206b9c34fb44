#include "base/siphash.hpp"

#include <bit>

namespace ecmp {
namespace {

struct State {
  std::uint64_t v0, v1, v2, v3;

  explicit State(const SipKey& key)
      : v0(key[0] ^ 0x736f6d6570736575u),
        v1(key[1] ^ 0x646f72616e646f6du),
        v2(key[0] ^ 0x6c7967656e657261u),
        v3(key[1] ^ 0x7465646279746573u) {}

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }

  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }

  std::uint64_t finish() {
    v2 ^= 0xff;
    for (int i = 0; i < 4; ++i)
      round();
    return v0 ^ v1 ^ v2 ^ v3;
  }
};

}  // namespace

std::uint64_t siphash(const SipKey& key, ByteView message) {
  State state(key);
  std::size_t at = 0;
  for (; at + 8 <= message.size(); at += 8) {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < 8; ++i)
      word |= std::uint64_t{message[at + i]} << (8 * i);
    state.absorb(word);
  }
  std::uint64_t last = std::uint64_t{message.size() & 0xff} << 56;
  for (std::size_t i = 0; at + i < message.size(); ++i)
    last |= std::uint64_t{message[at + i]} << (8 * i);
  state.absorb(last);
  return state.finish();
}

std::uint64_t siphash(const SipKey& key, std::uint64_t first, std::uint64_t second) {
  State state(key);
  state.absorb(first);
  state.absorb(second);
  state.absorb(std::uint64_t{16} << 56);
  return state.finish();
}

}  // namespace ecmp
