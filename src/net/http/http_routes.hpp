#pragma once

#include <map>
#include <string>
#include <string_view>

#include "net/http/http_message.hpp"

namespace ecmp::net {

/// Which function answers which method of which path. Filled before the server starts, only read afterwards.
class HttpRoutes {
 public:
  /// `path` is compared as a whole, after decoding. A GET route answers HEAD, too.
  void add(std::string method, std::string path, HttpRoute route);

  /// Never throws: 404, 405 with Allow, and a bare 500 for a route that throws.
  [[nodiscard]] HttpResponse answer(const HttpRequest& request) const;

 private:
  std::map<std::string, std::map<std::string, HttpRoute, std::less<>>, std::less<>> paths_;
};

}  // namespace ecmp::net
