#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"
#include "stamp/own_tlv.hpp"
#include "stamp/packet.hpp"
#include "stamp/rate_cells.hpp"
#include "stamp/reverse_tracer.hpp"
#include "stamp/session_table.hpp"

namespace ecmp::stamp {

/// Why a request was not answered.
enum class Refusal : std::uint8_t {
  too_short,        ///< the reply would be longer than the request
  too_long,         ///< longer than is received
  source_port,      ///< below 1024, or one that we reflect on: an answer could go round for ever
  destination,      ///< it was sent to many: every host that heard it would answer
  not_allowed,      ///< its source is on no list
  rate,             ///< its source has sent too much
  malformed,        ///< an error estimate of 0 (RFC 4656 section 4.1.2)
  unauthenticated,  ///< wrong HMAC
  reply,            ///< what a reflector answered us, sent to us as a request
  sessions,         ///< no room for another session
  send_failed,      ///< composed, and the kernel did not take it
  overflow,         ///< dropped by the kernel, for nobody read it in time
  count_
};
/// As the metric's label has it.
std::string_view to_string(Refusal refusal);

/// How good the clock is that T2 and T3 are read from.
struct ClockClaim {
  ErrorEstimate error = kUnsynchronised;
  std::uint8_t source = 5;  ///< RFC 8972 table 7: 1 NTP, 5 a clock of its own

  /// `error`: as whatever keeps the clock says.
  static ClockClaim of(const ErrorEstimate& error) {
    return {error, error.synchronised ? std::uint8_t{1} : std::uint8_t{5}};
  }
};

struct ReflectorSettings {
  std::function<bool(const IpAddress&)> allowed;  ///< empty: everybody
  std::vector<std::uint8_t> key;                  ///< not empty: authenticated mode
  double packets_per_second_per_source = 1000;    ///< of an IPv4 address or IPv6 /64
  std::vector<std::uint16_t> own_ports;           ///< that we reflect on
  /// What is known of the way from here to the source of a session that asked; empty: nothing.
  std::function<std::optional<OwnTlv::Path>(const SessionKey&, const BackAsked&, Instant now)> path_back;
};

/// A request as it came in.
struct Arrival {
  ByteView payload;
  SessionKey session;              ///< its SSID is left for the reflector to fill in
  std::uint8_t ttl = 255;          ///< 255 also when it could not be read
  std::uint8_t traffic_class = 0;  ///< DSCP and ECN
  bool to_many = false;            ///< sent to a broadcast or multicast address
  Instant now;
  WallTime received;  ///< T2, as the kernel stamped it
};

/// A reply that was written.
struct Answer {
  std::size_t size = 0;            ///< bytes; that of the request
  std::uint8_t traffic_class = 0;  ///< to send it with
  std::uint32_t session = 0;       ///< for left()
  std::uint32_t sequence = 0;      ///< R
};

/// A STAMP Session-Reflector (RFC 8762 section 4.3, RFC 8972): stateful, and pure: time and bytes are arguments.
///
/// What it remembers is bounded whatever is sent to it: a session table of a given size, and a fixed number of cells
/// that count rates. A request gets one reply of its own size, to where it came from, or none. Nothing in a request can
/// make the reply go elsewhere, or make more of them.
class Reflector {
 public:
  /// `secret` keys the hashes, so that nobody can choose sources that share a cell, and makes epochs of this run differ
  /// from those of the last one. `max_sessions`: at least 1.
  Reflector(ReflectorSettings settings, std::size_t max_sessions, const SipKey& secret);

  /// From now on; sessions go on, but for a change of mode.
  void set(ReflectorSettings settings) { settings_ = std::move(settings); }
  void set(const ClockClaim& clock) { clock_ = clock; }

  /// Writes the reply over the first bytes of `out`, which has room for as many bytes as the request has. `sending` is
  /// T3.
  std::variant<Answer, Refusal> answer(const Arrival& arrival, WallTime sending, MutableBytes out);

  /// When a reply left: what the follow-up of the next one says. Ignored when its session is another one by now.
  void left(std::uint32_t session, std::uint32_t sequence, WallTime at);
  /// Forgets a few sessions that have been idle for long. To be called now and then; answer() does it too.
  void expire(Instant now) { sessions_.expire(now); }

  [[nodiscard]] bool authenticated() const { return mode() == Mode::authenticated; }
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  /// Bytes that all of it takes, now.
  [[nodiscard]] std::size_t memory() const { return sessions_.memory() + rates_.memory(); }

 private:
  std::optional<Refusal> wrong_with(const Arrival& arrival);
  [[nodiscard]] bool is_own_port(std::uint16_t port) const;
  [[nodiscard]] std::optional<OwnTlv::Path> path_back(const Arrival& arrival, const SessionKey& key,
                                                      ByteView tlvs) const;
  [[nodiscard]] bool is_reply_to_us(const Arrival& arrival) const;
  [[nodiscard]] Mode mode() const { return settings_.key.empty() ? Mode::open : Mode::authenticated; }

  ReflectorSettings settings_;
  ClockClaim clock_;
  RateCells rates_;
  SessionTable sessions_;
};

}  // namespace ecmp::stamp
