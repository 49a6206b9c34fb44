#include "path/window.hpp"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

namespace ecmp {
namespace {

Duration from_seconds(double seconds) {
  return Duration(std::llround(seconds * 1e9));
}

/// Part numbers count up and start again after 2^30 parts; what lies more than half of that ahead lies behind.
bool later(std::uint32_t a, std::uint32_t b) {
  const std::uint32_t ahead = (a - b) & WindowScale::kPartMask;
  return ahead != 0 && ahead <= WindowScale::kPartMask / 2;
}

bool live(std::uint32_t number, std::uint32_t now) {
  return !later(now, number) || ((now - number) & WindowScale::kPartMask) < WindowScale::kParts;
}

}  // namespace

Quantiles KeyCounts::quantiles(Duration least) const {
  constexpr std::array kShares = {50u, 95u, 99u};
  std::array<Duration, kShares.size()> found{};
  if (total_ == 0) return {};
  std::uint64_t below = 0;
  std::size_t next = 0;
  for (std::uint32_t key = low_; key <= high_ && next < kShares.size(); ++key) {
    const std::uint32_t count = counts_[key];
    // Nearest rank: the smallest value that at least this share of all does not exceed.
    for (; next < kShares.size(); ++next) {
      const std::uint64_t rank = (total_ * kShares[next] + 99) / 100;
      if (below + count < rank) break;
      const double place = (static_cast<double>(rank - below) - 0.5) / count;
      found[next] = std::max(least, from_seconds(log_buckets::value_in(key, place)));
    }
    below += count;
  }
  return {found[0], found[1], found[2]};
}

std::size_t Window::next_part(std::size_t head) const {
  std::size_t at = head + kHead;
  while (at < words_.size() && kind_of(words_[at]) != Kind::part)
    ++at;
  return at;
}

std::size_t Window::first_live(std::uint32_t part) const {
  std::size_t head = 0;
  while (head < words_.size() && !live(number(head), part))
    head = next_part(head);
  return head;
}

bool Window::has_aged(std::uint32_t part) const {
  return !words_.empty() && !live(number(0), part);
}

void Window::drop_aged(std::uint32_t part) {
  const std::size_t head = first_live(part);
  if (head == 0) return;
  words_.erase(words_.begin(), words_.begin() + static_cast<std::ptrdiff_t>(head));
  newest_ = words_.empty() ? 0 : newest_ - static_cast<std::uint32_t>(head);
}

void Window::push(std::uint32_t word) {
  constexpr std::size_t kStep = 16;  // doubling would waste what the packing saves
  if (words_.size() == words_.capacity()) words_.reserve((words_.size() / kStep + 1) * kStep);
  words_.push_back(word);
}

void Window::enter(std::uint32_t part) {
  if (!words_.empty() && !later(part, number(newest_))) return;
  drop_aged(part);
  newest_ = static_cast<std::uint32_t>(words_.size());
  push((static_cast<std::uint32_t>(Kind::part) << kKindShift) | part);
  push(kNoRtt);
}

void Window::add(std::uint32_t part, Kind kind, std::uint32_t key, std::uint32_t count) {
  enter(part);
  const std::uint32_t masked = (static_cast<std::uint32_t>(kind) << kKindShift) | (key << kKeyShift);
  for (std::size_t at = newest_ + kHead; at < words_.size(); ++at) {
    if ((words_[at] & ~kCountMask) != masked) continue;
    const std::uint32_t room = std::min(count, kCountMask - (words_[at] & kCountMask));
    words_[at] += room;
    count -= room;
    if (count == 0) return;
  }
  push(masked | count);
}

void Window::note_least(std::uint32_t nanoseconds) {
  words_[newest_ + 1] = std::min(words_[newest_ + 1], nanoseconds);
}

void Window::reply(std::uint32_t part, Duration rtt) {
  add(part, Kind::rtt, log_buckets::key_of(in_seconds(rtt)), 1);
  note_least(static_cast<std::uint32_t>(std::clamp<std::int64_t>(rtt.count(), 0, kNoRtt - 1)));
}

void Window::jitter(std::uint32_t part, Duration difference) {
  add(part, Kind::jitter, log_buckets::key_of(in_seconds(difference)), 1);
}

void Window::merge(const Window& other) {
  Window merged;
  const auto take = [&merged](const Window& from, std::size_t head) {
    const std::uint32_t part = from.number(head);
    merged.enter(part);
    merged.note_least(from.words_[head + 1]);
    const std::size_t end = from.next_part(head);
    for (const std::uint32_t word : std::span(from.words_).subspan(head + kHead, end - head - kHead))
      merged.add(part, kind_of(word), (word >> kKeyShift) & 0x3ffu, word & kCountMask);
    return end;
  };
  std::size_t ours = 0;
  std::size_t theirs = 0;
  while (ours < words_.size() || theirs < other.words_.size()) {
    const bool take_theirs =
        ours == words_.size() || (theirs < other.words_.size() && later(number(ours), other.number(theirs)));
    if (take_theirs) {
      theirs = take(other, theirs);
    } else {
      ours = take(*this, ours);
    }
  }
  *this = std::move(merged);
}

WindowFigures Window::figures(std::uint32_t part) const {
  KeyCounts rtts;
  KeyCounts jitters;
  std::array<std::uint64_t, 2> fates{};
  std::uint32_t least = kNoRtt;
  for (std::size_t at = first_live(part); at < words_.size(); ++at) {
    const std::uint32_t word = words_[at];
    const std::uint32_t key = (word >> kKeyShift) & 0x3ffu;
    switch (kind_of(word)) {
      case Kind::rtt:
        rtts.add(key, word & kCountMask);
        break;
      case Kind::jitter:
        jitters.add(key, word & kCountMask);
        break;
      case Kind::fate:
        fates[key] += word & kCountMask;
        break;
      case Kind::part:
        least = std::min(least, words_[++at]);
        break;
    }
  }
  WindowFigures figures;
  figures.rtts = rtts.total();
  figures.jitters = jitters.total();
  figures.losses = fates[kLoss];
  figures.probes = figures.rtts + fates[kLoss] + fates[kSilence];
  figures.least_rtt = Duration(least == kNoRtt ? 0 : least);
  figures.rtt = rtts.quantiles(figures.least_rtt);
  figures.jitter = jitters.quantiles({});
  return figures;
}

void VariationWindow::add(std::uint32_t number, Duration rtt, std::uint64_t count) {
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
