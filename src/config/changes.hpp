#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace ecmp::config {

/// What an edit means for a destination that goes on under its name. All false: nothing.
struct EditEffect {
  bool labels = false;    ///< what is published besides what is measured: labels, expected_paths
  bool schedule = false;  ///< interval or timeout
  bool judging = false;   ///< confirm_rounds
  bool search = false;    ///< how its flows are chosen, of `flows = "auto"`
  bool rounds = false;    ///< its rounds begin anew, over the same flows: the number of flows, max_ttl
  bool headers = false;   ///< its flows are others: addresses, ports, protocol, size, DSCP, the way out
  bool host = false;      ///< another host name or address
  bool family = false;    ///< other addresses of its host name will do

  [[nodiscard]] bool restarts() const { return rounds || headers || host; }
  [[nodiscard]] bool any() const { return labels || schedule || judging || search || family || restarts(); }
  friend bool operator==(const EditEffect&, const EditEffect&) = default;
};

EditEffect effect_of(const Destination& before, const Destination& after);

struct Edit {
  Destination after;
  EditEffect effect;
};

/// All that another configuration changes, in the order in which it is to be made: who is removed makes room for flows
/// that others take over.
struct Changes {
  WebLimits web;
  Limits limits;
  Duration window{};
  Histograms histograms;
  MetricGroups metrics;
  std::uint64_t history_memory = 0;
  HistoryDisk history_disk;  ///< but for the directory, which takes a restart
  Dns dns;
  Reflector reflector;    ///< but for the addresses and the number of sessions, which take a restart
  bool settings = false;  ///< any of the above is not what it was
  bool judging = false;   ///< one of them concerns how every destination's rounds are taken in

  std::vector<std::string> removed;  ///< names
  std::vector<Edit> edited;
  std::vector<Destination> added;
  std::size_t unchanged = 0;

  /// Keys that are not what they were, and that only a restart makes take effect.
  std::vector<std::string_view> need_restart;

  [[nodiscard]] bool any() const { return settings || !(removed.empty() && edited.empty() && added.empty()); }
};

/// Destinations are the same when their names are. One whose `all` changes is removed and added: its series have other
/// names then.
Changes plan_changes(const Config& before, const Config& after);

}  // namespace ecmp::config
