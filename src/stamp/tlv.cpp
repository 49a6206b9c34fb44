#include "stamp/tlv.hpp"

#include <algorithm>

namespace ecmp::stamp {

namespace {

constexpr std::size_t kSequenceSize = 4;

Tag extensions_tag(ByteView key, ByteView packet, std::size_t tlvs, std::size_t at) {
  return hmac_tag(key, {packet.first(kSequenceSize), packet.subspan(tlvs, at - tlvs)});
}

}  // namespace

std::optional<Tlv> TlvReader::next() {
  const std::size_t left = bytes_.size() - at_;
  if (left == 0 || cut_) return std::nullopt;
  const std::size_t size = left < kTlvHeader ? 0 : load16(bytes_, at_ + 2);
  if (left < kTlvHeader || size > left - kTlvHeader) {
    cut_ = true;
    return std::nullopt;
  }
  const Tlv tlv{at_, bytes_[at_], bytes_[at_ + 1], bytes_.subspan(at_ + kTlvHeader, size)};
  at_ += tlv.size();
  return tlv;
}

std::optional<Tlv> find_answered(ByteView bytes, std::uint8_t type) {
  TlvReader reader(bytes);
  while (const auto tlv = reader.next())
    if (tlv->type == type && (tlv->flags & (kUnrecognised | kMalformed | kIntegrity)) == 0) return tlv;
  return std::nullopt;
}

MutableBytes TlvWriter::add(std::uint8_t type, std::size_t size, std::uint8_t flags) {
  if (size > 0xffff || room() < kTlvHeader || room() - kTlvHeader < size) return {};
  bytes_[at_] = flags;
  bytes_[at_ + 1] = type;
  store16(bytes_, at_ + 2, static_cast<std::uint16_t>(size));
  const MutableBytes value = bytes_.subspan(at_ + kTlvHeader, size);
  std::fill(value.begin(), value.end(), std::uint8_t{0});
  at_ += kTlvHeader + size;
  return value;
}

Extensions check_extensions(ByteView key, ByteView packet, std::size_t tlvs) {
  TlvReader reader(packet.subspan(tlvs));
  std::optional<Tlv> hmac;
  bool others = false;
  bool behind = false;
  while (const auto tlv = reader.next()) {
    if (hmac) {
      // One padding may stand behind the HMAC, which does not cover it.
      if (tlv->type != tlv::kPadding || behind) return Extensions::wrong;
      behind = true;
    } else if (tlv->type == tlv::kHmac) {
      hmac = tlv;
    } else {
      others = others || tlv->type != tlv::kPadding;
    }
  }
  if (reader.cut()) return Extensions::wrong;
  if (!hmac) return others ? Extensions::bare : Extensions::none;
  if (hmac->value.size() != kHmacSize) return Extensions::wrong;
  const Tag wanted = extensions_tag(key, packet, tlvs, tlvs + hmac->at);
  return same_in_constant_time(wanted, hmac->value) ? Extensions::right : Extensions::wrong;
}

void seal_extensions(ByteView key, MutableBytes packet, std::size_t tlvs, std::size_t at) {
  const Tag tag = extensions_tag(key, packet, tlvs, at);
  std::copy(tag.begin(), tag.end(), packet.begin() + static_cast<std::ptrdiff_t>(at + kTlvHeader));
}

}  // namespace ecmp::stamp
