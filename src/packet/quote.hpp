#pragma once

#include <optional>

#include "packet/message.hpp"

namespace ecmp::packet {

struct IpView;

/// Reads a datagram of ours into `quote`: UDP, TCP, or an ICMP echo request. An error if it is something else or holds
/// less than 8 transport bytes; `quote` means nothing then.
std::optional<ParseError> read_quote(const IpView& view, Quote& quote);

}  // namespace ecmp::packet
