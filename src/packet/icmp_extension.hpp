#pragma once

#include <vector>

#include "packet/message.hpp"

namespace ecmp::packet {

/// An ICMP error behind its 8 bytes of header, taken apart.
struct IcmpErrorBody {
  ByteView quote;
  MplsStack mpls;
  std::vector<InterfaceInfo> interfaces;
};

/// Finds where the quote ends and the extension structure of RFC 4884 begins, and reads the MPLS label stack of RFC
/// 4950 and the interfaces of RFC 5837 in it. `message` is the ICMP message, at least 8 bytes of it. An extension that
/// is broken counts as none.
IcmpErrorBody split_icmp_error(Family family, ByteView message);

}  // namespace ecmp::packet
