#include <string>
#include <utility>

#include "agent/tracing/tracing_state.hpp"
#include "path/oneway/oneway_snapshot.hpp"

namespace ecmp {

/// A stream that nobody answers looks alike for many reasons, none of which reaches this host: so all are named, once.
void Tracing::follow_reflector(Traced& traced, const OnewaySnapshot& seen) {
  if (!seen.up.has_value() || std::exchange(traced.reflector_silent, !*seen.up) || *seen.up) return;
  const config::Destination& destination = traced.configured.destination;
  outputs_.warn(traced.facts->name,
                "the reflector does not answer on port " + std::to_string(destination.port) +
                    ": none listens there, a filter drops the packets, its list of allowed senders lacks our address, "
                    "or its key is not ours: " +
                    (destination.key.empty() ? "here is none" : "here is one"));
}

}  // namespace ecmp
