#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

/// Words of 32 bits in network order, each in one instruction or two: load32() and store32() take them byte by byte,
/// which compilers see through where they like. For what every probe passes.
namespace ecmp::packet::words {

inline std::uint32_t swapped(std::uint32_t word) {
  if constexpr (std::endian::native == std::endian::big) return word;
  return word >> 24 | (word >> 8 & 0xff00u) | (word << 8 & 0xff0000u) | word << 24;
}
inline std::uint32_t load(const std::uint8_t* from) {
  std::uint32_t word = 0;
  std::memcpy(&word, from, sizeof word);
  return swapped(word);
}
inline void store(std::uint8_t* to, std::uint32_t word) {
  word = swapped(word);
  std::memcpy(to, &word, sizeof word);
}

}  // namespace ecmp::packet::words
