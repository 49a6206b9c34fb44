#include "stamp/session_table.hpp"

#include <algorithm>
#include <bit>

namespace ecmp::stamp {

namespace {

/// Requests after which a session is no longer taken for a part of a flood.
constexpr std::uint32_t kFew = 4;
/// A session that is idle for so long gives way when there is no room.
constexpr Duration kIdle = std::chrono::minutes(1);
/// And is forgotten after so long. Senders of one packet in some minutes keep theirs.
constexpr Duration kGone = std::chrono::minutes(15);
/// Of a call of expire(): a flood that is over is forgotten in many short steps.
constexpr int kAtOnce = 8;

}  // namespace

SessionTable::SessionTable(std::size_t most, const SipKey& secret)
    : secret_(secret), most_(most), buckets_(std::bit_ceil(std::max<std::size_t>(most, 1)), kNone) {}

std::uint32_t& SessionTable::bucket(const SessionKey& key) {
  std::array<std::uint8_t, 38> bytes{};
  std::copy(key.source.bytes().begin(), key.source.bytes().end(), bytes.begin());
  std::copy(key.destination.bytes().begin(), key.destination.bytes().end(), bytes.begin() + 16);
  store16(bytes, 32, key.source_port);
  store16(bytes, 34, key.destination_port);
  store16(bytes, 36, key.ssid);
  return buckets_[siphash(secret_, bytes) & (buckets_.size() - 1)];
}

std::optional<SessionTable::Found> SessionTable::find_or_begin(const SessionKey& key, Instant now) {
  for (std::uint32_t number = bucket(key); number != kNone; number = slots_[number].chain) {
    Slot& slot = slots_[number];
    if (slot.session.key != key) continue;
    take_out(number);
    put_newest(slot.session.requests >= kFew ? settled : fresh, number);
    slot.seen = now;
    return Found{&slot.session, number};
  }
  const auto number = room(now);
  if (!number) return std::nullopt;
  Slot& slot = slots_[*number];
  slot = Slot();
  slot.used = true;
  slot.session.key = key;
  begin_epoch(slot.session);
  slot.seen = now;
  std::uint32_t& head = bucket(key);
  slot.chain = head;
  head = *number;
  put_newest(fresh, *number);
  ++size_;
  return Found{&slot.session, *number};
}

Session* SessionTable::at(std::uint32_t number) {
  return number < slots_.size() && slots_[number].used ? &slots_[number].session : nullptr;
}

void SessionTable::begin_epoch(Session& session) {
  session.own = OwnTlv();
  session.own.epoch = static_cast<std::uint32_t>(siphash(secret_, ++epochs_));
  session.late_in_a_row = 0;
}

/// A free slot, if need be of a session that gives way.
std::optional<std::uint32_t> SessionTable::room(Instant now) {
  if (free_ == kNone && slots_.size() < most_) {
    slots_.emplace_back();
    return static_cast<std::uint32_t>(slots_.size() - 1);
  }
  if (free_ == kNone) {
    const std::uint32_t oldest = oldest_[settled];
    if (oldest != kNone && slots_[oldest].seen + kIdle < now) {
      forget(oldest);
    } else if (oldest_[fresh] != kNone) {
      forget(oldest_[fresh]);
    }
  }
  if (free_ == kNone) return std::nullopt;
  const std::uint32_t number = free_;
  free_ = slots_[number].chain;
  return number;
}

void SessionTable::forget(std::uint32_t number) {
  Slot& slot = slots_[number];
  std::uint32_t* link = &bucket(slot.session.key);
  while (*link != number)
    link = &slots_[*link].chain;
  *link = slot.chain;
  take_out(number);
  slot.used = false;
  slot.chain = free_;
  free_ = number;
  --size_;
}

void SessionTable::expire(Instant now) {
  for (const List list : {fresh, settled})
    for (int i = 0; i < kAtOnce && oldest_[list] != kNone && slots_[oldest_[list]].seen + kGone < now; ++i)
      forget(oldest_[list]);
}

void SessionTable::put_newest(List list, std::uint32_t number) {
  Slot& slot = slots_[number];
  slot.list = list;
  slot.newer = kNone;
  slot.older = newest_[list];
  if (newest_[list] != kNone) slots_[newest_[list]].newer = number;
  newest_[list] = number;
  if (oldest_[list] == kNone) oldest_[list] = number;
}

void SessionTable::take_out(std::uint32_t number) {
  const Slot& slot = slots_[number];
  (slot.newer != kNone ? slots_[slot.newer].older : newest_[slot.list]) = slot.older;
  (slot.older != kNone ? slots_[slot.older].newer : oldest_[slot.list]) = slot.newer;
}

std::size_t SessionTable::memory() const {
  return slots_.capacity() * sizeof(Slot) + buckets_.capacity() * sizeof(std::uint32_t);
}

}  // namespace ecmp::stamp
