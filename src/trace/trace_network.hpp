#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/tracing/routes.hpp"
#include "agent/tracing/tracing.hpp"
#include "base/result.hpp"
#include "base/siphash.hpp"
#include "probe/transport.hpp"
#include "render/hop_names.hpp"
#include "trace/trace_options.hpp"

namespace ecmp {

/// Where ecmp_trace probes: the real network, or a simulated one. The probing thread uses it, but for wake() and
/// names().
class TraceNetwork {
 public:
  virtual ~TraceNetwork() = default;

  virtual Transport& transport() = 0;
  virtual Routes& routes() = 0;
  /// Civil time minus the transport's.
  [[nodiscard]] virtual Duration wall_offset() const = 0;
  /// For the identities of the probes.
  [[nodiscard]] virtual SipKey secret() const = 0;
  /// Makes a waiting receive() of the transport, or the next one, return early. Any thread.
  virtual void wake() = 0;

  virtual void ask_addresses(const std::string& host, config::FamilyChoice family) = 0;
  /// The name of this address will be shown.
  virtual void want_name(const IpAddress& address, Instant now) = 0;
  virtual std::vector<HostAnswer> take_answers(Instant now) = 0;
  /// Tells of changed source addresses.
  virtual void pass_sources(Tracing& tracing) = 0;
  /// The names known now; valid as long as it is held. Any thread.
  [[nodiscard]] virtual std::shared_ptr<const render::HopNames> names() const = 0;

  /// Why no probe of this flow can come anywhere, in words, if the host knows.
  /// "" when the flow has no route: whoever asks knows what was wished for.
  [[nodiscard]] virtual std::optional<std::string> obstacle(std::uint32_t flow) = 0;
  /// Ends threads of its own.
  virtual void stop() = 0;
};

/// The real network. The error is one line for the user.
Result<std::unique_ptr<TraceNetwork>> open_real_network(bool names);

/// The network of a scenario's text; `file` is for messages. `paced`: its time is as slow as ours.
Result<std::unique_ptr<TraceNetwork>> open_simulated_network(std::string_view text, const std::string& file,
                                                             std::uint64_t seed, bool paced, bool names);

/// A destination of a simulated network: by its name, by its address, or (empty) the first one.
struct SimulatedDestination {
  std::string name;
  IpAddress address;
};
Result<SimulatedDestination> simulated_destination(std::string_view text, const std::string& file,
                                                   const std::string& host, config::FamilyChoice family);

}  // namespace ecmp
