#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "path/model/path_content.hpp"
#include "path/model/sticky.hpp"
#include "probe/round.hpp"

namespace ecmp {

/// A responder at a TTL.
struct Sight {
  std::size_t ttl = 0;
  IpAddress responder;
};

/// What a round did to the view of its flow. Made to be used again and again without allocating.
struct ViewStep {
  enum class Change : std::uint8_t {
    none,        ///< nothing, or the view learned what it had not known
    switched,    ///< another path, confirmed
    per_packet,  ///< the flow turned out to alternate
  };
  bool moved = false;  ///< the view is not what it was
  Change change = Change::none;
  // Of a switch: the first hop that differs; of a balancer: the first hop that alternates, and two of its responders.
  // TTL 0, and unspecified responders, where there is none to compare.
  std::size_t ttl = 0;
  IpAddress before;
  IpAddress after;
  Instant first_seen;        ///< of a switch: start of the round in which the new one answered first
  std::vector<Sight> heard;  ///< who answered that was not the known responder of its slot
  std::vector<Sight> left;   ///< whom the flow used before the switch and does not use now

  void clear();
};

/// Where one flow goes, as its answers told so far: a responder a slot (a slot is a TTL), and the distance. Silence
/// changes nothing, a different answer only when it has been confirmed, and then the whole view switches at once, so
/// that no mixture of the old and the new path appears that never existed.
class FlowView {
 public:
  struct Rules {
    std::uint32_t confirm_rounds = 2;
    Duration memory{};  ///< a candidate not heard again for so long is no evidence any more
  };

  struct Slot {
    Sticky<IpAddress> responder;
    std::uint32_t losses = 0;  ///< counted while nobody is known here
    std::uint32_t silences = 0;
    std::uint8_t quiet = 0;   ///< rounds in which nobody known here has kept silent, though later hops answered
    bool by_refusal = false;  ///< known only from a refusal: the first real answer replaces it, which is no change
  };

  /// The quick way for the usual round: true if every answer is what the view says. If not, call follow().
  bool agrees(const Round& round);

  void follow(const Round& round, const Rules& rules, ViewStep& step);

  /// Where the destination stands while nobody knows: its answers are limited, so that flows are asked for it in turn,
  /// and this one's turn has not come. It is taken to be where it was, or where other flows reach it, until a round
  /// that asks loses it. Returns whether that makes another path of the view.
  bool presume(const Round& round);
  /// content() ends at such a place.
  [[nodiscard]] bool ends_presumed() const { return !distance_.known() && presumed_ > length(); }

  /// Whether it may be about to change: somebody else was heard, `rules.memory` ago at most, and nothing has confirmed
  /// or refuted it since.
  [[nodiscard]] bool in_doubt(Instant now, const Rules& rules) const { return unsettled(now - rules.memory); }

  /// Slots of the path: the distance, or the last slot with a responder if the destination was never reached.
  [[nodiscard]] std::size_t length() const;
  /// 0 while the destination has not been reached.
  [[nodiscard]] std::size_t distance() const { return distance_.value(); }
  /// `destination` stands at a presumed end.
  [[nodiscard]] PathContent content(const IpAddress& destination) const;
  /// nullptr if nobody answered at this TTL or beyond it.
  [[nodiscard]] const Slot* slot(std::size_t ttl) const;
  /// The same to count on; makes the slot.
  Slot& tally(std::size_t ttl);

  /// Whether the flow goes over this responder, as far as known; a candidate counts as well as what it would replace.
  [[nodiscard]] bool uses(std::size_t ttl, const IpAddress& responder) const;
  /// Whether its newest answer at this TTL, not older than `since`, came from this responder.
  [[nodiscard]] bool seen_since(std::size_t ttl, const IpAddress& responder, Instant since) const;

 private:
  /// Behind a per-packet balancer the next hops vary too. They need so many answers in a row for a change: by then one
  /// that varies has been found out.
  static constexpr std::uint32_t kConfirmBehindBalancer = 8;

  [[nodiscard]] std::size_t range() const { return distance_.known() ? distance_.value() : slots_.size(); }
  [[nodiscard]] bool any_balanced() const;
  bool hear(const Round& round, ViewStep& step);
  bool hear_distance(const Round& round, ViewStep& step);
  void balance(ViewStep& step);
  void fill(const Round& round, bool unsettled, ViewStep& step);
  void complete(const Round& round, bool unsettled, ViewStep& step);
  [[nodiscard]] bool unsettled(Instant not_older) const;
  [[nodiscard]] bool confirmed(std::uint32_t confirm_rounds, Instant not_older) const;
  void switch_over(Instant not_older, ViewStep& step);
  void switch_slot(std::size_t index, Instant episode, Instant not_older, ViewStep& step);
  void set_distance(std::uint8_t distance, Instant at);
  static void clear(Slot& slot) { slot = Slot(); }

  std::vector<Slot> slots_;  ///< TTL 1 first; behind the distance: what answered last, for the day when it moves
  Sticky<std::uint8_t> distance_;
  std::uint8_t presumed_ = 0;  ///< see presume()
  bool lost_ = false;          ///< a round that asked the destination lost it, while no distance was known
};

}  // namespace ecmp
