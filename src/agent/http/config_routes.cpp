#include "agent/http/config_routes.hpp"

#include "config/write.hpp"

namespace ecmp {
namespace {

net::HttpResponse reload(Reloader& reloader, const net::HttpRequest& request, bool enabled) {
  // The words that Prometheus has for it.
  if (!enabled) return net::HttpResponse::text(403, "Lifecycle API is not enabled.");
  if (request.cross_site) return net::HttpResponse::text(403, "a browser asks for this on behalf of another site");
  const ReloadOutcome outcome = reloader.reload();
  net::HttpResponse response;
  response.status = outcome.successful ? 200 : 500;
  for (const std::string& line : outcome.lines)
    response.body += line + "\n";
  return response;
}

}  // namespace

void add_config_routes(net::HttpServer& server, Reloader& reloader, bool lifecycle) {
  server.route("GET", "/config", [&reloader](const net::HttpRequest&) {
    net::HttpResponse response;
    response.content_type = "application/toml; charset=utf-8";
    response.body = config::to_toml(*reloader.running());
    return response;
  });
  for (const char* method : {"POST", "PUT"})
    server.route(method, "/-/reload", [&reloader, lifecycle](const net::HttpRequest& request) {
      return reload(reloader, request, lifecycle);
    });
}

}  // namespace ecmp
