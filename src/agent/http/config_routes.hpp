#pragma once

#include "agent/reload.hpp"
#include "net/http/http_server.hpp"

namespace ecmp {

/// POST and PUT /-/reload, and GET /config. Before the server starts; the reloader must outlive it. Without `lifecycle`
/// a reload is refused.
void add_config_routes(net::HttpServer& server, Reloader& reloader, bool lifecycle);

}  // namespace ecmp
