#pragma once

#include <vector>

#include "base/ip_address.hpp"

namespace ecmp::net {

/// The addresses of this host's interfaces of both families, sorted, each once. Empty when the kernel does not say.
std::vector<IpAddress> own_addresses();

}  // namespace ecmp::net
