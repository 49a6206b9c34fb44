#include "config/config.hpp"

#include <array>
#include <fmt/format.h>

#include "config/destinations.hpp"
#include "config/document.hpp"
#include "config/mesh.hpp"
#include "config/modules.hpp"
#include "config/sections.hpp"

namespace ecmp::config {

namespace {

struct Section {
  std::string_view name;
  void (*read)(TableReader& reader, Config& config);
};

constexpr auto kSections = std::to_array<Section>({{"web", read_web},
                                                   {"limits", read_limits},
                                                   {"window", read_window},
                                                   {"histograms", read_histograms},
                                                   {"metrics", read_metrics},
                                                   {"history", read_history},
                                                   {"dns", read_dns},
                                                   {"discovery", read_discovery},
                                                   {"shard", read_shard},
                                                   {"localisation", read_localisation},
                                                   {"reflector", read_reflector}});

void read_sections(TableReader& root, Config& config) {
  for (const Section& section : kSections) {
    const Node* const table = root.table(section.name);
    if (table == nullptr) continue;
    TableReader reader(*table, root.problems());
    section.read(reader, config);
    reader.refuse_unknown_keys();
  }
}

ProbeKeys read_probe(TableReader& root, const Limits& limits) {
  const Node* table = root.table("probe");
  if (table == nullptr) return {};
  TableReader reader(*table, root.problems());
  const ProbeKeys keys = read_probe_keys(reader, limits);
  reader.refuse_unknown_keys();
  check_combinations(keys, {}, limits, root.problems());
  return keys;
}

}  // namespace

std::string format_problem(std::string_view file, const Problem& problem) {
  return fmt::format("{}:{}:{}: {}", file, problem.line, problem.column, problem.message);
}

ParseOutcome parse(std::string_view text, std::string_view file) {
  // Windows editors put a byte order mark there.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  auto document = read_document(text, file);
  if (auto* problem = std::get_if<Problem>(&document)) return std::vector{std::move(*problem)};

  Problems problems;
  Config config;
  TableReader root(std::get<Node>(document), problems);
  read_sections(root, config);
  const ProbeKeys probe = read_probe(root, config.limits);
  read_mesh(root, probe, config, file);
  auto placed = read_destinations(
      root, [&](const Node& table, Problems& all) { return read_destination(table, probe, config.limits, all); });
  read_modules(root, probe, config);
  root.refuse_unknown_keys();

  if (placed.size() > config.limits.max_destinations) {
    problems.add(placed[config.limits.max_destinations].where,
                 fmt::format("[[destination]]: one of {}, more than max_destinations of [limits], {}", placed.size(),
                             config.limits.max_destinations));
  }
  if (!problems.empty()) return std::move(problems).sorted();
  config.named_files = problems.take_files();
  config.defaults = std::make_shared<const DestinationDefaults>(probe);
  config.destinations.reserve(placed.size());
  for (PlacedDestination& each : placed) {
    config.origins.push_back(fmt::format("{}:{}:{}", file, each.where.line, each.where.column));
    config.destinations.push_back(std::move(each.destination));
  }
  return config;
}

}  // namespace ecmp::config
