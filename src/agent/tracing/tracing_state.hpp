#pragma once

// Private to the .cpp files of Tracing.

#include "agent/tracing/tracing.hpp"
#include "path/oneway/oneway_model.hpp"
#include "path/search/path_search.hpp"

namespace ecmp {

/// One destination as it is traced: a configured one, or one of the addresses of one with `all = true`.
struct Tracing::Traced {
  Traced(const Configured& by, std::shared_ptr<const DestinationFacts> told, const ModelOptions& options)
      : configured(by), facts(std::move(told)), model(facts, options) {}

  /// Whose names were wanted for a flow last, as a sum of their hashes, and when.
  struct Wanted {
    std::uint64_t responders = 0;
    Instant at{};
  };

  const Configured& configured;
  std::shared_ptr<const DestinationFacts> facts;
  DestinationModel model;
  std::vector<IpAddress> sources;           ///< by flow index
  std::vector<bool> routed;                 ///< by flow index: its route is followed
  std::vector<Wanted> wanted;               ///< by flow index
  std::unique_ptr<OnewayModel> oneway;      ///< of `protocol = "stamp"`, while traced
  std::vector<std::uint32_t> flow_paths;    ///< with it, by flow index: id of the path of the newest round
  std::unique_ptr<Searching> searching;     ///< of `flows = "auto"`, while traced
  std::optional<std::uint32_t> first_flow;  ///< engine's number, while traced
  bool settled = false;                     ///< has finished a round, or cannot have one
  bool refused = false;                     ///< another destination has flows that it would have
  bool reflector_silent = false;            ///< was warned of
  bool changed = true;
  bool behind = false;    ///< its figures were not kept new, and somebody reads them
  std::string complaint;  ///< what was warned of last: once is enough, however often the name is looked up
  Instant published{};
  std::shared_ptr<const DestinationSnapshot> snapshot;

  /// Why it is not, while it is not.
  [[nodiscard]] Unjudged not_traced() const {
    if (facts->address.is_unspecified()) return Unjudged::not_resolved;
    return refused ? Unjudged::not_traced : Unjudged::first_round;
  }
};

/// How the flows of a destination with `flows = "auto"` are found.
struct Tracing::Searching {
  std::unique_ptr<PathSearch> search;                      ///< null: none runs
  std::vector<PathSearch::Ask> asks;                       ///< of the batch under way
  std::size_t next = 0;                                    ///< of these, the first that the engine does not know yet
  Instant ask_at{};                                        ///< not before
  Instant wait_until{};                                    ///< what has not been answered by then will not be
  Instant due{};                                           ///< of the next search
  Instant ended = Instant::min();                          ///< of the last one
  bool again = false;                                      ///< paths changed while a search was running
  std::vector<std::shared_ptr<const RoundRecord>> newest;  ///< of the steady flows, by flow index
  std::shared_ptr<const SearchProgress> progress;
  PortsToKeep kept;  ///< as the transport was told
};

/// A destination of the configuration.
struct Tracing::Configured {
  config::Destination destination;
  /// One; with `all` one per address, and until there is an address one without, so that it is told.
  std::vector<Traced*> traced;

  // Of a host name.
  bool asked = false;  ///< an answer is awaited
  bool failing = false;
  std::uint32_t failures = 0;  ///< in a row
  bool too_many = false;       ///< addresses were left out the last time
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

/// The flows that are probed while no search is over yet; null where all are.
std::shared_ptr<const std::vector<std::uint16_t>> first_steady(const config::Destination& destination);

}  // namespace ecmp
