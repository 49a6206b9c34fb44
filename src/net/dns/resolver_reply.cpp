#include "net/dns/resolver_reply.hpp"

#include <algorithm>
#include <array>

#include "base/utf8.hpp"

namespace ecmp::net {

namespace {

constexpr std::size_t kHeaderBytes = 12;
constexpr std::size_t kRecordFixedBytes = 10;  // type, class, TTL, length
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypePtr = 12;
constexpr std::uint16_t kClassInternet = 1;
constexpr std::size_t kLongestName = 253;
constexpr int kMostPointers = 32;  // no honest name has more than a few

struct WireName {
  std::string text;      ///< labels joined by dots, bytes as they are but for dots inside a label
  std::size_t next = 0;  ///< position behind it in the message
};

/// RFC 1035 section 4.1.4.
std::optional<WireName> read_name(ByteView message, std::size_t at) {
  WireName name;
  int pointers = 0;
  for (;;) {
    if (at >= message.size()) return std::nullopt;
    const std::size_t length = message[at];
    if (length >= 0xc0) {
      if (at + 2 > message.size() || ++pointers > kMostPointers) return std::nullopt;
      if (pointers == 1) name.next = at + 2;
      at = load16(message, at) & 0x3fffu;
      continue;
    }
    if (length > 63) return std::nullopt;
    if (length == 0) {
      if (pointers == 0) name.next = at + 1;
      return name;
    }
    if (at + 1 + length > message.size() || name.text.size() + length > 255) return std::nullopt;
    if (!name.text.empty()) name.text += '.';
    for (const std::uint8_t byte : message.subspan(at + 1, length)) {
      name.text += byte == '.' ? '?' : static_cast<char>(byte);
    }
    at += 1 + length;
  }
}

}  // namespace

std::string reverse_query_name(const IpAddress& address) {
  std::string name;
  const ByteView bytes = address.bytes();
  for (std::size_t at = bytes.size(); at-- > 0;) {
    if (address.is_v4()) {
      name += std::to_string(bytes[at]) + ".";
    } else {
      constexpr std::string_view kDigits = "0123456789abcdef";
      name += {kDigits[bytes[at] & 15u], '.', kDigits[bytes[at] >> 4], '.'};
    }
  }
  return name + (address.is_v4() ? "in-addr.arpa" : "ip6.arpa");
}

std::optional<PtrRecord> parse_ptr_reply(ByteView message) {
  if (message.size() < kHeaderBytes) return std::nullopt;
  const std::uint16_t questions = load16(message, 4);
  const std::uint16_t answers = load16(message, 6);
  std::size_t at = kHeaderBytes;
  for (std::uint16_t count = 0; count < questions; ++count) {
    const auto name = read_name(message, at);
    if (!name) return std::nullopt;
    at = name->next + 4;
  }

  std::uint32_t ttl = 0xffffffffu;
  for (std::uint16_t count = 0; count < answers; ++count) {
    const auto owner = read_name(message, at);
    if (!owner || owner->next + kRecordFixedBytes > message.size()) return std::nullopt;
    const std::uint16_t type = load16(message, owner->next);
    const std::uint16_t record_class = load16(message, owner->next + 2);
    const std::uint32_t record_ttl = load32(message, owner->next + 4);
    const std::size_t length = load16(message, owner->next + 8);
    const std::size_t data = owner->next + kRecordFixedBytes;
    if (data + length > message.size()) return std::nullopt;
    at = data + length;
    if (record_class != kClassInternet || (type != kTypeCname && type != kTypePtr)) continue;
    // RFC 2181 section 8: a TTL with the top bit set counts as zero.
    ttl = std::min(ttl, record_ttl > 0x7fffffffu ? 0 : record_ttl);
    if (type == kTypeCname) continue;
    const auto target = read_name(message, data);
    if (!target || target->next != at) return std::nullopt;
    std::string cleaned = clean_name(target->text);
    if (cleaned.empty()) return std::nullopt;  // the root: nobody's name
    return PtrRecord{std::move(cleaned), ttl};
  }
  return std::nullopt;
}

std::string clean_name(std::string_view raw) {
  if (raw.ends_with('.')) raw.remove_suffix(1);
  std::string cleaned;
  for (std::size_t at = 0; at < raw.size();) {
    const std::size_t begin = at;
    const auto character = decode_utf8(raw, at);
    const bool keep = character && !is_deceptive(*character);
    const std::string_view piece = keep ? raw.substr(begin, at - begin) : std::string_view("?");
    if (cleaned.size() + piece.size() > kLongestName) break;
    cleaned += piece;
  }
  return cleaned;
}

}  // namespace ecmp::net
