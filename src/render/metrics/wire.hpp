#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The wire format of Protocol Buffers, as far as metrics need it
/// (https://protobuf.dev/programming-guides/encoding). Field numbers are all below 16, so that a tag is one byte.
namespace ecmp::render::wire {

enum WireType : std::uint8_t { varint = 0, fixed64 = 1, length_delimited = 2 };

constexpr std::size_t varint_size(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1)) + 6) / 7;
}

inline void append_varint(std::string& out, std::uint64_t value) {
  std::array<char, 10> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) {
    bytes[size++] = static_cast<char>(value | 0x80);
  }
  bytes[size++] = static_cast<char>(value);
  out.append(bytes.data(), size);
}

/// Small magnitudes become small numbers: sint32 and sint64.
constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

constexpr char tag(unsigned field, WireType type) {
  return static_cast<char>(field << 3 | type);
}

inline void append_tag(std::string& out, unsigned field, WireType type) {
  out.push_back(tag(field, type));
}

/// Little-endian, whatever this host is.
inline void append_fixed64(std::string& out, double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  std::array<char, 8> bytes;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<char>(bits >> (8 * i));
  }
  out.append(bytes.data(), bytes.size());
}

inline constexpr std::size_t kDoubleSize = 9;  ///< with its tag

inline void append_double(std::string& out, unsigned field, double value) {
  append_tag(out, field, fixed64);
  append_fixed64(out, value);
}

inline void append_unsigned(std::string& out, unsigned field, std::uint64_t value) {
  append_tag(out, field, varint);
  append_varint(out, value);
}

/// Of a field of `size` bytes, with its tag and length.
constexpr std::size_t bytes_size(std::size_t size) {
  return 1 + varint_size(size) + size;
}

inline void append_bytes(std::string& out, unsigned field, std::string_view bytes) {
  append_tag(out, field, length_delimited);
  append_varint(out, bytes.size());
  out.append(bytes);
}

}  // namespace ecmp::render::wire
