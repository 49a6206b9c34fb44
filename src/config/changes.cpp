#include "config/changes.hpp"

#include <unordered_map>

namespace ecmp::config {

EditEffect effect_of(const Destination& before, const Destination& after) {
  EditEffect effect;
  effect.labels = before.labels != after.labels || before.expected_paths != after.expected_paths;
  effect.schedule = before.interval != after.interval || before.timeout != after.timeout;
  effect.judging = before.confirm_rounds != after.confirm_rounds;
  effect.search = before.auto_flows != after.auto_flows;
  effect.rounds = before.flows != after.flows || before.auto_flows.has_value() != after.auto_flows.has_value() ||
                  before.max_ttl != after.max_ttl;
  effect.headers =
      before.protocol != after.protocol || before.port != after.port || before.source_port != after.source_port ||
      before.source_ports != after.source_ports || before.source_address != after.source_address ||
      before.interface != after.interface || before.packet_size != after.packet_size || before.dscp != after.dscp ||
      before.fwmark != after.fwmark || before.stamp != after.stamp || before.packet_interval != after.packet_interval ||
      before.key_file != after.key_file || before.key != after.key;
  effect.host = before.host != after.host;
  effect.family = before.family != after.family;
  return effect;
}

Changes plan_changes(const Config& before, const Config& after) {
  Changes changes{.web = after.web,
                  .limits = after.limits,
                  .window = after.window,
                  .histograms = after.histograms,
                  .metrics = after.metrics,
                  .history_memory = after.history_memory,
                  .history_disk = after.history_disk,
                  .dns = after.dns,
                  .reflector = after.reflector};
  changes.judging = before.window != after.window || before.histograms != after.histograms ||
                    before.limits.max_paths_per_destination != after.limits.max_paths_per_destination;
  changes.settings = changes.judging || before.limits != after.limits || before.histograms != after.histograms ||
                     before.metrics != after.metrics || before.history_memory != after.history_memory ||
                     before.history_disk != after.history_disk || before.dns != after.dns || before.web != after.web ||
                     before.reflector.allow != after.reflector.allow ||
                     before.reflector.only_allowed != after.reflector.only_allowed ||
                     before.reflector.packets_per_second_per_source != after.reflector.packets_per_second_per_source ||
                     before.reflector.key_file != after.reflector.key_file;
  if (before.listen_addresses != after.listen_addresses) changes.need_restart.emplace_back("web.listen_addresses");
  if (before.web_config_file != after.web_config_file) changes.need_restart.emplace_back("web.config_file");
  if (before.history_disk.directory != after.history_disk.directory)
    changes.need_restart.emplace_back("history.directory");
  if (before.localisation != after.localisation) changes.need_restart.emplace_back("localisation");
  if (before.reflector.listen_addresses != after.reflector.listen_addresses)
    changes.need_restart.emplace_back("reflector.listen_addresses");
  if (before.reflector.max_sessions != after.reflector.max_sessions)
    changes.need_restart.emplace_back("reflector.max_sessions");
  if (before.modules != after.modules) changes.need_restart.emplace_back("modules");
  if (before.one_off != after.one_off) changes.need_restart.emplace_back("one_off");

  std::unordered_map<std::string_view, const Destination*> known;
  for (const Destination& destination : before.destinations)
    known.emplace(destination.name, &destination);
  for (const Destination& destination : after.destinations) {
    const auto found = known.find(destination.name);
    if (found == known.end()) {
      changes.added.push_back(destination);
      continue;
    }
    const Destination& was = *found->second;
    known.erase(found);
    if (was.all != destination.all) {
      changes.removed.push_back(was.name);
      changes.added.push_back(destination);
    } else if (const EditEffect effect = effect_of(was, destination); effect.any()) {
      changes.edited.push_back({destination, effect});
    } else {
      ++changes.unchanged;
    }
  }
  for (const Destination& destination : before.destinations) {
    if (known.contains(destination.name)) changes.removed.push_back(destination.name);
  }
  return changes;
}

}  // namespace ecmp::config
