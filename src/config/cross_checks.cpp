#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "config/destinations.hpp"
#include "config/text.hpp"

namespace ecmp::config {

std::string same_host(const Destination& destination) {
  if (destination.address) return destination.address->to_string();
  std::string host = destination.host;
  if (host.ends_with('.')) host.pop_back();
  std::ranges::transform(host, host.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  });
  return host;
}

std::string_view name_before_address(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  if (slash == std::string_view::npos || !IpAddress::parse(name.substr(slash + 1))) return {};
  return name.substr(0, slash);
}

bool may_be(const Destination& destination, Family family) {
  if (destination.address) return destination.address->family() == family;
  return destination.family == FamilyChoice::any ||
         destination.family == (family == Family::ipv4 ? FamilyChoice::ipv4 : FamilyChoice::ipv6);
}

namespace {

void check_names_of_addresses(const std::vector<PlacedDestination>& destinations, Problems& problems) {
  NamesOfAddresses<PlacedDestination> names;
  for (const PlacedDestination& each : destinations)
    names.add(each);
  for (const PlacedDestination& each : destinations) {
    const PlacedDestination* const giver = names.giver(each.destination.name);
    if (giver == nullptr) continue;
    problems.add_value(each.named ? "name" : "host", each.name_where, each.name_text,
                       fmt::format("an address of the destination of line {}, which has all = true, may get this name",
                                   giver->name_where.line));
  }
}

/// Names are the values of the label "destination": two of one name would write the same series.
void check_names(const std::vector<PlacedDestination>& destinations, Problems& problems) {
  std::unordered_map<std::string_view, const PlacedDestination*> seen;
  for (const PlacedDestination& each : destinations) {
    if (each.destination.name.empty()) continue;  // told already
    const auto [first, is_new] = seen.emplace(each.destination.name, &each);
    if (is_new) continue;
    problems.add_value(each.named ? "name" : "host", each.name_where, each.name_text,
                       fmt::format("the destination of line {} has this name already{}", first->second->name_where.line,
                                   each.named ? "" : "; set a name"));
  }
}

std::uint32_t last_port(const Destination& destination) {
  return std::uint32_t{*destination.source_port} + destination.flows - 1;
}

using Pair = std::pair<const PlacedDestination*, const PlacedDestination*>;

void report_overlap(Pair pair, Problems& problems) {
  // In a file read from the top, the second of the two is the one in the way.
  auto [first, second] = pair;
  const auto& a = first->destination;
  const auto& b = second->destination;
  const std::uint32_t from = std::max(*a.source_port, *b.source_port);
  const std::uint32_t to = std::min(last_port(a), last_port(b));
  const std::string_view noun = has_ports(b.protocol) ? "source ports" : "identifiers";
  problems.add(second->ports_where,
               fmt::format("{} {} to {} of {} overlap with those of {} (line {}): same host {}, both {}; set another "
                           "source_port",
                           noun, from, to, in_quotes(b.name), in_quotes(a.name), first->name_where.line,
                           in_quotes(b.host), protocol_name(b.protocol)));
}

/// Sweeps over source ports: whoever begins before the end of all that began earlier, overlaps. Each destination is
/// reported at most once for a family, however many are in its way. Flows that take ports of a block step round others.
void check_source_ports(const std::vector<PlacedDestination>& destinations, Problems& problems) {
  std::set<Pair> told;
  for (const Family family : {Family::ipv4, Family::ipv6}) {
    std::map<std::pair<Protocol, std::string>, std::vector<const PlacedDestination*>> groups;
    for (const PlacedDestination& each : destinations) {
      if (each.identity_known && each.destination.source_port && may_be(each.destination, family))
        groups[{each.destination.protocol, same_host(each.destination)}].push_back(&each);
    }
    for (auto& [host, group] : groups) {
      // Pointers into one vector, so their order is the order of the file.
      std::ranges::sort(group, {}, [](const auto* each) { return std::pair(each->destination.source_port, each); });
      const PlacedDestination* widest = group.front();
      for (std::size_t i = 1; i < group.size(); ++i) {
        if (*group[i]->destination.source_port <= last_port(widest->destination) &&
            told.insert(std::minmax(widest, group[i])).second)
          report_overlap(std::minmax(widest, group[i]), problems);
        if (last_port(group[i]->destination) > last_port(widest->destination)) widest = group[i];
      }
    }
  }
}

}  // namespace

void check_against_each_other(const std::vector<PlacedDestination>& destinations, Problems& problems) {
  check_names(destinations, problems);
  check_names_of_addresses(destinations, problems);
  check_source_ports(destinations, problems);
}

}  // namespace ecmp::config
