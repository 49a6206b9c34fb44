// What a client may say: request heads, targets, the parameters of /paths, Accept. Nothing that is let through to the
// HTTP parser behind has the framing that is settled here, and what is refused has a status and one line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/http/paths_query.hpp"
#include "net/http/http_head.hpp"
#include "render/metrics/accept.hpp"

namespace {

using namespace ecmp;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_one_line(std::string_view text) {
  return !text.empty() && text.find_first_of("\r\n") == std::string_view::npos;
}

void check_head(std::string_view head) {
  const auto inspected = net::inspect_head(head, 1000);
  if (inspected.refusal != 0) {
    require(inspected.refusal >= 400 && inspected.refusal < 600 && is_one_line(inspected.reason));
    return;
  }
  require(inspected.body_bytes <= 1000);
  require(net::find_head_end(inspected.forwarded) == inspected.forwarded.size());
  // What is forwarded is understood as the same again: there is no second reading of it.
  const auto again = net::inspect_head(inspected.forwarded, 1000);
  require(again.refusal == 0 && again.body_bytes == inspected.body_bytes && again.forwarded == inspected.forwarded);
  require(again.accept_encoding.empty() && !again.expects_continue);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t end = net::find_head_end(text);
  if (end != std::string_view::npos) {
    require(end <= size);
    check_head(text.substr(0, end));
  }
  if (const auto target = net::parse_target(text.substr(0, text.find(' ')))) {
    for (const auto& [name, value] : target->query)
      for (const char c : name + value)
        require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    const auto query = parse_paths_query(target->query, WallTime(std::chrono::hours(500000)));
    if (!query.ok()) require(is_one_line(query.error()));
  }
  require(!render::negotiate_format(text).content_type.empty());
  return 0;
}
