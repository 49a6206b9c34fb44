#pragma once

#include "packet/message.hpp"

namespace ecmp::packet {

/// As parse(), without the short cut that it takes for the usual answer: what tests compare it with.
Message parse_closely(ByteView datagram);

}  // namespace ecmp::packet
