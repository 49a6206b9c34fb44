#include "net/http/http_routes.hpp"

#include <utility>

namespace ecmp::net {

void HttpRoutes::add(std::string method, std::string path, HttpRoute route) {
  auto& methods = paths_[std::move(path)];
  if (method == "GET") methods.insert_or_assign("HEAD", route);
  methods.insert_or_assign(std::move(method), std::move(route));
}

HttpResponse HttpRoutes::answer(const HttpRequest& request) const {
  const auto methods = paths_.find(request.path);
  if (methods == paths_.end()) return HttpResponse::text(404, "not found");

  const auto route = methods->second.find(request.method);
  if (route == methods->second.end()) {
    std::string allowed;
    for (const auto& [method, unused] : methods->second) {
      allowed += (allowed.empty() ? "" : ", ") + method;
    }
    HttpResponse refusal = HttpResponse::text(405, "method not allowed, only " + allowed);
    refusal.headers.emplace_back("Allow", allowed);
    return refusal;
  }

  try {
    return route->second(request);
  } catch (...) {
    // What it says may hold file names or memory contents: nothing of it leaves the process.
    return HttpResponse::text(500, "internal server error");
  }
}

}  // namespace ecmp::net
