#pragma once

#include "probe/transport.hpp"

namespace ecmp::net {

/// What an errno of a send or of a route look-up means to the engine. 0 is SendError::none.
SendError send_failure(int error_number);

}  // namespace ecmp::net
