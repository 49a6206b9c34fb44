#include "config/host.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <idn2.h>
#include <memory>

#include "config/quantity.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

/// The name in ASCII.
Result<std::string> to_ascii(std::string_view text) {
  if (std::ranges::all_of(text, [](char byte) { return static_cast<unsigned char>(byte) < 0x80; }))
    return std::string(text);
  if (!is_utf8(text)) return Error{"expected a host name in UTF-8"};
  if (text.find('\0') != std::string_view::npos) return Error{"expected a host name"};
  constexpr std::size_t kLongest = 1024;  // bytes; what may become of it has 253
  if (text.size() > kLongest) return Error{"expected a host name of at most 253 characters"};
  std::uint8_t* converted = nullptr;
  const std::string terminated(text);
  const int status = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(terminated.c_str()), &converted,
                                    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(converted, &idn2_free);
  if (status != IDN2_OK) return Error{fmt::format("not a host name: {}", idn2_strerror(status))};
  return std::string(reinterpret_cast<const char*>(converted));
}

}  // namespace

Result<Host> parse_host(std::string_view text) {
  auto ascii = to_ascii(text);
  if (!ascii.ok()) return Error{ascii.error()};
  Host host{.name = std::move(*ascii), .address = {}};
  host.address = IpAddress::parse(host.name);
  if (!host.address) {
    const std::string_view expected = wrong_with_host_name(host.name);
    if (!expected.empty()) return Error{fmt::format("expected {}", expected)};
    return host;
  }
  const IpAddress& address = *host.address;
  if (address.is_unspecified()) return Error{"the unspecified address cannot be traced"};
  if (address.is_multicast()) return Error{"a multicast address cannot be traced"};
  if (address == IpAddress::v4(0xffffffff)) return Error{"the broadcast address cannot be traced"};
  // RFC 4291 section 2.5.5.2: such addresses stand for IPv4 hosts in programs, and never on the wire.
  const std::string written = address.to_string();
  if (!address.is_v4() && written.starts_with("::ffff:") && written.find('.') != std::string::npos)
    return Error{"an IPv4-mapped address: write the IPv4 address"};
  return host;
}

std::string_view wrong_with_link(const IpAddress& address, std::string_view interface) {
  if (address.is_v4() || !address.is_link_local() || !interface.empty()) return {};
  return "a link-local address: say which interface it is behind";
}

bool can_be_traced(const IpAddress& address, std::string_view interface) {
  return parse_host(address.to_string()).ok() && wrong_with_link(address, interface).empty();
}

}  // namespace ecmp::config
