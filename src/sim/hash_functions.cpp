#include "sim/hash_functions.hpp"

#include <array>

#include "base/siphash.hpp"
#include "sim/random.hpp"

namespace ecmp::sim {
namespace {

/// One bit after the other: tables would be quicker, and hide the polynomial.
template <typename Number>
Number reflected_crc(ByteView bytes, Number polynomial, Number crc) {
  for (const std::uint8_t byte : bytes) {
    crc = static_cast<Number>(crc ^ byte);
    for (int bit = 0; bit < 8; ++bit)
      crc = static_cast<Number>((crc & 1u) != 0 ? (crc >> 1) ^ polynomial : crc >> 1);
  }
  return crc;
}

constexpr std::array<std::uint8_t, 40> kToeplitzKey = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                                       0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                                       0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                                       0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

/// A share of the range of 32 bits.
std::uint32_t share_of(std::uint32_t number, std::uint32_t count) {
  return static_cast<std::uint32_t>(std::uint64_t{number} * count >> 32);
}

}  // namespace

std::uint16_t crc16_arc(ByteView bytes, std::uint16_t begin) {
  return reflected_crc<std::uint16_t>(bytes, 0xa001, begin);
}

std::uint16_t crc16_xmodem(ByteView bytes, std::uint16_t begin) {
  std::uint32_t crc = begin;
  for (const std::uint8_t byte : bytes) {
    crc ^= std::uint32_t{byte} << 8;
    for (int bit = 0; bit < 8; ++bit)
      crc = ((crc & 0x8000u) != 0 ? (crc << 1) ^ 0x1021u : crc << 1) & 0xffffu;
  }
  return static_cast<std::uint16_t>(crc);
}

std::uint32_t crc32_ieee(ByteView bytes, std::uint32_t begin) {
  return ~reflected_crc<std::uint32_t>(bytes, 0xedb88320u, ~begin);
}

std::uint16_t xor16(ByteView bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i)
    sum ^= std::uint32_t{bytes[i]} << (i % 2 == 0 ? 8 : 0);
  return static_cast<std::uint16_t>(sum);
}

std::uint32_t toeplitz(ByteView bytes) {
  std::uint32_t result = 0;
  std::uint32_t window = load32(kToeplitzKey, 0);
  std::size_t next_bit = 32;
  for (const std::uint8_t byte : bytes) {
    for (unsigned bit = 8; bit-- > 0;) {
      if ((byte >> bit & 1u) != 0) result ^= window;
      const std::uint32_t entering = next_bit < 320 ? kToeplitzKey[next_bit / 8] >> (7 - next_bit % 8) & 1u : 0u;
      window = window << 1 | entering;
      ++next_bit;
    }
  }
  return result;
}

std::uint32_t choose_by_hash(HashFunction function, std::uint64_t seed, ByteView headers, std::uint32_t count) {
  const auto short_seed = static_cast<std::uint16_t>(seed);
  const auto long_seed = static_cast<std::uint32_t>(seed);
  switch (function) {
    case HashFunction::crc16_bisync:
      return crc16_arc(headers, short_seed) % count;
    case HashFunction::crc16_ccitt:
      return crc16_xmodem(headers, short_seed) % count;
    case HashFunction::crc32_upper:
      return (crc32_ieee(headers, long_seed) >> 16) % count;
    case HashFunction::crc32_lower:
      return (crc32_ieee(headers, long_seed) & 0xffffu) % count;
    case HashFunction::xor16:
      return (xor16(headers) ^ short_seed) % count;
    case HashFunction::toeplitz:
      return (toeplitz(headers) ^ long_seed) % count;
    case HashFunction::siphash:
      return share_of(static_cast<std::uint32_t>(siphash({seed, ~seed}, headers) >> 32), count);
    case HashFunction::ideal:
      break;
  }
  std::uint64_t number = seed;
  for (std::size_t i = 0; i < headers.size(); ++i)
    number = mix(number + headers[i] + (std::uint64_t{i} << 32));
  return share_of(static_cast<std::uint32_t>(number >> 32), count);
}

}  // namespace ecmp::sim
