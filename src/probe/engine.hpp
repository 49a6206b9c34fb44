#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"
#include "packet/five_tuple.hpp"
#include "packet/source_ports.hpp"
#include "probe/round.hpp"
#include "probe/transport.hpp"

namespace ecmp {

namespace stamp {
struct ErrorEstimate;
}

/// What the engine has to know of a destination. Ranges are those of the configuration, checked there.
struct DestinationPlan {
  IpAddress address;
  Protocol protocol{};
  std::uint16_t port = 33434;  ///< ignored for ICMP
  SourcePorts source_ports = 50000;
  std::uint16_t flows = 16;
  Duration interval{};
  Duration timeout{};
  std::uint8_t max_ttl = 30;
  std::uint16_t packet_size = 60;  ///< raised to the protocol's least
  std::uint8_t dscp = 0;
  std::optional<Duration> ttl_gap = std::nullopt;  ///< between two TTLs of a round; left out: a share of the interval
  Duration start_spread{};   ///< first rounds of the flows are spread over this; zero: over the interval
  std::uint64_t phase = 0;   ///< any number; destinations with different ones do not start together
  std::uint32_t rounds = 0;  ///< of each flow, then it rests; 0: for ever. Skipped ones are not counted
  std::uint16_t awake = 0;   ///< flows that are probed from the start, the others rest; 0: all
  /// As EngineOptions::ask_until_limited, for this destination, while no other one has its address that is paced.
  bool ask_until_limited = false;
  /// Each flow has a stream of STAMP packets beside its trace, whose probes are datagrams of STAMP too. UDP only.
  bool stamp = false;
  Duration packet_interval = std::chrono::seconds(1);              ///< between packets of a stream
  std::shared_ptr<const std::vector<std::uint8_t>> key = nullptr;  ///< of STAMP's authenticated mode; null: open
};

/// Why a captured datagram was not counted as a reply.
enum class Ignored : std::uint8_t {
  malformed,     ///< could not be parsed, or a bad checksum
  unknown_flow,  ///< no flow of ours has these addresses and ports
  bad_identity,  ///< our flow, but not our secret: forged, stray, or rewritten on the way
  late,          ///< its probe had timed out
  duplicate,     ///< its probe had been answered
  resent,        ///< a SYN-ACK that was sent again, since the first one or its RST did not arrive
  bad_source,    ///< from an address that is no host's on the way: unspecified, multicast, broadcast, loopback
  count_
};
std::string_view to_string(Ignored reason);

struct EngineCounters {
  /// By Protocol: probes that left this host, counted when that is certain, so that it never has to be taken back.
  std::array<std::uint64_t, kProtocols.size()> probes_sent{};
  std::uint64_t stream_packets_sent = 0;        ///< of STAMP streams; no probes
  std::array<std::uint64_t, 11> send_errors{};  ///< by SendError; [0] unused
  std::array<std::uint64_t, static_cast<std::size_t>(Ignored::count_)> ignored{};
  std::array<std::uint64_t, static_cast<std::size_t>(Unobserved::count_)> unobserved{};  ///< rounds; [0] unused
  std::uint64_t resets_sent = 0;        ///< RSTs of ours, see ResetWatch; no probes
  std::uint64_t rounds_skipped = 0;     ///< not begun, since earlier ones of the flow were not over or time ran out
  std::uint64_t rate_limited = 0;       ///< probes that waited for the global limit
  std::uint64_t responder_delayed = 0;  ///< probes that waited for the limit of their responder
  std::uint64_t left_out = 0;           ///< probes not sent, since their responder was asked often enough
  /// How much later than due probes left: [i] counts those in (bound(i-1), bound(i)], see schedule_lag_bounds().
  std::array<std::uint64_t, 16> schedule_lag{};
  Duration schedule_lag_sum{};
};

/// Upper bounds of EngineCounters::schedule_lag but the last, which is open.
std::span<const Duration> schedule_lag_bounds();

/// Identifier of the echo requests that show whether a destination whose answers are ICMP errors is there when it keeps
/// quiet: no flow's. The capture has to let their replies through. Several, for routers that hash it.
constexpr std::uint16_t kControlIdentifier = 0xec3c;
constexpr std::uint16_t kControlIdentifiers = 4;

struct EngineOptions {
  SipKey secret{};  ///< random per process in production; fixed in tests
  double probes_per_second = 50000;
  double probes_per_second_per_responder = 500;
  /// Ask responders that limit their ICMP errors only as often as they answer, see ResponderPacing. If not, every hop
  /// of every round is asked.
  bool adapt_to_responders = true;
  /// Ask destinations whose answers are ICMP errors in each round, until their silence looks like a limit. If not, they
  /// are paced from the start: for a watch that goes on for hours it costs nothing, a trace of few rounds half of them.
  bool ask_until_limited = false;
};

/// The heart: decides which probe leaves when, takes in what was captured, closes probes, finishes rounds. Pure state
/// machine in the manner of sans-IO protocol code: the caller owns clock and transport, see `drive()`.
class Engine {
 public:
  /// So long a round may be held, and a timeout more, for the burst that shows whether a destination limits its answers
  /// (ask_until_limited): the rest before it, and 21 probes.
  static constexpr Duration kBurst = std::chrono::milliseconds(1300);

