#pragma once

#include <memory>

#include "net/http/http_connection.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

/// How long an answer that ends a connection may be on its way.
constexpr Duration kFarewell = std::chrono::seconds(1);

/// What a connection that begins now speaks: TLS, if the gate says so. Throws std::bad_alloc.
std::unique_ptr<Wire> open_wire(HttpService& service, OwnedSocket socket);

/// The handshake, on a wire that needs one. False: it came to nothing, which is counted.
bool greet_client(HttpService& service, Wire& wire, const std::shared_ptr<ClientPlace>& place);

}  // namespace ecmp::net
