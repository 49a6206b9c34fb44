#include "stamp/oneway_loss.hpp"

#include <algorithm>
#include <utility>

namespace ecmp::stamp {
namespace {

/// a - b of serial numbers.
std::int32_t distance(std::uint32_t a, std::uint32_t b) {
  return static_cast<std::int32_t>(a - b);
}

constexpr std::uint32_t kBits = 64;

}  // namespace

OnewayCounts& OnewayCounts::operator+=(const OnewayCounts& other) {
  resolved += other.resolved;
  forward += other.forward;
  reverse += other.reverse;
  round_trips += other.round_trips;
  unresolved += other.unresolved;
  reordered_forward += other.reordered_forward;
  reordered_reverse += other.reordered_reverse;
  restarts += other.restarts;
  return *this;
}

OnewayCounts& OnewayCounts::operator-=(const OnewayCounts& other) {
  resolved -= other.resolved;
  forward -= other.forward;
  reverse -= other.reverse;
  round_trips -= other.round_trips;
  unresolved -= other.unresolved;
  reordered_forward -= other.reordered_forward;
  reordered_reverse -= other.reordered_reverse;
  restarts -= other.restarts;
  return *this;
}

void OnewayLoss::sent(std::uint32_t sequence, Instant at) {
  packets_.push_back({.sent = at, .sequence = sequence});
  if (skip_in_ > 0) --skip_in_;
}

void OnewayLoss::set_sent(std::uint32_t sequence, Instant at) {
  if (Packet* const packet = find(sequence)) packet->sent = at;
}

std::optional<Instant> OnewayLoss::sent_at(std::uint32_t sequence) const {
  const auto found = std::ranges::find(packets_, sequence, &Packet::sequence);
  return found == packets_.end() ? std::nullopt : std::optional(found->sent);
}

void OnewayLoss::unsent(std::uint32_t sequence) {
  const auto found = std::ranges::find(packets_, sequence, &Packet::sequence);
  if (found == packets_.end()) return;
  if (std::cmp_less(found - packets_.begin(), open_)) --open_;
  packets_.erase(found);
}

OnewayLoss::Packet* OnewayLoss::find(std::uint32_t sequence) {
  const auto found = std::ranges::find(packets_, sequence, &Packet::sequence);
  return found == packets_.end() ? nullptr : &*found;
}

void OnewayLoss::take_receipts(const Receipts& receipts) {
  // What it received before it began to count must not look as if it had not arrived.
  if (!epoch_ || epoch_->number != receipts.epoch) epoch_ = Epoch{receipts.epoch, receipts.highest};
  for (Packet& packet : packets_) {
    const std::int32_t behind = distance(receipts.highest, packet.sequence);
    if (behind < 0 || std::cmp_greater_equal(behind, kBits)) continue;
    if ((receipts.bitmap >> behind & 1) != 0) {
      packet.reach = Reach::yes;
    } else if (packet.reach == Reach::unknown && distance(packet.sequence, epoch_->first) > 0) {
      packet.reach = Reach::no;
    }
  }
}

/// Replies against the order of the reflector: RFC 4737 section 3.3, with its numbers in place of the sender's.
void OnewayLoss::note_order(const StreamReply& reply) {
  if (mode_ != ReflectorMode::stateful) return;
  const std::uint32_t number = reply.reflector_sequence;
  // What lies below all that was judged is a restart.
  if (next_number_ && anchor_ && distance(number, *next_number_) < 0 &&
      distance(number, anchor_->reflector_sequence) > 0) {
    ++noted_.reordered_reverse;
    return;
  }
  next_number_ = number + 1;
}

void OnewayLoss::note_extra(std::uint32_t reflector_sequence) {
  if (std::ranges::find(extra_, reflector_sequence) != extra_.end()) return;
  if (extra_.size() >= kMostExtra) extra_.erase(extra_.begin());
  extra_.push_back(reflector_sequence);
}

ReplyFate OnewayLoss::reply(const StreamReply& reply, Instant at) {
  if (reply.receipts) take_receipts(*reply.receipts);
  Packet* const packet = find(reply.sender_sequence);
  if (packet == nullptr) return ReplyFate::unknown;
  if (packet->answered) {
    if (packet->reflector_sequence == reply.reflector_sequence && packet->reflected == reply.reflected)
      return ReplyFate::duplicate_reverse;
    if (packet->reflector_sequence != reply.reflector_sequence) note_extra(reply.reflector_sequence);
    return ReplyFate::duplicate_forward;
  }
  if (at - packet->sent > timeout_) return ReplyFate::late;
  packet->answered = true;
  packet->reach = Reach::yes;
  packet->reflector_sequence = reply.reflector_sequence;
  packet->reflected = reply.reflected;
  note_order(reply);
  return ReplyFate::first;
}

void OnewayLoss::foreign_reply(std::uint32_t reflector_sequence) {
  note_extra(reflector_sequence);
}

void OnewayLoss::forget() {
  packets_.clear();
  open_ = 0;
  anchor_.reset();
  extra_.clear();
  excess_.clear();
  next_number_.reset();
  judged_number_.reset();
}

/// More often while the mode is not known, and less often each time that this shows nothing: a reflector takes a number
/// that was left out for a loss.
void OnewayLoss::skipped() {
  skip_in_ = mode_ == ReflectorMode::unknown ? skip_apart_ : kSkipEvery;
  skip_apart_ = std::min(2 * skip_apart_, kSkipEvery);
}

void OnewayLoss::ask_mode() {
  mode_ = ReflectorMode::unknown;
  skip_in_ = std::min<std::uint32_t>(skip_in_, 1);
  skip_apart_ = kSkipFirst;
}

Instant OnewayLoss::next_settle() const {
  const Instant held = held_.empty() ? Instant::max() : held_.front().until;
  return open_ < packets_.size() ? std::min(held, packets_[open_].sent + timeout_) : held;
}

void OnewayLoss::settle(Instant now, SettledPackets& settled) {
  settled.packets.clear();
  settled.counts = std::exchange(noted_, {});
  // Strictly: a reply of this very moment is not late.
  while (open_ < packets_.size() && packets_[open_].sent + timeout_ < now) {
    const Instant at = packets_[open_].sent + timeout_;
    ++open_;
    if (packets_[open_ - 1].answered) try_to_close(at, settled);
    if (open_ >= kLongestGap) give_up(at, settled);
  }
  release_held(now, settled);
}

/// Closes the window at its last packet, which is answered, unless a later packet overtook one of it.
void OnewayLoss::try_to_close(Instant now, SettledPackets& settled) {
  const Packet& last = packets_[open_ - 1];
  if (!anchor_) {
    // One that others overtook on the way there has a number that is no beginning: those of the others lie below it.
    const auto overtook = [&](const Packet& later) {
      return later.answered && distance(later.reflector_sequence, last.reflector_sequence) < 0;
    };
    if (std::any_of(packets_.begin() + static_cast<std::ptrdiff_t>(open_), packets_.end(), overtook)) return;
    // After an outage. A reflector that went on counting would be further by now.
    if (judged_number_ && distance(last.reflector_sequence, *judged_number_) < 0) ++settled.counts.restarts;
    return close(std::nullopt, now, settled);
  }
  if (const std::int32_t further = distance(last.reflector_sequence, anchor_->reflector_sequence); further <= 0) {
    // The same number again: it counts nothing, or a session is over for it before the next packet comes.
    if (further < 0) ++settled.counts.restarts;
    ask_mode();
    return close(std::nullopt, now, settled);
  }
  std::uint32_t highest = anchor_->reflector_sequence;
  for (std::size_t i = 0; i < open_; ++i)
    if (packets_[i].answered && distance(packets_[i].reflector_sequence, highest) > 0)
      highest = packets_[i].reflector_sequence;
  for (std::size_t i = open_; i < packets_.size(); ++i) {
    const Packet& later = packets_[i];
    if (later.answered && distance(later.reflector_sequence, anchor_->reflector_sequence) > 0 &&
        distance(later.reflector_sequence, highest) < 0)
      return;
  }
  learn_mode(highest);
  close(highest, now, settled);
}

/// Numbers were left out in this window if it holds fewer packets than numbers.
void OnewayLoss::learn_mode(std::uint32_t highest) {
  const std::int64_t numbers = distance(packets_[open_ - 1].sequence, anchor_->sequence);
  const std::int64_t counted = distance(highest, anchor_->reflector_sequence) - seen_beside(highest);
  if (numbers <= static_cast<std::int64_t>(open_)) return;
  if (counted < numbers) {
    mode_ = ReflectorMode::stateful;
  } else if (counted > numbers || mode_ == ReflectorMode::stateful) {
    ask_mode();  // others share its numbers, or a doubled packet hides that a number was left out
  } else {
    mode_ = ReflectorMode::stateless;
  }
}

/// Numbers up to `highest` that were seen, of no first reply.
std::int64_t OnewayLoss::seen_beside(std::uint32_t highest) const {
  return std::ranges::count_if(extra_, [&](std::uint32_t number) {
    return distance(number, anchor_->reflector_sequence) > 0 && distance(number, highest) <= 0;
  });
}

/// Of the numbers up to `highest`, those that no reply was seen with.
std::int64_t OnewayLoss::missing_replies(std::uint32_t highest) const {
  const std::int64_t answered = std::count_if(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(open_),
                                              [](const Packet& packet) { return packet.answered; });
  return distance(highest, anchor_->reflector_sequence) - seen_beside(highest) - answered;
}

OnewayLoss::Unanswered OnewayLoss::unanswered() const {
  Unanswered sums;
  for (std::size_t i = 0; i < open_; ++i) {
    if (packets_[i].answered) continue;
    const Reach reach = packets_[i].reach;
    ++(reach == Reach::yes ? sums.reached : reach == Reach::no ? sums.not_reached : sums.unknown);
  }
  return sums;
}

template <typename Each>
std::int64_t OnewayLoss::take(std::vector<Held>& held, std::int64_t most, const Each& each) {
  std::int64_t taken = 0;
  for (; !held.empty() && taken < most; ++taken) {
    each(held.back());
    held.pop_back();
  }
  return taken;
}

void OnewayLoss::count_window(std::optional<std::uint32_t> highest, Instant now, SettledPackets& settled) {
  OnewayCounts& counts = settled.counts;
  const auto [unknown, reached, not_reached] = unanswered();
  const bool numbered = highest && mode_ == ReflectorMode::stateful;
  std::int64_t back = numbered ? missing_replies(*highest) - reached : 0;
  if (numbered && back > unknown) {
    const std::int64_t moved = take(held_, back - unknown, [&](const Held& held) {
      if (held.sent) settled.packets.push_back({*held.sent, PacketFate::lost_reverse});
    });
    counts.resolved += static_cast<std::uint64_t>(moved);
    counts.reverse += static_cast<std::uint64_t>(moved);
    back -= moved;
    for (std::int64_t i = unknown; i < back; ++i)
      excess_.push_back({now + timeout_, std::nullopt});
  } else if (numbered && back >= 0 && back < unknown) {
    back += take(excess_, unknown - back, [](const Held&) {});
  }
  const bool by_numbers = numbered && back >= 0 && back <= unknown;
  if (!by_numbers && (unknown != 0 || (!epoch_ && !numbered))) return count_unresolved(settled);
  const std::int64_t forward = by_numbers ? unknown - back : 0;
  counts.resolved += open_ - static_cast<std::uint64_t>(forward);
  counts.reverse += static_cast<std::uint64_t>(reached + (by_numbers ? back : 0));
  counts.forward += static_cast<std::uint64_t>(not_reached);
  const bool both = forward > 0 && forward < unknown;
  for (std::size_t i = 0; i < open_; ++i) {
    const Packet& packet = packets_[i];
    if (packet.answered) {
      settled.packets.push_back({packet.sent, PacketFate::returned});
    } else if (packet.reach == Reach::unknown) {
      if (forward == 0 || both)
        settled.packets.push_back({packet.sent, both ? PacketFate::lost_anywhere : PacketFate::lost_reverse});
      if (forward > 0 && !both) held_.push_back({now + timeout_, packet.sent});
    } else {
      settled.packets.push_back(
          {packet.sent, packet.reach == Reach::yes ? PacketFate::lost_reverse : PacketFate::lost_forward});
    }
  }
  for (std::int64_t i = 0; both && i < forward; ++i)
    held_.push_back({now + timeout_, std::nullopt});
}

void OnewayLoss::count_unresolved(SettledPackets& settled) const {
  settled.counts.round_trips += open_;
  for (std::size_t i = 0; i < open_; ++i) {
    const bool answered = packets_[i].answered;
    if (!answered) ++settled.counts.unresolved;
    settled.packets.push_back({packets_[i].sent, answered ? PacketFate::round_trip : PacketFate::lost_anywhere});
  }
}

void OnewayLoss::release_held(Instant now, SettledPackets& settled) {
  const auto waits = std::ranges::find_if(held_, [&](const Held& held) { return held.until >= now; });
  for (auto held = held_.begin(); held != waits; ++held) {
    ++settled.counts.resolved;
    ++settled.counts.forward;
    if (held->sent) settled.packets.push_back({*held->sent, PacketFate::lost_forward});
  }
  held_.erase(held_.begin(), waits);
  std::erase_if(excess_, [&](const Held& excess) { return excess.until < now; });
}

/// RFC 4737 section 3.3 in the direction to the reflector, of a window's packets: one is reordered that arrived after a
/// later one. Their numbers at the reflector show the order.
std::uint64_t OnewayLoss::overtaken() const {
  std::uint64_t count = 0;
  std::optional<std::uint32_t> lowest;
  for (std::size_t i = open_; i-- > 0;) {
    const Packet& packet = packets_[i];
    if (!packet.answered) continue;
    if (lowest && distance(*lowest, packet.reflector_sequence) < 0) {
      ++count;
    } else {
      lowest = packet.reflector_sequence;
    }
  }
  return count;
}

void OnewayLoss::close(std::optional<std::uint32_t> highest, Instant now, SettledPackets& settled) {
  const Packet last = packets_[open_ - 1];
  if (highest && mode_ == ReflectorMode::stateful) settled.counts.reordered_forward += overtaken();
  count_window(highest, now, settled);
  anchor_ = Anchor{last.sequence, highest.value_or(last.reflector_sequence)};
  judged_number_ = anchor_->reflector_sequence;
  std::erase_if(extra_, [&](std::uint32_t number) { return distance(number, anchor_->reflector_sequence) <= 0; });
  drop_open();
}

void OnewayLoss::drop_open() {
  packets_.erase(packets_.begin(), packets_.begin() + static_cast<std::ptrdiff_t>(open_));
  open_ = 0;
}

/// Nothing was answered for long, or the order never settled.
void OnewayLoss::give_up(Instant now, SettledPackets& settled) {
  count_window(std::nullopt, now, settled);
  anchor_.reset();
  ask_mode();  // who answers next may be another one
  drop_open();
}

}  // namespace ecmp::stamp
