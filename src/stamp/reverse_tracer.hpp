#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <queue>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"
#include "stamp/own_tlv.hpp"
#include "stamp/session_table.hpp"

namespace ecmp::stamp {

/// What a sender of ours says of itself when it asks for the way back to it.
struct BackAsked {
  std::uint8_t routers = 0;        ///< between us and it, as its replies' TTL says
  std::uint16_t payload = 0;       ///< bytes of its packets behind the UDP header
  std::uint8_t traffic_class = 0;  ///< of the replies to it
};

/// A datagram that has to expire on the way, to the source of a session from the address and port that it asked.
struct BackProbe {
  SessionKey session;
  std::uint8_t ttl = 0;
  std::uint16_t payload = 0;
  std::uint8_t traffic_class = 0;
  std::array<std::uint8_t, 8> mark{};  ///< its first bytes; all others are 0, which no STAMP packet is
};

/// Finds the way back to those that measure with this reflector: the routers that replies to a session pass. Pure: time
/// and bytes are arguments.
///
/// One probe of a session is under way at a time, with the 5-tuple, size and traffic class of its replies and a TTL
/// below what reaches its source: which router answers is known by the mark that the answer quotes. Routers that have
/// answered are asked again once a minute, others with every turn of the session, all together with so many probes a
/// second; who asks no more is forgotten. A router that answers in another's place takes it when it has done so twice
/// in a row.
///
/// Memory is that of kMostSessions, whatever is sent; what does not fit is not traced.
class ReverseTracer {
 public:
  static constexpr std::size_t kMostSessions = 4096;
  static constexpr std::uint8_t kMostRouters = 32;
  static constexpr double kProbesPerSecond = 200;
  static constexpr Duration kTurn = std::chrono::seconds(10);     ///< of a session, from its end to the next
  static constexpr Duration kPatience = std::chrono::seconds(1);  ///< for one answer
  static constexpr Duration kRefresh = std::chrono::seconds(60);
  static constexpr Duration kForget = std::chrono::seconds(60);  ///< without being asked

  /// `secret` makes the marks, so that nobody can answer without having seen the probe.
  explicit ReverseTracer(const SipKey& secret) : secret_(secret) {}

  /// A session asks for its way back, with each packet: what is known, with one of its routers, in turn. Nothing as
  /// long as nobody on it is known.
  std::optional<OwnTlv::Path> ask(const SessionKey& session, const BackAsked& asked, Instant now);

  /// The next probe to be sent now.
  std::optional<BackProbe> next(Instant now);
  /// When next() has something to do; Instant::max(): never, as things are.
  [[nodiscard]] Instant next_due() const;

  /// A datagram of ours expired: `quoted` is what the answer of `from` quotes of its payload. False: it is none of
  /// ours, or its time is over. SSIDs of sessions are not looked at.
  bool on_expired(const SessionKey& session, ByteView quoted, const IpAddress& from, Instant now);

  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }

 private:
  struct Router {
    IpAddress address;
    IpAddress other;  ///< who answered last in its place
    Instant heard = Instant::min();
  };
  struct Traced {
    BackAsked asked;
    Instant asked_at{};
    Instant due{};
    std::vector<Router> routers;
    std::vector<IpAddress> published;
    std::uint32_t id = 0;       ///< of `published`; 0: nobody is known
    std::uint32_t probes = 0;   ///< so far
    std::uint8_t next = 0;      ///< index of the router to ask next
    std::uint8_t reported = 0;  ///< index of the router to report next
    bool waits = false;         ///< for an answer of the one before `next`
  };
  struct Hash {
    SipKey key;
    std::size_t operator()(const SessionKey& session) const;
  };
  struct Due {
    Instant at;
    SessionKey session;
    friend bool operator>(const Due& a, const Due& b) { return a.at > b.at; }
  };

  static SessionKey without_ssid(SessionKey session) {
    session.ssid = 0;
    return session;
  }
  [[nodiscard]] std::array<std::uint8_t, 8> mark_of(const SessionKey& session, std::uint32_t probe) const;
  static void publish(Traced& traced);
  void put_off(const SessionKey& session, Traced& traced, Instant until);

  SipKey secret_;
  std::unordered_map<SessionKey, Traced, Hash> sessions_{16, Hash{secret_}};
  std::priority_queue<Due, std::vector<Due>, std::greater<>> queue_;  ///< one or two of each session
  Instant sent_until_{};                                              ///< when the next probe may leave
};

/// The id of a path by its routers, the same in every process and version; never 0.
std::uint32_t path_id_of(const std::vector<IpAddress>& routers);

}  // namespace ecmp::stamp
