#include "unit/stamp/stamp_bytes.hpp"

#include <cstdlib>
#include <fmt/format.h>

namespace ecmp::stamp::test {

Bytes hex(std::string_view text) {
  Bytes bytes;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == ' ') {
      ++at;
    } else if (text[at] == '*') {
      char* end = nullptr;
      const auto count = std::strtoul(text.data() + at + 1, &end, 10);
      bytes.insert(bytes.end(), count - 1, bytes.back());
      at = static_cast<std::size_t>(end - text.data());
    } else {
      bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16)));
      at += 2;
    }
  }
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Bytes text(std::string_view characters) {
  return {characters.begin(), characters.end()};
}

std::string to_hex(ByteView bytes) {
  std::string written;
  for (const std::uint8_t byte : bytes)
    written += fmt::format("{:02x}", byte);
  return written;
}

}  // namespace ecmp::stamp::test
