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

}  // namespace

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const Error unusable{"expected an address such as \":10815\", \"127.0.0.1:10815\" or \"[::1]:10815\""};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return unusable;
  std::string_view host = text.substr(0, colon);
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) {
    return Error{
        fmt::format("expected a port from 0 to 65535 after the colon, not {}", quoted(text.substr(colon + 1)))};
  }
  if (host.empty()) return ListenAddress{"", *port};

  if (host.front() == '[') {
    if (host.back() != ']') return unusable;
    host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    if (!address || address->is_v4()) return Error{fmt::format("{} is not an IPv6 address", quoted(host))};
    return ListenAddress{std::string(host), *port};
  }
  if (host.find(':') != std::string_view::npos) return Error{"an IPv6 address here needs brackets: \"[::1]:10815\""};
  if (const auto address = IpAddress::parse(host)) return ListenAddress{std::string(host), *port};
  const std::string_view wrong = wrong_with_host_name(host);
  if (!wrong.empty()) return Error{fmt::format("expected {} before the colon", wrong)};
  return ListenAddress{std::string(host), *port};
}

}  // namespace ecmp::config
