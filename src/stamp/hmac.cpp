#include "stamp/hmac.hpp"

#include <algorithm>
#include <vector>

#include "base/sha256.hpp"

namespace ecmp::stamp {

namespace {

/// Of SHA-256 (RFC 2104 section 2: B).
constexpr std::size_t kBlock = 64;

}  // namespace

std::array<std::uint8_t, 32> hmac_sha256(ByteView key, std::initializer_list<ByteView> parts) {
  // RFC 2104 section 2: a key longer than a block is hashed first, a shorter one is filled up with zeros.
  std::array<std::uint8_t, kBlock> block{};
  if (key.size() > kBlock) {
    const auto hashed = sha256(key);
    std::copy(hashed.begin(), hashed.end(), block.begin());
  } else {
    std::copy(key.begin(), key.end(), block.begin());
  }

  std::size_t size = kBlock;
  for (const ByteView part : parts)
    size += part.size();
  std::vector<std::uint8_t> inner;
  inner.reserve(size);
  for (const std::uint8_t byte : block)
    inner.push_back(byte ^ 0x36);
  for (const ByteView part : parts)
    inner.insert(inner.end(), part.begin(), part.end());
  const auto inner_digest = sha256(inner);

  std::array<std::uint8_t, kBlock + 32> outer{};
  std::transform(block.begin(), block.end(), outer.begin(),
                 [](std::uint8_t byte) { return static_cast<std::uint8_t>(byte ^ 0x5c); });
  std::copy(inner_digest.begin(), inner_digest.end(), outer.begin() + kBlock);
  return sha256(outer);
}

Tag hmac_tag(ByteView key, std::initializer_list<ByteView> parts) {
  const auto whole = hmac_sha256(key, parts);
  Tag tag{};
  std::copy_n(whole.begin(), tag.size(), tag.begin());
  return tag;
}

bool same_in_constant_time(ByteView a, ByteView b) {
  if (a.size() != b.size()) return false;
  // Volatile: a compiler that saw the loop's purpose might leave it at the first difference.
  volatile std::uint8_t differences = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    differences = differences | (a[i] ^ b[i]);
  return differences == 0;
}

}  // namespace ecmp::stamp
