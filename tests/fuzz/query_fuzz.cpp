// Parameters of /paths, /events, /topology, /metrics and /probe, as a client writes them into the URL: understood, or
// refused with one line that can be told to anybody.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/http/paths_query.hpp"
#include "agent/http/topology_query.hpp"
#include "agent/one_off/probe_answers.hpp"
#include "net/http/http_head.hpp"
#include "render/metrics/exposition.hpp"
#include "render/metrics/metric_table.hpp"

namespace {

using namespace ecmp;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_sayable(const std::string& error) {
  require(!error.empty() && error.size() < 1000);
  for (const char character : error)
    require(static_cast<unsigned char>(character) >= 0x20 && character != 0x7f);
}

void check_paths(const QueryParameters& parameters) {
  constexpr WallTime kNow{std::chrono::hours(500000)};
  const auto query = parse_paths_query(parameters, kNow);
  if (!query.ok()) return require_sayable(query.error());
  const RoundFilter& filter = query->filter;
  require(!filter.destination || filter.destination->size() < 8000);
}

void check_topology(const QueryParameters& parameters) {
  constexpr WallTime kNow{std::chrono::hours(500000)};
  const auto query = parse_topology_query(parameters, kNow);
  if (!query.ok()) return require_sayable(query.error());
  for (std::size_t i = 0; i < query->destinations.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      require(query->destinations[i] != query->destinations[j]);
}

void check_probe(const QueryParameters& parameters) {
  static const std::vector<config::Module> kModules = [] {
    std::vector<config::Module> modules(2);
    modules[0].name = "fan";
    modules[1].name = "web";
    return modules;
  }();
  const auto query = parse_probe_query(parameters, kModules);
  if (!query.ok()) return require_sayable(query.error());
  require(query->module < kModules.size() && !query->host.empty() && query->host.size() <= 255);
}

void check_families(const QueryParameters& parameters) {
  render::FamilyFilter filter;
  for (const auto& [name, value] : parameters)
    if (name == "name[]") filter.insert(value);
  std::size_t taken = 0;
  for (const render::MetricRow& row : render::network_metrics())
    taken += render::takes(filter, row) ? 1u : 0u;
  require(filter.empty() ? taken == render::network_metrics().size() : taken <= render::network_metrics().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > net::kMaxRequestLine) return 0;  // longer ones are refused before
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto target = net::parse_target(text);
  if (!target) return 0;
  check_paths(target->query);
  check_topology(target->query);
  check_probe(target->query);
  check_families(target->query);
  return 0;
}
