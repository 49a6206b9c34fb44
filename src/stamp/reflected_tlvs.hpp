#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "stamp/reflector.hpp"

namespace ecmp::stamp {

/// What the TLVs of a reply are filled in from.
struct TlvFacts {
  const SessionKey& session;
  const Session& state;  ///< with this request and this reply counted
  std::uint8_t traffic_class = 0;
  const ClockClaim& clock;
  OwnTlv own;
};

/// Answers the TLVs of a reply in place (RFC 8972 section 4): `tlvs` holds a copy of those of the request. What is not
/// understood keeps U, whatever it asks for: a reply takes no other way, and there is one of it. Returns the traffic
/// class for the reply.
std::uint8_t answer_tlvs(MutableBytes tlvs, const TlvFacts& facts);

/// The extensions failed their HMAC: they go back as they came, with I set (RFC 8972 section 4.8).
void refuse_tlvs(MutableBytes tlvs);

}  // namespace ecmp::stamp
