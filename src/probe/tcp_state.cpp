#include "probe/tcp_state.hpp"

#include <algorithm>

namespace ecmp {
namespace {

/// Whether a SYN-ACK that is so much later than usual may have been sent again. Timers are a little late and hardly
/// ever early; the way may have got somewhat longer meanwhile.
bool fits_a_timer(Duration excess) {
  constexpr Duration kFirst = std::chrono::seconds(1);
  constexpr Duration kLast = std::chrono::seconds(63);
  for (Duration timer = kFirst; timer <= kLast; timer = 2 * timer + kFirst)
    if (excess >= timer * 9 / 10 && excess <= timer * 5 / 4) return true;
  return false;
}

}  // namespace

AnswerPace::Verdict AnswerPace::judge(Duration rtt, Duration elsewhere, Duration on_the_way, bool later_fits) {
  const bool compared = usual_ != Duration{} || elsewhere != Duration{};
  const Duration expected = std::max(usual_ != Duration{} ? usual_ : elsewhere, on_the_way);
  const bool by_timer = fits_a_timer(rtt - expected);
  if (by_timer || later_fits) {
    ++late_;
    if (late_ < (compared ? kBelieved : kBelievedAtFirst)) {
      if (!by_timer) return Verdict::later_ones;
      return compared ? Verdict::resent : Verdict::undecided;
    }
    usual_ = rtt;
  }
  late_ = 0;
  constexpr int kSmoothing = 8;  // as RFC 6298 section 2 smooths an RTT
  usual_ = usual_ == Duration{} || rtt < usual_ ? rtt : usual_ + (rtt - usual_) / kSmoothing;
  return Verdict::answer;
}

void ResetWatch::await(std::uint32_t flow, std::uint32_t sequence, const IpAddress& source, Instant now) {
  if (std::ranges::any_of(waiting_,
                          [&](const Reset& reset) { return reset.flow == flow && reset.sequence == sequence; }))
    return;
  if (waiting_.size() >= kMost) waiting_.front().due = now;
  waiting_.push_back({flow, sequence, source, now + kKernelsTime});
}

void ResetWatch::end(std::uint32_t flow, std::uint32_t sequence, const IpAddress& source, Instant now) {
  // Those that wait are due later. Beyond twice as many the listeners' own timers have to do.
  if (waiting_.size() < 2 * kMost) waiting_.push_front({flow, sequence, source, now});
}

void ResetWatch::hurry(std::uint32_t flow, Instant now) {
  const Instant latest = now + kKernelsTime - kCaptureTime;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (waiting_[i].flow != flow || waiting_[i].due > latest || waiting_[i].due <= now) continue;
    Reset reset = waiting_[i];
    reset.due = now;
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    waiting_.push_front(reset);
  }
}

void ResetWatch::seen(std::uint32_t flow, std::uint32_t sequence) {
  std::erase_if(waiting_, [&](const Reset& reset) { return reset.flow == flow && reset.sequence == sequence; });
}

void ResetWatch::forget(std::uint32_t first, std::uint32_t count) {
  std::erase_if(waiting_, [&](const Reset& reset) { return reset.flow - first < count; });
}

Instant ResetWatch::next_due() const {
  return waiting_.empty() ? Instant::max() : waiting_.front().due;
}

std::optional<ResetWatch::Reset> ResetWatch::take(Instant now) {
  if (waiting_.empty() || waiting_.front().due > now) return std::nullopt;
  const Reset reset = waiting_.front();
  waiting_.pop_front();
  return reset;
}

}  // namespace ecmp
