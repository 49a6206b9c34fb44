#include "packet/ip_view.hpp"

#include <algorithm>

#include "packet/checksum.hpp"
#include "packet/wire.hpp"

namespace ecmp::packet {
namespace {

constexpr std::uint16_t kMoreFragments = 0x2000;
constexpr std::uint16_t kFragmentOffset = 0x1fff;

/// Nobody sends more, and a chain of thousands of empty headers is an attack on whoever walks it.
constexpr int kMaximumExtensionHeaders = 8;

/// What both versions find out about their header before they share the rest.
struct Header {
  std::size_t size = 0;
  bool fragment = false;  ///< the first of several
};

std::optional<ParseError> read_ipv4(IpView& view, Origin origin, Header& header) {
  const ByteView bytes = view.bytes;
  if (bytes.size() < wire::kIpv4Header) return ParseError::truncated;
  header.size = std::size_t{bytes[0] & 0x0fu} * 4;
  if (header.size < wire::kIpv4Header) return ParseError::malformed;
  if (header.size > bytes.size()) return ParseError::truncated;
  if (origin == Origin::received && ones_complement_sum(bytes.first(header.size)) != 0xffff)
    return ParseError::bad_checksum;

  view.family = Family::ipv4;
  view.traffic_class = bytes[1];
  view.total_size = load16(bytes, 2);
  view.ip_id = load16(bytes, 4);
  view.ttl = bytes[8];
  view.protocol = bytes[9];

  std::uint16_t fragment = load16(bytes, 6);
  // Hosts that keep these fields in their own byte order while they work may quote them so. Ours say DF and nothing
  // else, which then reads as an offset.
  if (origin == Origin::quoted && fragment == (wire::kDontFragment >> 8)) fragment = wire::kDontFragment;
  if ((fragment & kFragmentOffset) != 0) return ParseError::malformed;
  header.fragment = (fragment & kMoreFragments) != 0;
  return std::nullopt;
}

/// Steps over extension headers (RFC 8200 section 4, RFC 4302 section 2) to the transport header.
std::optional<ParseError> skip_extension_headers(IpView& view, Header& header) {
  constexpr std::uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44, kAuthentication = 51, kDestinationOptions = 60;
  const ByteView bytes = view.bytes;
  for (int count = 0;; ++count) {
    const std::uint8_t kind = view.protocol;
    if (kind != kHopByHop && kind != kRouting && kind != kFragment && kind != kAuthentication &&
        kind != kDestinationOptions)
      return std::nullopt;
    if (count == kMaximumExtensionHeaders) return ParseError::malformed;
    if (bytes.size() - header.size < 8) return ParseError::truncated;

    std::size_t size = 8;
    if (kind == kFragment) {
      const std::uint16_t field = load16(bytes, header.size + 2);
      if ((field >> 3) != 0) return ParseError::malformed;
      header.fragment = (field & 1u) != 0;
    } else if (kind == kAuthentication) {
      size = (std::size_t{bytes[header.size + 1]} + 2) * 4;
      if (size < 12) return ParseError::malformed;
    } else {
      size = (std::size_t{bytes[header.size + 1]} + 1) * 8;
    }
    if (size > bytes.size() - header.size) return ParseError::truncated;
    view.protocol = bytes[header.size];
    header.size += size;
  }
}

std::optional<ParseError> read_ipv6(IpView& view, Header& header) {
  const ByteView bytes = view.bytes;
  if (bytes.size() < wire::kIpv6Header) return ParseError::truncated;
  const std::uint32_t first = load32(bytes, 0);
  view.family = Family::ipv6;
  view.traffic_class = static_cast<std::uint8_t>(first >> 20);
  view.flow_label = first & 0xfffffu;
  view.total_size = std::uint32_t{load16(bytes, 4)} + static_cast<std::uint32_t>(wire::kIpv6Header);
  view.protocol = bytes[6];
  view.ttl = bytes[7];
  header.size = wire::kIpv6Header;
  return skip_extension_headers(view, header);
}

}  // namespace

std::optional<ParseError> IpView::look_at(ByteView datagram, Origin origin) {
  if (datagram.empty()) return ParseError::truncated;
  bytes = datagram;

  Header header;
  std::optional<ParseError> error;
  switch (bytes[0] >> 4) {
    case 4:
      error = read_ipv4(*this, origin, header);
      break;
    case 6:
      error = read_ipv6(*this, header);
      break;
    default:
      error = ParseError::malformed;
  }
  if (error) return error;

  std::size_t end = bytes.size();
  if (origin != Origin::quoted) {
    if (total_size < header.size) return ParseError::malformed;
    end = std::min<std::size_t>(end, total_size);
  }
  payload = bytes.subspan(header.size, end - header.size);
  complete = !header.fragment && origin != Origin::quoted && total_size <= bytes.size();
  return std::nullopt;
}

IpAddress IpView::source() const {
  return family == Family::ipv4 ? IpAddress::v4(bytes.subspan<12, 4>()) : IpAddress::v6(bytes.subspan<8, 16>());
}

IpAddress IpView::destination() const {
  return family == Family::ipv4 ? IpAddress::v4(bytes.subspan<16, 4>()) : IpAddress::v6(bytes.subspan<24, 16>());
}

}  // namespace ecmp::packet
