#include "packet/icmp_extension.hpp"

#include <optional>

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

/// The first label stack among the objects; an empty one if any object contradicts itself, for then the rest is not
/// to be trusted either.
MplsStack read_objects(ByteView objects) {
  constexpr std::uint8_t kMplsClass = 1, kIncomingStack = 1;
  MplsStack stack;
  while (!objects.empty()) {
    if (objects.size() < kObjectHeader) return {};
    const std::size_t length = load16(objects, 0);
    if (length < kObjectHeader || length > objects.size()) return {};
    if (objects[2] == kMplsClass && objects[3] == kIncomingStack) {
      const ByteView labels = objects.subspan(kObjectHeader, length - kObjectHeader);
      if (labels.size() % kLabel != 0) return {};
      if (stack.depth == 0) stack = read_labels(labels);
    }
    objects = objects.subspan(length);
  }
  return stack;
}

}  // namespace

IcmpErrorBody split_icmp_error(Family family, ByteView message) {
  const ByteView body = message.subspan(wire::kIcmpHeader);
  const std::optional<std::size_t> length = quote_length(family, message);
  if (!length) return {body, {}};

  // A length that holds no quote, or more than there is, is no length: the field was unused before RFC 4884.
  const std::size_t smallest_quote = wire::ip_header(family) + wire::kUdpHeader;
  if (*length >= smallest_quote && *length <= body.size()) {
    const ByteView extension = body.subspan(*length);
    return {body.first(*length),
            has_valid_header(extension, false) ? read_objects(extension.subspan(kExtensionHeader)) : MplsStack{}};
  }
  // Here the bytes may as well be our own payload, so only a right checksum tells that they are an extension.
  if (family == Family::ipv4 && *length == 0 && body.size() > kLegacyQuote) {
    const ByteView extension = body.subspan(kLegacyQuote);
    if (has_valid_header(extension, true))
      return {body.first(kLegacyQuote), read_objects(extension.subspan(kExtensionHeader))};
  }
  return {body, {}};
}

}  // namespace ecmp::packet
