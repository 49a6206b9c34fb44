#pragma once

#include "agent/tracing/board.hpp"
#include "net/http/http_server.hpp"

namespace ecmp {

/// The page at / and its files. `/?plain=true` is the table for browsers without scripts. The board must outlive the
/// server.
void add_page_routes(net::HttpServer& server, const Board& board);

}  // namespace ecmp
