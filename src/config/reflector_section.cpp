#include <algorithm>
#include <fmt/format.h>

#include "config/sections.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

constexpr Range<double> kPackets{0.001, 1e9, "a number from 0.001 to 1e9"};
constexpr Range<std::int64_t> kSessions{1, 4'194'304, "a whole number from 1 to 4194304"};
constexpr std::size_t kMostAddresses = 64;

/// What is wrong with an address to reflect at; empty: nothing. A name may have many addresses, of which a reply would
/// have to leave from the right one: they are written down one by one.
std::string wrong_with_address(std::string_view text) {
  const auto listen = parse_listen_address(text);
  if (!listen) return listen.error();
  if (!listen->path.empty() || (!listen->host.empty() && !listen->address))
    return "expected an address and a port such as \"192.0.2.1:862\", \"[2001:db8::1]:862\" or \":862\"";
  if (listen->port == 0) return "expected a port from 1 to 65535 after the colon";
  if (listen->address && listen->address->is_multicast()) return "a multicast address cannot be answered from";
  return {};
}

}  // namespace

void read_networks(TableReader& reader, std::string_view key, std::vector<Network>& networks) {
  constexpr std::string_view kNetworks = "a list of networks such as \"192.0.2.0/24\", \"2001:db8::/32\"";
  const auto given = reader.strings(key, kNetworks);
  if (!given) return;
  for (const Setting<std::string>& text : given->value) {
    if (const auto network = Network::parse(text.value)) {
      networks.push_back(*network);
    } else {
      reader.refuse(key, text,
                    "expected a network such as \"192.0.2.0/24\" or \"2001:db8::/32\", without bits behind the prefix");
    }
  }
}

void read_reflector(TableReader& reader, Config& config) {
  Reflector& reflector = config.reflector;
  constexpr std::string_view kAddresses = "a list of addresses such as \"192.0.2.1:862\", \"[2001:db8::1]:862\"";
  if (const auto given = reader.strings("listen_addresses", kAddresses)) {
    std::vector<std::string>& addresses = reflector.listen_addresses;
    for (const Setting<std::string>& address : given->value) {
      if (const std::string wrong = wrong_with_address(address.value); !wrong.empty()) {
        reader.refuse("listen_addresses", address, wrong);
      } else if (std::ranges::find(addresses, address.value) != addresses.end()) {
        reader.refuse("listen_addresses", address, "given twice");
      } else if (addresses.size() >= kMostAddresses) {
        reader.refuse("listen_addresses", address, fmt::format("more than {} of them", kMostAddresses));
      } else {
        addresses.push_back(address.value);
      }
    }
  }
  read_networks(reader, "allow", reflector.allow);
  if (const auto file = reader.file("key_file", "the path of a file, or \"\"")) reflector.key_file = file->value;
  if (const auto rate = reader.positive_number("packets_per_second_per_source", kPackets))
    reflector.packets_per_second_per_source = rate->value;
  if (const auto most = reader.integer("max_sessions", kSessions))
    reflector.max_sessions = static_cast<std::uint32_t>(most->value);
}

}  // namespace ecmp::config
