#include "tui/replay_course.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <map>
#include <utility>

#include "tui/live_view.hpp"

namespace ecmp::tui {
namespace {

constexpr unsigned kFastest = 4096;
/// The long step is such a part of the whole.
constexpr int kLongSteps = 20;
constexpr Duration kLeastStep = std::chrono::milliseconds(1);

WallTime finished(const RoundRecord& record) {
  return record.wall(record.round.finished);
}

}  // namespace

ReplayCourse::ReplayCourse(Records records) : records_(std::move(records)) {
  begin_ = records_.front()->wall(records_.front()->round.started);
  first_ = finished(*records_.front());
  at_ = last_ = finished(*records_.back());
  step_ = records_.back()->destination->interval;
  if (step_ <= Duration{}) {
    // Lines of JSON do not say it: what the flow with most rounds needed for each of them.
    std::map<std::uint32_t, std::size_t> rounds;
    std::size_t most = 0;
    for (const auto& record : records_)
      most = std::max(most, ++rounds[record->flow_index]);
    step_ = (last_ - begin_) / static_cast<Duration::rep>(std::max<std::size_t>(most, 1));
  }
  step_ = std::max(step_, kLeastStep);
}

void ReplayCourse::act(Action action) {
  const Duration far = std::max(step_, (last_ - first_) / kLongSteps);
  switch (action) {
    case Action::earlier:
      return go(at_ - step_);
    case Action::later:
      return go(at_ + step_);
    case Action::far_earlier:
      return go(at_ - far);
    case Action::far_later:
      return go(at_ + far);
    case Action::oldest:
      return go(first_);
    case Action::newest:
      return go(last_);
    case Action::change_before:
      return go_to_change(false);
    case Action::change_after:
      return go_to_change(true);
    case Action::slower:
      speed_ = std::max(speed_ / 2, 1u);
      return;
    case Action::faster:
      speed_ = std::min(speed_ * 2, kFastest);
      return;
    case Action::pause:
      playing_ = !playing_;
      // At the end there is nothing to play.
      if (playing_ && at_ >= last_) at_ = first_;
      return;
    case Action::reset:
      base_ = count_until(at_);
      return;
    default:
      return;
  }
}

void ReplayCourse::go(WallTime at) {
  playing_ = false;
  at_ = std::clamp(at, first_, last_);
}

/// To the confirmed change of a path before or behind the moment; to the end of the course where there is none.
void ReplayCourse::go_to_change(bool later) {
  WallTime found = later ? last_ : first_;
  for (const auto& record : records_) {
    if (record->verdict.changed == ChangeKind::none) continue;
    const WallTime when = finished(*record);
    if (later && when > at_) {
      found = when;
      break;
    }
    if (!later && when < at_) found = when;
  }
  go(found);
}

void ReplayCourse::pass(Duration real) {
  if (!playing_) return;
  at_ += real * static_cast<Duration::rep>(speed_);
  if (at_ < last_) return;
  at_ = last_;
  playing_ = false;
}

std::size_t ReplayCourse::count_until(WallTime at) const {
  const auto end = std::ranges::upper_bound(records_, at, {}, [](const auto& record) { return finished(*record); });
  return static_cast<std::size_t>(end - records_.begin());
}

void ReplayCourse::show(LiveView& view) {
  const std::size_t wanted = count_until(at_);
  if (base_ > wanted) base_ = 0;
  if (wanted < shown_) {
    view.begin_anew();
    shown_ = 0;
  }
  for (; shown_ < wanted; ++shown_) {
    if (shown_ == base_ && base_ != 0) view.count_anew();
    view.take(*records_[shown_]);
  }
  if (shown_ == base_ && base_ != 0) view.count_anew();
  view.set_moment(moment());
}

std::string ReplayCourse::moment() const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at_);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss time(seconds - day);
  std::string text = fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC", static_cast<int>(date.year()),
                                 static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                                 time.hours().count(), time.minutes().count(), time.seconds().count());
  if (playing_) text += fmt::format(" >{}x", speed_);
  return text;
}

}  // namespace ecmp::tui
