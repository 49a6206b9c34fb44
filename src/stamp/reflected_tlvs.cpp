#include "stamp/reflected_tlvs.hpp"

#include <algorithm>

#include "stamp/tlv.hpp"

namespace ecmp::stamp {

namespace {

/// RFC 8972 table 9: stamped by software of this host.
constexpr std::uint8_t kSoftware = 2;
/// Class selectors 6 and 7 carry routing protocols (RFC 4594 section 3.2): nobody may have us send such packets who did
/// not send such a packet himself.
constexpr std::uint8_t kFirstControl = 48;

/// Sub-TLVs of the location (RFC 8972 section 4.2.1): what is asked for, and how it is answered.
constexpr std::uint8_t kDestinationAddress = 4;
constexpr std::uint8_t kDestinationV4 = 5;
constexpr std::uint8_t kDestinationV6 = 6;
constexpr std::uint8_t kSourceAddress = 7;
constexpr std::uint8_t kSourceV4 = 8;
constexpr std::uint8_t kSourceV6 = 9;
constexpr std::size_t kAddressSize = 16;
constexpr std::size_t kPortsSize = 4;

/// Flags of a TLV by what became of it.
enum class Fate : std::uint8_t { answered = 0, not_understood = kUnrecognised, malformed = kMalformed };

void put_address(MutableBytes value, const IpAddress& address) {
  std::fill(value.begin(), value.end(), std::uint8_t{0});
  std::copy(address.bytes().begin(), address.bytes().end(), value.begin());
}

void answer_location_parts(MutableBytes parts, const SessionKey& session) {
  TlvReader reader(parts);
  while (const auto part = reader.next()) {
    const bool source = part->type == kSourceAddress;
    Fate fate = Fate::not_understood;
    if (source || part->type == kDestinationAddress) {
      fate = part->value.size() == kAddressSize ? Fate::answered : Fate::malformed;
    }
    parts[part->at] = static_cast<std::uint8_t>(fate);
    if (fate != Fate::answered) continue;
    const IpAddress& address = source ? session.source : session.destination;
    const std::uint8_t v4 = source ? kSourceV4 : kDestinationV4;
    const std::uint8_t v6 = source ? kSourceV6 : kDestinationV6;
    parts[part->at + 1] = address.is_v4() ? v4 : v6;
    put_address(parts.subspan(part->at + kTlvHeader, kAddressSize), address);
  }
  if (reader.cut() && parts.size() > reader.at()) parts[reader.at()] = kMalformed;
}

Fate answer_location(MutableBytes value, const SessionKey& session) {
  if (value.size() < kPortsSize) return Fate::malformed;
  store16(value, 0, session.destination_port);
  store16(value, 2, session.source_port);
  answer_location_parts(value.subspan(kPortsSize), session);
  return Fate::answered;
}

Fate answer_timestamps(MutableBytes value, const ClockClaim& clock) {
  if (value.size() < kTimestampsSize) return Fate::malformed;
  value[0] = clock.source;
  value[1] = kSoftware;
  value[2] = clock.source;
  value[3] = kSoftware;
  return Fate::answered;
}

/// RFC 8972 section 4.4: DSCP1 is wanted for the reply, DSCP2 and ECN are what arrived, RP says whether DSCP1 was
/// refused.
Fate answer_class(MutableBytes value, std::uint8_t arrived, std::uint8_t& reply) {
  if (value.size() != kClassOfServiceSize) return Fate::malformed;
  const auto wanted = static_cast<std::uint8_t>(value[0] >> 2);
  const auto came = static_cast<std::uint8_t>(arrived >> 2);
  const bool refused = wanted >= kFirstControl && wanted != came;
  reply = static_cast<std::uint8_t>((refused ? came : wanted) << 2);
  store16(value, 0,
          static_cast<std::uint16_t>((wanted << 10) | (came << 4) | ((arrived & 3) << 2) | (refused ? 1 : 0)));
  store16(value, 2, 0);
  return Fate::answered;
}

Fate answer_counts(MutableBytes value, const Session& state) {
  if (value.size() != kDirectMeasurementSize) return Fate::malformed;
  store32(value, 4, state.requests);
  store32(value, 8, state.replies);
  return Fate::answered;
}

/// RFC 8972 section 4.7: when the reply before this one really left. Zeros as long as there was none.
Fate answer_follow_up(MutableBytes value, const Session& state, bool ptp) {
  if (value.size() != kFollowUpSize) return Fate::malformed;
  std::fill(value.begin(), value.end(), std::uint8_t{0});
  if (!state.left) return Fate::answered;
  const std::uint64_t left = to_wire(*state.left, ptp);
  store32(value, 0, state.left_sequence);
  store32(value, 4, static_cast<std::uint32_t>(left >> 32));
  store32(value, 8, static_cast<std::uint32_t>(left));
  value[12] = kSoftware;
  return Fate::answered;
}

Fate answer_own(MutableBytes value, const OwnTlv& own) {
  if (!read_own_tlv(value)) return Fate::not_understood;
  write(own, value);
  return Fate::answered;
}

}  // namespace

std::uint8_t answer_tlvs(MutableBytes tlvs, const TlvFacts& facts) {
  // RFC 8762 section 4.3: the reply has the DSCP of the request, unless a TLV asks for another.
  auto traffic_class = static_cast<std::uint8_t>(facts.traffic_class & ~3);
  TlvReader reader(tlvs);
  while (const auto read = reader.next()) {
    const MutableBytes value = tlvs.subspan(read->at + kTlvHeader, read->value.size());
    Fate fate = Fate::not_understood;
    switch (read->type) {
      case tlv::kPadding:
        fate = Fate::answered;
        break;
      case tlv::kLocation:
        fate = answer_location(value, facts.session);
        break;
      case tlv::kTimestamps:
        fate = answer_timestamps(value, facts.clock);
        break;
      case tlv::kClassOfService:
        fate = answer_class(value, facts.traffic_class, traffic_class);
        break;
      case tlv::kDirectMeasurement:
        fate = answer_counts(value, facts.state);
        break;
      case tlv::kFollowUp:
        fate = answer_follow_up(value, facts.state, facts.clock.error.ptp);
        break;
      case tlv::kHmac:
        // Sealed anew at the end, and only where there is a key: the caller's.
        break;
      case tlv::kOwn:
        fate = answer_own(value, facts.own);
        break;
      default:
        break;
    }
    tlvs[read->at] = static_cast<std::uint8_t>(fate);
    // RFC 8972 section 4: nothing behind a malformed TLV is looked at.
    if (fate == Fate::malformed) return traffic_class;
  }
  // Its length reaches too far. Fewer bytes than a header are somebody's padding, not a TLV.
  if (reader.cut() && tlvs.size() - reader.at() >= kTlvHeader) tlvs[reader.at()] = kMalformed;
  return traffic_class;
}

void refuse_tlvs(MutableBytes tlvs) {
  TlvReader reader(tlvs);
  while (const auto read = reader.next())
    tlvs[read->at] |= kIntegrity;
  if (reader.cut() && tlvs.size() - reader.at() >= kTlvHeader) tlvs[reader.at()] |= kMalformed;
}

}  // namespace ecmp::stamp
