#include "sim/checksums.hpp"

#include <bit>
#include <cstring>

namespace ecmp::sim {

namespace {

std::uint16_t fold(std::uint64_t sum) {
  while (sum >> 16 != 0)
    sum = (sum & 0xffffu) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

}  // namespace

std::uint16_t sum16(ByteView bytes, std::uint16_t initial) {
  // RFC 1071 section 2 (B), (C): summed as they lie in memory, 4 bytes at a time, and put in order at the end.
  std::uint64_t sum = 0;
  std::uint64_t other = 0;  // two sums, so that one need not wait for the other
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word & 0xffffffffu;
    other += word >> 32;
  }
  sum += other;
  for (; at + 4 <= bytes.size(); at += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + at, sizeof word);
    sum += word;
  }
  for (; at < bytes.size(); at += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes.data() + at, at + 1 < bytes.size() ? 2 : 1);
    sum += word;
  }
  std::uint16_t folded = fold(sum);
  if constexpr (std::endian::native == std::endian::little)
    folded = static_cast<std::uint16_t>(folded << 8 | folded >> 8);
  return fold(std::uint64_t{folded} + initial);
}

std::uint16_t pseudo_sum(ByteView bytes, std::size_t header_size, std::uint8_t protocol) {
  const bool v4 = bytes[0] >> 4 == 4;
  const ByteView addresses = v4 ? bytes.subspan(12, 8) : bytes.subspan(8, 32);
  return fold(std::uint64_t{sum16(addresses)} + protocol + (bytes.size() - header_size));
}

std::uint16_t adjusted(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
  return static_cast<std::uint16_t>(
      ~fold(std::uint64_t{static_cast<std::uint16_t>(~checksum)} + static_cast<std::uint16_t>(~before) + after));
}

}  // namespace ecmp::sim
