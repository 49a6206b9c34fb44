#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace ecmp::stamp {

/// What the sequence numbers of a Session-Reflector count (RFC 8762 section 4.3.1).
enum class ReflectorMode : std::uint8_t {
  unknown,
  stateless,  ///< it copies the sender's number: only round trips can be judged
  stateful,   ///< it counts the replies that it sends: a loss has a direction
};

/// What a reflector of ours says of the packets that arrived, in an experimental TLV.
struct Receipts {
  std::uint32_t epoch = 0;    ///< another one: it has forgotten what came before
  std::uint32_t highest = 0;  ///< sequence number that arrived
  std::uint64_t bitmap = 0;   ///< bit i: `highest` - i arrived
};

/// A reply to a packet of a stream.
struct StreamReply {
  std::uint32_t sender_sequence = 0;
  std::uint32_t reflector_sequence = 0;
  std::uint64_t reflected = 0;  ///< T3 as it is written: two replies that differ in it were sent twice
  std::optional<Receipts> receipts;
};

enum class ReplyFate : std::uint8_t {
  first,
  duplicate_forward,  ///< the packet arrived twice
  duplicate_reverse,  ///< the reply was sent once and came twice
  late,               ///< after the timeout: its packet is lost (RFC 7680 section 2.4)
  unknown,            ///< no packet under way has this number
};

/// Packets whose fate is known: either the way of a loss would have been seen, or only that the round trip failed. What
/// a reflector shows of some packets and not of others must not be mixed: ratios would be too low.
struct OnewayCounts {
  std::uint64_t resolved = 0;     ///< packets of which a loss would have had a direction
  std::uint64_t forward = 0;      ///< of those, lost before the reflector
  std::uint64_t reverse = 0;      ///< of those, reached it, and the reply was lost
  std::uint64_t round_trips = 0;  ///< packets of which only the round trip is known
  std::uint64_t unresolved = 0;   ///< of those, lost
  std::uint64_t reordered_forward = 0;
  std::uint64_t reordered_reverse = 0;
  std::uint64_t restarts = 0;  ///< times that the reflector began to count anew

  /// Those that reached the reflector, as trials of the way back: losing them there is conditional on it (RFC 6673
  /// section 7).
  [[nodiscard]] std::uint64_t reached() const { return resolved - forward; }

  OnewayCounts& operator+=(const OnewayCounts& other);
  /// What came since `other`, which counted the same before.
  OnewayCounts& operator-=(const OnewayCounts& other);
  friend bool operator==(const OnewayCounts&, const OnewayCounts&) = default;
};

/// What became of one packet.
enum class PacketFate : std::uint8_t {
  returned,       ///< a loss would have had a direction
  lost_forward,   ///< before the reflector
  lost_reverse,   ///< reached it, and the reply was lost
  round_trip,     ///< returned; of a loss only the round trip would have been known
  lost_anywhere,  ///< lost, and nothing says where this one was
};

struct SettledPacket {
  Instant sent{};
  PacketFate fate = PacketFate::returned;

  friend bool operator==(const SettledPacket&, const SettledPacket&) = default;
};

/// What has been judged.
struct SettledPackets {
  OnewayCounts counts;
  /// Each packet with its own time. Of a window in which both directions lost, and nothing but sums is known, the lost
  /// ones are `lost_anywhere`, though their counts have a direction.
  std::vector<SettledPacket> packets;
};

/// In which direction the packets of one stream are lost.
///
/// A packet is lost when its reply has not come within the timeout. Which way is then read from the numbers of a
/// stateful reflector. Between two moments at which nothing was under way out of order, g packets are lost, and of the
/// replies that the reflector counted d have not come: if d <= g, these were lost on the way back, and g - d packets
/// never reached it. Where packets overtake each other, one whose reply was lost may be missing among the numbers of
/// another window nearby: so a loss forward is held back for another timeout, and is one on the way back if d > g
/// there. Where d > g otherwise the numbers say something else (another stream shares them, a packet was doubled and
/// one of its replies lost), and the losses stay unresolved. With receipts each packet is known by itself.
///
/// Sequence numbers are compared by serial arithmetic (RFC 1982).
class OnewayLoss {
 public:
  /// Losses wait so many packets for the next answer, then they are unresolved: an outage has to be seen while it
  /// lasts.
  static constexpr std::size_t kLongestGap = 64;

  explicit OnewayLoss(Duration timeout) : timeout_(timeout) {}

