#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace ecmp {

/// Appends values in few bytes: numbers as LEB128 (seven bits a byte, lowest first), signed ones zigzagged.
class CompactWriter {
 public:
  explicit CompactWriter(std::string& out) : out_(out) {}

  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value);
  void signed_number(std::int64_t value);
  void text(std::string_view text);  ///< its length first
  void address(const IpAddress& address);

 private:
  std::string& out_;
};

/// Reads what CompactWriter wrote, out of bytes that anybody may have written: it never reads outside of them, and once
/// something does not fit everything that follows is 0 or empty, and ok() is false.
class CompactReader {
 public:
  explicit CompactReader(ByteView bytes) : bytes_(bytes) {}

  std::uint8_t byte();
  std::uint64_t number();
  /// A number of at most `most`; what is above is a failure.
  std::uint64_t number(std::uint64_t most);
  std::int64_t signed_number();
  /// Points into the bytes.
  std::string_view text();
  IpAddress address();
  /// The next `size` bytes for a reader of their own; none if they are not there.
  ByteView take(std::uint64_t size);
  /// How many items follow, each of at least `least_bytes`: more than there is room for is a failure.
  std::size_t count(std::size_t least_bytes = 1);

  void fail() {
    ok_ = false;
    at_ = bytes_.size();
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }

 private:
  ByteView bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace ecmp
