#pragma once

#include "packet/message.hpp"

namespace ecmp::packet {

struct IpView;

/// Reads a datagram of ours into `quote`: UDP, TCP, or an ICMP echo request.
/// @return false, with `error` set, if it is something else or holds less than 8 transport bytes.
bool read_quote(const IpView& view, Quote& quote, ParseError& error);

}  // namespace ecmp::packet
