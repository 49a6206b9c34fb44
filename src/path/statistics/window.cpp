#include "path/statistics/window.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace ecmp {
namespace {

/// Part numbers count up and start again after 2^30 parts; what lies more than half of that ahead lies behind.
bool later(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t ahead = (a - b) & WindowScale::kPartMask;
  return ahead != 0 && ahead <= WindowScale::kPartMask / 2;
}

bool live(std::uint32_t number, std::uint32_t now) {
  return !later(now, number) || ((now - number) & WindowScale::kPartMask) < WindowScale::kParts;
}

}  // namespace

Window::Item Window::item(std::size_t at) const {
  const std::uint32_t count = short_count(at);
  if (what(at) == kPart) return {kPart, count, at + kHead};
  return count < kLongCount ? Item{what(at), count, at + 1} : Item{what(at), long_count(at + 1), at + 3};
}

void Window::set_long_count(std::size_t at, std::uint32_t count) {
  words_[at] = static_cast<std::uint16_t>(count);
  words_[at + 1] = static_cast<std::uint16_t>(count >> 16);
}

Window::Part Window::next_part(const Part& part) const {
  std::size_t at = part.head + kHead;
  while (at < words_.size() && what(at) != kPart)
    at = item(at).next;
  return {at, at < words_.size() ? (part.number + short_count(at)) & WindowScale::kPartMask : part.number};
}

Window::Part Window::first_live(std::uint32_t part) const {
  Part first{0, first_number_};
  while (first.head < words_.size() && !live(first.number, part))
    first = next_part(first);
  return first;
}

bool Window::has_aged(std::uint32_t part) const {
  return !words_.empty() && !live(first_number_, part);
}

void Window::drop_aged(std::uint32_t part) {
  const Part first = first_live(part);
  if (first.head == 0) return;
  newest_ = first.head == words_.size() ? 0 : newest_ - static_cast<std::uint32_t>(first.head);
  words_.replace(0, first.head, {});
  first_number_ = first.number;
  ECMP_CHECK(newest_ <= words_.size());
}

void Window::enter_other(std::uint32_t part) {
  if (!words_.empty() && !later(part, newest_number_)) return;
  drop_aged(part);
  ECMP_CHECK(words_.empty() || live(first_number_, part));
  // Whatever is left belongs to the window: the parts in between are fewer than there are in one.
  const std::uint32_t behind = words_.empty() ? 0 : (part - newest_number_) & WindowScale::kPartMask;
  if (words_.empty()) first_number_ = part;
  newest_ = static_cast<std::uint32_t>(words_.size());
  newest_number_ = part;
  words_.push_back(static_cast<std::uint16_t>(kPart << kCountBits | behind));
  words_.push_back(0);
  words_.push_back(0);
  set_long_count(newest_ + 1, kNoRtt);
}

void Window::add(std::uint32_t part, std::uint32_t counted, std::uint32_t count) {
  enter(part);
  const std::size_t size = words_.size();
  std::size_t at = newest_ + kHead;
  while (at < size && what(at) != counted)
    at += short_count(at) < kLongCount ? 1u : 3u;
  ECMP_CHECK(at <= size);
  if (at < size && count == 1 && short_count(at) + 1 < kLongCount) {
    ++words_[at];
    return;
  }
  if (at == size) words_.push_back(static_cast<std::uint16_t>(counted << kCountBits));
  const std::uint32_t before = item(at).count;
  const std::uint32_t sum = before + std::min(count, UINT32_MAX - before);
  if (sum < kLongCount) {
    words_[at] = static_cast<std::uint16_t>(counted << kCountBits | sum);
    return;
  }
  if (short_count(at) < kLongCount) {
    constexpr std::array<std::uint16_t, 2> kRoom{};
    words_.replace(at + 1, 0, kRoom);
    words_[at] = static_cast<std::uint16_t>(counted << kCountBits | kLongCount);
  }
  set_long_count(at + 1, sum);
}

void Window::note_least(std::uint32_t nanoseconds) {
  set_long_count(newest_ + 1, std::min(long_count(newest_ + 1), nanoseconds));
}

void Window::reply(std::uint32_t part, Duration rtt, std::uint32_t key) {
  add(part, kRtt + key, 1);
  note_least(static_cast<std::uint32_t>(std::clamp<std::int64_t>(rtt.count(), 0, kNoRtt - 1)));
}

