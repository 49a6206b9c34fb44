#include "packet/icmp_extension.hpp"

#include <optional>
#include <utility>

#include "packet/checksum.hpp"
#include "packet/wire.hpp"

namespace ecmp::packet {
namespace {

constexpr std::size_t kExtensionHeader = 4;
constexpr std::size_t kObjectHeader = 4;
constexpr std::size_t kLabel = 4;
constexpr std::uint8_t kExtensionVersion = 2;
/// Routers older than RFC 4884 pad the quote to this size and put the extension behind it (section 5.5).
constexpr std::size_t kLegacyQuote = 128;

/// The length attribute in bytes (RFC 4884 sections 4.1 to 4.5); nothing for messages that have none.
std::optional<std::size_t> quote_length(Family family, ByteView message) {
  const std::uint8_t type = message[0];
  if (family == Family::ipv4) {
    if (type != 3 && type != 11 && type != 12) return std::nullopt;
    return std::size_t{message[5]} * 4;
  }
  if (type != 1 && type != 3) return std::nullopt;
  return std::size_t{message[4]} * 8;
}

MplsStack read_labels(ByteView labels) {
  MplsStack stack;
  for (; labels.size() >= kLabel && stack.depth < MplsStack::kMaximum; labels = labels.subspan(kLabel)) {
    const std::uint32_t word = load32(labels, 0);
    MplsLabel& entry = stack.labels[stack.depth++];
    entry.label = word >> 12;
    entry.traffic_class = static_cast<std::uint8_t>((word >> 9) & 7u);
    entry.bottom = ((word >> 8) & 1u) != 0;
    entry.ttl = static_cast<std::uint8_t>(word);
  }
  return stack;
}

bool has_valid_header(ByteView extension, bool checksum_required) {
  if (extension.size() < kExtensionHeader || (extension[0] >> 4) != kExtensionVersion) return false;
  // "If no checksum is sent, the field is zero" (RFC 4884 section 7).
  if (load16(extension, 2) == 0) return !checksum_required;
  return ones_complement_sum(extension) == 0xffff;
}

/// What an Interface Information Object holds, in the order of RFC 5837 section 4.1. Every part that its C-Type
/// announces must be there whole; nullopt if it is not.
std::optional<InterfaceInfo> read_interface(std::uint8_t c_type, ByteView parts) {
  constexpr std::uint8_t kIndex = 0x08, kAddress = 0x04, kName = 0x02, kMtu = 0x01;
  InterfaceInfo told;
  told.role = static_cast<InterfaceInfo::Role>(c_type >> 6);
  const auto take = [&parts](std::size_t size) -> std::optional<ByteView> {
    if (parts.size() < size) return std::nullopt;
    const ByteView taken = parts.first(size);
    parts = parts.subspan(size);
    return taken;
  };
  if ((c_type & kIndex) != 0) {
    const auto index = take(4);
    if (!index) return std::nullopt;
    told.index = load32(*index, 0);
  }
  if ((c_type & kAddress) != 0) {
    constexpr std::uint16_t kAfiV4 = 1, kAfiV6 = 2;
    const auto head = take(4);
    if (!head) return std::nullopt;
    const std::uint16_t family = load16(*head, 0);
    if (family != kAfiV4 && family != kAfiV6) return std::nullopt;
    const auto address = take(family == kAfiV4 ? 4 : 16);
    if (!address) return std::nullopt;
    told.address = family == kAfiV4 ? IpAddress::v4(address->first<4>()) : IpAddress::v6(address->first<16>());
  }
  if ((c_type & kName) != 0) {
    // The first byte counts itself as well; padded with zeros to a multiple of 4, 64 at most (section 4.3).
    const std::size_t length = parts.empty() ? 0 : parts[0];
    if (length == 0 || length % 4 != 0 || length > InterfaceInfo::kLongestName + 1) return std::nullopt;
    const auto name = take(length);
    if (!name) return std::nullopt;
    for (const std::uint8_t byte : name->subspan(1)) {
      if (byte == 0) break;
      told.name += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '?';
    }
  }
  if ((c_type & kMtu) != 0) {
    const auto mtu = take(4);
    if (!mtu) return std::nullopt;
    told.mtu = load32(*mtu, 0);
  }
  return told;
}

/// The first label stack and the interfaces among the objects, into `body`; nothing if any object contradicts itself,
/// for then the rest is not to be trusted either.
void read_objects(ByteView objects, IcmpErrorBody& body) {
  constexpr std::uint8_t kMplsClass = 1, kIncomingStack = 1, kInterfaceClass = 2;
  MplsStack stack;
  std::vector<InterfaceInfo> interfaces;
  while (!objects.empty()) {
    if (objects.size() < kObjectHeader) return;
    const std::size_t length = load16(objects, 0);
    if (length < kObjectHeader || length > objects.size()) return;
    const ByteView content = objects.subspan(kObjectHeader, length - kObjectHeader);
    if (objects[2] == kMplsClass && objects[3] == kIncomingStack) {
      if (content.size() % kLabel != 0) return;
      if (stack.depth == 0) stack = read_labels(content);
    } else if (objects[2] == kInterfaceClass) {
      auto told = read_interface(objects[3], content);
      if (!told) return;
      if (interfaces.size() < ReplyNotes::kMostInterfaces) interfaces.push_back(std::move(*told));
    }
    objects = objects.subspan(length);
  }
  body.mpls = stack;
  body.interfaces = std::move(interfaces);
}

}  // namespace

IcmpErrorBody split_icmp_error(Family family, ByteView message) {
  const ByteView body = message.subspan(wire::kIcmpHeader);
  IcmpErrorBody parts{body, {}, {}};
  const std::optional<std::size_t> length = quote_length(family, message);
  if (!length) return parts;

  // A length that holds no quote, or more than there is, is no length: the field was unused before RFC 4884.
  const std::size_t smallest_quote = wire::ip_header(family) + wire::kUdpHeader;
  if (*length >= smallest_quote && *length <= body.size()) {
    const ByteView extension = body.subspan(*length);
    parts.quote = body.first(*length);
    if (has_valid_header(extension, false)) read_objects(extension.subspan(kExtensionHeader), parts);
    return parts;
  }
  // Here the bytes may as well be our own payload, so only a right checksum tells that they are an extension.
  if (family == Family::ipv4 && *length == 0 && body.size() > kLegacyQuote) {
    const ByteView extension = body.subspan(kLegacyQuote);
    if (has_valid_header(extension, true)) {
      parts.quote = body.first(kLegacyQuote);
      read_objects(extension.subspan(kExtensionHeader), parts);
    }
  }
  return parts;
}

}  // namespace ecmp::packet
