#include "tui/scene.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace ecmp::tui {
namespace {

/// RFC 1035 section 2.3.4; what is longer is no name.
constexpr std::size_t kLongestName = 255;

bool hop_matches(const Scene& scene, const HopTally& hop) {
  const auto shown = [&](const IpAddress& address) {
    if (address.is_unspecified()) return false;
    if (contains(address.to_string(), scene.search) || contains(name_of(scene, address), scene.search)) return true;
    const std::uint32_t number = scene.as_numbers != nullptr ? scene.as_numbers->number(address) : 0;
    return number != 0 && fmt::format("as{}", number) == scene.search;
  };
  return shown(hop.address()) ||
         std::any_of(hop.responders().begin(), hop.responders().end(),
                     [&](const HopTally::Responder& responder) { return shown(responder.address); });
}

}  // namespace

std::string name_of(const Scene& scene, const IpAddress& address) {
  return printable(scene.names.name(address).substr(0, kLongestName));
}

std::string place_of(const Scene& scene, const IpAddress& address) {
  std::string place = printable(scene.names.city(address).substr(0, kLongestName));
  const std::string country = printable(scene.names.country(address).substr(0, kLongestName));
  if (!place.empty() && !country.empty()) place += ", ";
  return place + country;
}

std::string host_of(const Scene& scene, const IpAddress& address) {
  const std::string name = name_of(scene, address);
  return name.empty() ? address.to_string() : name;
}

bool matches(const Scene& scene, const FlowRow& flow) {
  if (scene.search.empty()) return true;
  if (fmt::format("{}", flow.source_port) == scene.search) return true;
  if (flow.tally.ordinal() != 0 && fmt::format("{}", flow.tally.ordinal()) == scene.search) return true;
  if (flow.tally.path() != 0 && scene.search.size() >= 3 && path_id(flow.tally.path()).starts_with(scene.search))
    return true;
  const auto hops = flow.tally.hops();
  return scene.search.size() >= 2 &&
         std::any_of(hops.begin(), hops.end(), [&](const HopTally& hop) { return hop_matches(scene, hop); });
}

std::vector<const FlowRow*> matching_flows(const Scene& scene) {
  std::vector<const FlowRow*> found;
  for (const FlowRow& flow : scene.tally.flows())
    if (matches(scene, flow)) found.push_back(&flow);
  return found;
}

std::string path_id(std::uint32_t path) {
  return fmt::format("{:08x}", path);
}

}  // namespace ecmp::tui
