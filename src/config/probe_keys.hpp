#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "config/reader.hpp"

namespace ecmp::config {

/// What ProbeKeys::flows is for "auto".
constexpr std::int64_t kAutoFlows = 0;

// Of a search for paths, by whomever it is configured.
constexpr Range<double> kConfidence{0.5, 0.9999, "a number from 0.5 to 0.9999, such as 0.95"};
constexpr Range<double> kShare{0.0001, 0.5, "a number from 0.0001 to 0.5"};

/// The keys that [probe] and [[destination]] share; what is not set was not written, or was wrong and is told already.
struct ProbeKeys {
  std::optional<Setting<Protocol>> protocol;
  std::optional<Setting<FamilyChoice>> family;
  std::optional<Setting<std::int64_t>> port;
  std::optional<Setting<std::int64_t>> flows;  ///< kAutoFlows: "auto"
  std::optional<Setting<std::int64_t>> max_flows;
  std::optional<Setting<double>> confidence;
  std::optional<Setting<double>> p_min;
  std::optional<Setting<std::int64_t>> min_flows_per_path;
  std::optional<Setting<Duration>> rediscover;
  std::optional<Setting<std::int64_t>> source_port;
  std::optional<Setting<PortBlock>> source_ports;
  std::optional<Setting<std::optional<IpAddress>>> source_address;  ///< of nullopt: written as ""
  std::optional<Setting<std::string>> interface;
  std::optional<Setting<std::int64_t>> fwmark;
  std::optional<Setting<Duration>> interval;
  std::optional<Setting<Duration>> timeout;
  std::optional<Setting<bool>> stamp;  ///< written as a protocol; there with it
  std::optional<Setting<Duration>> packet_interval;
  std::optional<Setting<std::string>> key_file;
  std::optional<Setting<std::int64_t>> max_ttl;
  std::optional<Setting<std::int64_t>> packet_size;
  std::optional<Setting<std::int64_t>> dscp;
  std::optional<Setting<std::int64_t>> confirm_rounds;
  std::optional<Setting<std::int64_t>> expected_paths;
  bool identity_broken =
      false;  ///< protocol, flows, source_port or source_ports was wrong: do not judge overlaps by the default
};

/// `own` where it says something, else `under`.
ProbeKeys over(const ProbeKeys& own, const ProbeKeys& under);

/// The keys of [probe], for destinations that stand in other texts: it holds what it shows of the first one.
class DestinationDefaults {
 public:
  explicit DestinationDefaults(const ProbeKeys& keys);
  DestinationDefaults(const DestinationDefaults&) = delete;
  DestinationDefaults& operator=(const DestinationDefaults&) = delete;

  /// Without places: those would be taken for places of the other text.
  [[nodiscard]] const ProbeKeys& keys() const { return keys_; }

 private:
  std::deque<std::string> texts_;
  ProbeKeys keys_;
};

/// "line 7", or "[probe]" for a setting that stands in another text.
template <typename T>
std::string place_of(const Setting<T>& setting) {
  return setting.where.line == 0 ? "[probe]" : "line " + std::to_string(setting.where.line);
}

/// Reads and checks them one by one. The keys of the table that are not among them are left to the caller.
ProbeKeys read_probe_keys(TableReader& reader, const Limits& limits);

/// The first source port that these keys and the defaults give, of flows that have consecutive ones.
const std::optional<Setting<std::int64_t>>& first_port_of(const ProbeKeys& own, const ProbeKeys& defaults);

/// How many flows a destination has, as these keys and the defaults say; with "auto", how many it may ask.
std::int64_t flows_of(const ProbeKeys& own, const ProbeKeys& defaults, const Limits& limits);

/// Checks of one key against another, given the defaults they are combined with. Told only if one of the keys stands
/// in `own` itself, so that a mistake in [probe] is told once and not for each destination.
void check_combinations(const ProbeKeys& own, const ProbeKeys& defaults, const Limits& limits, Problems& problems);

std::string_view protocol_name(Protocol protocol);
/// As the configuration writes it.
std::string_view protocol_name(const Destination& destination);

/// A mark of packets as tools write them, decimal or "0x" and hexadecimal; nothing if it is no number of 32 bits.
std::optional<std::uint32_t> parse_mark(std::string_view text);

}  // namespace ecmp::config
