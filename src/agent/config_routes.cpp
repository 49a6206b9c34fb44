#include "agent/config_routes.hpp"

#include "config/write.hpp"

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
  server.route("GET", "/config", [&reloader](const net::HttpRequest&) {
    net::HttpResponse response;
    response.content_type = "application/toml; charset=utf-8";
    response.body = config::to_toml(*reloader.running());
    return response;
  });
  for (const char* method : {"POST", "PUT"})
    server.route(method, "/-/reload", [&reloader](const net::HttpRequest&) { return reload(reloader); });
}

}  // namespace ecmp
