#pragma once

// Private to the .cpp files of Tracing.

#include "agent/tracing.hpp"

namespace ecmp {

/// One destination as it is traced: a configured one, or one of the addresses of one with `all = true`.
struct Tracing::Traced {
  Traced(const Configured& by, std::shared_ptr<const DestinationFacts> told, const ModelOptions& options)
      : configured(by), facts(std::move(told)), model(facts, options) {}

  const Configured& configured;
  std::shared_ptr<const DestinationFacts> facts;
  DestinationModel model;
  std::vector<IpAddress> sources;           ///< by flow index
  std::optional<std::uint32_t> first_flow;  ///< engine's number, while traced
  bool settled = false;                     ///< has finished a round, or cannot have one
  bool unknown = false;                     ///< its name has no address: told as down
  bool refused = false;                     ///< another destination has flows that it would have
  bool changed = true;
  std::string complaint;  ///< what was warned of last: once is enough, however often the name is looked up
  Instant published{};
  std::shared_ptr<const DestinationSnapshot> snapshot;
};

/// A destination of the configuration.
struct Tracing::Configured {
  config::Destination destination;
  /// One; with `all` one per address, and until there is an address one without, so that it is told as down.
  std::vector<Traced*> traced;

  // Of a host name.
  bool asked = false;  ///< an answer is awaited
  bool failing = false;
  bool too_many = false;  ///< addresses were left out the last time
  Instant ask_at{};

  [[nodiscard]] bool is_name() const { return !destination.address.has_value(); }
};

/// Changes being made, and how far that is.
struct Tracing::Changing {
  enum class Phase : std::uint8_t { judging, remove, stop, edit, add, retry };

  std::shared_ptr<const config::Changes> changes;
  Phase phase = Phase::judging;
  std::size_t next = 0;  ///< within the phase
};

/// What the configuration tells of a destination, but for its name and its address.
void tell_of(DestinationFacts& facts, const config::Destination& destination);

}  // namespace ecmp