  explicit Engine(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Begins to trace. Returns the number of its first flow; its flows are numbered consecutively. Numbers of removed
  /// destinations may be used again. nullopt if one of its flows has the destination address, protocol, destination
  /// port and source port of a flow that is there already: two such flows could not tell their replies apart.
  std::optional<std::uint32_t> add(const DestinationPlan& plan, Instant now);

  /// The first `count` ports of the order that no flow to there has, in this order; fewer if there are no more. So two
  /// destinations that have one address, protocol and port can be traced beside each other.
  [[nodiscard]] std::vector<std::uint16_t> free_ports(const PortOrder& order, const IpAddress& address,
                                                      Protocol protocol, std::uint16_t port, std::uint32_t count) const;

  /// Ends tracing of the destination whose first flow has this number. Unfinished rounds are dropped, uncounted.
  void remove(std::uint32_t first_flow);

  /// Another interval and timeout for a destination that goes on as it is otherwise. Rounds under way keep the timeout
  /// that they began with; the next of each flow begins within one new interval, spaced evenly again.
  void set_schedule(std::uint32_t first_flow, Duration interval, Duration timeout, Instant now);

  /// No further rounds of this flow; those under way end as they would.
  void rest(std::uint32_t flow);

  /// A resting flow is probed from `at` on, once in each interval. Nothing if it does not rest.
  void wake(std::uint32_t flow, Instant at);

  /// A resting flow has so many rounds, `apart` from each other, and rests again.
  void ask(std::uint32_t flow, std::uint32_t rounds, Instant at, Duration apart);

  /// Other limits than those of the options.
  void set_rates(double probes_per_second, double probes_per_second_per_responder, bool adapt_to_responders);

  /// Civil time minus the engine's: what packets of streams say of when they left.
  void set_wall_offset(Duration offset);
  /// Whether there has ever been a stream.
  [[nodiscard]] bool has_streams() const;
  /// How far the civil clock may be off: what packets of streams claim.
  void set_clock(const stamp::ErrorEstimate& clock);

  /// The source address of a flow, from its route. A flow without one fails each probe with `why`.
  void set_source(std::uint32_t flow, const IpAddress& source, SendError why = SendError::no_route);

  /// The header values of a flow: routes are looked up with them.
  [[nodiscard]] FiveTuple tuple(std::uint32_t flow) const;

  /// When poll() has work next.
  [[nodiscard]] Instant next_due() const;

  /// Expires what timed out, begins what is due, and returns the datagrams to send now, at most `maximum`. They are
  /// valid until the next call of poll(); hand the same span, filled in by the transport, to on_sent().
  std::span<Outgoing> poll(Instant now, std::size_t maximum, RoundSink& rounds);
  void on_sent(std::span<const Outgoing> batch);

  /// Takes in a datagram that was seen at an interface.
  void on_captured(const Captured& datagram, RoundSink& rounds);

  /// Answers may have been missed. To be told before poll() is told of the time in which probes that waited in the gap
  /// expire.
  void on_gap(const Gap& gap);

  [[nodiscard]] const EngineCounters& counters() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// One turn of the loop: sends what is due, then takes in what arrives, waiting for it at most until something is due
/// or `until`. It waits at least `quantum` if nothing arrives, so that a busy schedule is served in batches.
void drive_once(Engine& engine, Transport& transport, RoundSink& rounds, Instant until, Duration quantum);

/// Turns the loop until the transport's clock says `end`.
void drive(Engine& engine, Transport& transport, RoundSink& rounds, Instant end);

}  // namespace ecmp
