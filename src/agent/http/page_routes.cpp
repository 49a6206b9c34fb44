#include "agent/http/page_routes.hpp"

#include <algorithm>
#include <string>

#include "agent/http/page_files.hpp"
#include "agent/version.hpp"
#include "net/http/http_head.hpp"
#include "render/report/page.hpp"

namespace ecmp {
namespace {

using net::HttpRequest;
using net::HttpResponse;

/// Nothing from elsewhere, whatever a name may hold, and in nobody's frame.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// RFC 9110 section 13.1.2: weak comparison.
bool has_it_already(std::string_view if_none_match, std::string_view etag) {
  const auto known = net::split_list(if_none_match);
  return std::ranges::any_of(known, [&](std::string_view one) {
    if (one.starts_with("W/")) one.remove_prefix(2);
    return one == "*" || one == etag;
  });
}

HttpResponse file_answer(const PageFile& file, const HttpRequest& request) {
  HttpResponse response;
  response.content_type = file.content_type;
  response.headers.emplace_back("Content-Security-Policy", kPolicy);
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  response.headers.emplace_back("ETag", file.etag);
  // To be asked for again each time, since another version of the agent brings another page; that answer is empty.
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (has_it_already(request.if_none_match, file.etag)) {
    response.status = 304;
  } else {
    response.body = file.content;
  }
  return response;
}

HttpResponse plain_table(const Board& board) {
  HttpResponse response;
  response.content_type = "text/html; charset=utf-8";
  response.body = render::page(*board.figures(), version());
  response.headers.emplace_back("Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
                                "form-action 'none'; frame-ancestors 'none'");
  return response;
}

}  // namespace

void add_page_routes(net::HttpServer& server, const Board& board) {
  for (const PageFile& file : page_files()) {
    server.route("GET", std::string(file.path), [&file, &board](const HttpRequest& request) {
      if (file.path == "/" && request.parameter("plain") == "true") return plain_table(board);
      return file_answer(file, request);
    });
  }
}

}  // namespace ecmp
