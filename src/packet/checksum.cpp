#include "packet/checksum.hpp"

#include <bit>
#include <cstring>

namespace ecmp::packet {
namespace {

/// Between a number and the two bytes of it as they stand in memory; the same both ways.
std::uint16_t network_order(std::uint16_t value) {
  if constexpr (std::endian::native == std::endian::big) return value;
  return static_cast<std::uint16_t>((value << 8) | (value >> 8));
}

}  // namespace

std::uint16_t ones_complement_sum(ByteView bytes, std::uint16_t initial) {
  // The sum does not depend on the byte order it is taken in (RFC 1071 section 2 B), nor on the width of the words
  // (section 2 C): add native 64-bit words, which need no swap each, with the carry coming round, and swap once at the
  // end. memcpy, because the bytes are of no other type and aligned to nothing.
  std::uint64_t sum = network_order(initial);
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  const auto add = [&sum](std::uint64_t word) {
    sum += word;
    sum += sum < word ? 1u : 0u;
  };
  for (; left >= 8; at += 8, left -= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    add(word);
  }
  if (left >= 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, 4);
    add(word);
    at += 4;
    left -= 4;
  }
  if (left > 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, left);
    add(word);
  }
  return network_order(fold_sum(sum));
}

std::uint16_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::uint32_t length) {
  const std::uint64_t sum =
      std::uint64_t{ones_complement_sum(source.bytes())} + ones_complement_sum(destination.bytes()) + protocol + length;
  return fold_sum(sum);
}

}  // namespace ecmp::packet
