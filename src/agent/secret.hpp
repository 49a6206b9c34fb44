#pragma once

#include "base/siphash.hpp"

namespace ecmp {

/// A new secret for the identities of this process's probes.
SipKey random_secret();

}  // namespace ecmp
