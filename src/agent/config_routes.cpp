#include "agent/config_routes.hpp"

namespace ecmp {
namespace {

net::HttpResponse reload(Reloader& reloader) {
  const ReloadOutcome outcome = reloader.reload();
  net::HttpResponse response;
  response.status = outcome.successful ? 200 : 500;
  for (const std::string& line : outcome.lines)
    response.body += line + "\n";
  return response;
}

}  // namespace

void add_config_routes(net::HttpServer& server, Reloader& reloader) {
  for (const char* method : {"POST", "PUT"})
    server.route(method, "/-/reload", [&reloader](const net::HttpRequest&) { return reload(reloader); });
}

}  // namespace ecmp
