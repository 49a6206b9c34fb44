#include <charconv>
#include <fmt/format.h>

#include "config/config.hpp"
#include "config/quantity.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

Result<ListenAddress> parse_socket_path(std::string_view path) {
  // sockaddr_un has room for 107 bytes and their end (unix(7)).
  constexpr std::size_t kLongest = 107;
  if (!path.starts_with('/')) return Error{"expected the path of a unix socket from / on, as in \"unix:/run/x.sock\""};
  if (path.size() > kLongest) return Error{"the path of a unix socket has at most 107 bytes"};
  if (path.ends_with('/')) return Error{"the path of a unix socket names a directory"};
  if (has_control(path)) return Error{"the path of a unix socket has a control character"};
  ListenAddress parsed;
  parsed.path = path;
  return parsed;
}

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Error unusable{"expected an address such as \":10815\", \"127.0.0.1:10815\" or \"[::1]:10815\""};
  constexpr std::string_view kUnix = "unix:";
  // With a port behind it, it is a host of that name.
  if (text.starts_with(kUnix) && !parse_port(text.substr(kUnix.size())))
    return parse_socket_path(text.substr(kUnix.size()));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return unusable;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) {
    return Error{
        fmt::format("expected a port from 0 to 65535 after the colon, not {}", in_quotes(text.substr(colon + 1)))};
  }
  if (host.empty()) return ListenAddress{.port = *port};

  if (host.front() == '[') {
    if (host.back() != ']') return unusable;
    host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    if (!address || address->is_v4()) return Error{fmt::format("{} is not an IPv6 address", in_quotes(host))};
    return ListenAddress{.host = std::string(host), .address = address, .port = *port};
  }
  if (host.find(':') != std::string_view::npos) return Error{"an IPv6 address here needs brackets: \"[::1]:10815\""};
  if (const auto address = IpAddress::parse(host))
    return ListenAddress{.host = std::string(host), .address = address, .port = *port};
  const std::string_view wrong = wrong_with_host_name(host);
  if (!wrong.empty()) return Error{fmt::format("expected {} before the colon", wrong)};
  return ListenAddress{.host = std::string(host), .port = *port};
}

}  // namespace ecmp::config