  /// A packet leaves. Numbers rise; those that are never sent are left out.
  void sent(std::uint32_t sequence, Instant at);
  /// When it really left, as is known only now.
  void set_sent(std::uint32_t sequence, Instant at);
  /// nullopt: no packet under way has this number.
  [[nodiscard]] std::optional<Instant> sent_at(std::uint32_t sequence) const;
  /// Of packets that are judged from now on.
  void set_timeout(Duration timeout) { timeout_ = timeout; }
  /// It did not leave this host after all.
  void unsent(std::uint32_t sequence);
  ReplyFate reply(const StreamReply& reply, Instant at);
  /// The reflector has counted a reply that is none to this stream's packets: to a probe of the trace.
  void foreign_reply(std::uint32_t reflector_sequence);
  /// Replies may have been missed here, in this host: what is under way is not judged.
  void forget();

  /// Judges what can be judged by now, into `settled`, whose content is replaced.
  void settle(Instant now, SettledPackets& settled);
  /// When settle() has something to judge next; Instant::max(): nothing is under way.
  [[nodiscard]] Instant next_settle() const;

  [[nodiscard]] ReflectorMode mode() const { return mode_; }
  /// A number should be left out: whether the reflector leaves it out too shows what it counts. Stays true until
  /// skipped() is called.
  [[nodiscard]] bool wants_skip() const { return skip_in_ == 0; }
  void skipped();

 private:
  static constexpr std::uint32_t kSkipEvery = 256;  ///< packets, once the mode is known
  static constexpr std::uint32_t kSkipFirst = 4;    ///< while it is not, at first
  static constexpr std::size_t kMostExtra = 64;

  enum class Reach : std::uint8_t { unknown, no, yes };
  struct Packet {
    Instant sent{};
    std::uint32_t sequence = 0;
    std::uint32_t reflector_sequence = 0;
    std::uint64_t reflected = 0;
    bool answered = false;
    Reach reach = Reach::unknown;  ///< by receipts
  };
  /// The end of what was judged.
  struct Anchor {
    std::uint32_t sequence = 0;
    std::uint32_t reflector_sequence = 0;  ///< the highest until then
  };

  [[nodiscard]] Packet* find(std::uint32_t sequence);
  void take_receipts(const Receipts& receipts);
  void note_order(const StreamReply& reply);
  void note_extra(std::uint32_t reflector_sequence);
  void try_to_close(Instant now, SettledPackets& settled);
  /// `highest`: the reflector's number at the end of the window; nothing: its numbers say nothing of this window.
  void close(std::optional<std::uint32_t> highest, Instant now, SettledPackets& settled);
  void count_window(std::optional<std::uint32_t> highest, Instant now, SettledPackets& settled);
  struct Unanswered {
    std::int64_t unknown = 0;  ///< nothing says whether they reached the reflector
    std::int64_t reached = 0;
    std::int64_t not_reached = 0;
  };
  [[nodiscard]] Unanswered unanswered() const;
  void count_unresolved(SettledPackets& settled) const;
  /// One loss.
  struct Held {
    Instant until{};
    std::optional<Instant> sent;  ///< nothing: any of several
  };
  /// Takes at most `most`, the newest first, and returns how many; calls each(held) for them.
  template <typename Each>
  static std::int64_t take(std::vector<Held>& held, std::int64_t most, const Each& each);
  void release_held(Instant now, SettledPackets& settled);
  [[nodiscard]] std::int64_t missing_replies(std::uint32_t highest) const;
  [[nodiscard]] std::int64_t seen_beside(std::uint32_t highest) const;
  [[nodiscard]] std::uint64_t overtaken() const;
  void learn_mode(std::uint32_t highest);
  void give_up(Instant now, SettledPackets& settled);
  void drop_open();
  void ask_mode();

  Duration timeout_;
  std::vector<Packet> packets_;  ///< by number; the first open_ of them wait for the end of their window only
  std::size_t open_ = 0;
  std::optional<Anchor> anchor_;
  std::optional<std::uint32_t> judged_number_;  ///< of the reflector, of the last anchor there was
  std::vector<std::uint32_t> extra_;          ///< numbers of replies that were seen and are no first reply of a packet
  std::optional<std::uint32_t> next_number_;  ///< RFC 4737's NextExp of replies on their way back
  struct Epoch {
    std::uint32_t number = 0;
    std::uint32_t first = 0;  ///< the highest sequence number of its first receipts
  };
  std::optional<Epoch> epoch_;
  std::vector<Held> held_;    ///< losses forward by the numbers of their window alone, oldest first
  std::vector<Held> excess_;  ///< missing replies beyond the losses of their window
  OnewayCounts noted_;        ///< to be handed over by the next settle()
  ReflectorMode mode_ = ReflectorMode::unknown;
  std::uint32_t skip_in_ = 1;  ///< packets until a number should be left out
  std::uint32_t skip_apart_ = kSkipFirst;
};

}  // namespace ecmp::stamp