void Window::merge(const Window& other) {
  Window merged;
  const auto take = [&merged](const Window& from, const Part& part) {
    merged.enter(part.number);
    merged.note_least(from.long_count(part.head + 1));
    const Part next = from.next_part(part);
    for (std::size_t at = part.head + kHead; at < next.head; at = from.item(at).next)
      merged.add(part.number, from.what(at), from.item(at).count);
    return next;
  };
  Part ours{0, first_number_};
  Part theirs{0, other.first_number_};
  while (ours.head < words_.size() || theirs.head < other.words_.size()) {
    const bool take_theirs =
        ours.head == words_.size() || (theirs.head < other.words_.size() && later(ours.number, theirs.number));
    if (take_theirs) {
      theirs = take(other, theirs);
    } else {
      ours = take(*this, ours);
    }
  }
  *this = std::move(merged);
}

WindowCounts Window::counts(std::uint32_t part) const {
  WindowCounts counts;
  std::uint32_t least = kNoRtt;
  for (std::size_t at = first_live(part).head; at < words_.size();) {
    const Item one = item(at);
    if (one.what == kPart) {
      least = std::min(least, long_count(at + 1));
    } else if (one.what < kJitter) {
      counts.rtts.add(one.what, one.count);
    } else if (one.what < kLoss) {
      counts.jitters.add(one.what - kJitter, one.count);
    } else {
      (one.what == kLoss ? counts.losses : counts.silences) += one.count;
    }
    at = one.next;
  }
  if (least != kNoRtt) counts.least = Duration(least);
  return counts;
}

void VariationWindow::add(std::uint32_t number, Duration rtt, std::uint64_t count) {
  parts_.reserve(WindowScale::kParts + 1);  // as many as there will ever be
  auto at = std::ranges::find_if(parts_, [number](const Part& part) { return !later(number, part.number); });
  if (at == parts_.end() || at->number != number) {
    // The least of the part before is a base that this one will hardly have to lower.
    const Duration base = at != parts_.begin() ? std::min(rtt, std::prev(at)->least) : rtt;
    at = parts_.insert(at, Part{number, base, rtt, {}});
    const std::uint32_t newest = parts_.back().number;
    const auto first = std::ranges::find_if(parts_, [newest](const Part& part) { return live(part.number, newest); });
    const auto gone = first - parts_.begin();
    if (at - parts_.begin() < gone) return;
    const auto place = at - parts_.begin() - gone;
    parts_.erase(parts_.begin(), first);
    at = parts_.begin() + place;
  }
  if (rtt < at->base) lower(*at, rtt);
  at->least = std::min(at->least, rtt);
  at->above.add(log_buckets::key_of(in_seconds(rtt - at->base)), count);
}

void VariationWindow::lower(Part& part, Duration base) {
  Histogram moved;
  const double by = in_seconds(part.base - base);
  part.above.view().each([&](const HistogramView::Bucket& bucket) {
    moved.add(log_buckets::key_of(log_buckets::value_in(bucket.key, 0.5) + by), bucket.count);
  });
  part.above = std::move(moved);
  part.base = base;
}

void VariationWindow::merge(const VariationWindow& other) {
  for (const Part& part : other.parts_) {
    part.above.view().each([&](const HistogramView::Bucket& bucket) {
      add(part.number, part.base + from_seconds(log_buckets::value_in(bucket.key, 0.5)), bucket.count);
    });
  }
}

Quantiles VariationWindow::quantiles(std::uint32_t now) const {
  Duration least = Duration::max();
  for (const Part& part : parts_)
    if (live(part.number, now)) least = std::min(least, part.least);
  KeyCounts counts;
  for (const Part& part : parts_) {
    if (!live(part.number, now)) continue;
    // Each part counts how far RTTs are above the least of its own time: they are moved to the least of all.
    const double shift = in_seconds(part.base - least);
    part.above.view().each([&](const HistogramView::Bucket& bucket) {
      const std::uint32_t key = shift == 0 ? bucket.key  // the usual case, and quicker
                                           : log_buckets::key_of(log_buckets::value_in(bucket.key, 0.5) + shift);
      counts.add(key, static_cast<std::uint32_t>(bucket.count));
    });
  }
  return counts.quantiles({});
}

}  // namespace ecmp
