#include "probe/limit_pattern.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace ecmp {
namespace {

/// A token bucket, or a counter that is set back every second.
struct Limit {
  double rate = 0;   ///< errors a second
  double burst = 0;  ///< errors at once; of a counter the same as `rate`
  bool counter = false;
};

constexpr std::array kLimits{
    Limit{1, 6},           Limit{10, 6},           // Linux, IPv4 and IPv6
    Limit{4, 6},           Limit{16, 6},           // Linux before 2026, IPv6, by prefix
    Limit{1, 1},           Limit{2, 1},            // Junos, IOS
    Limit{10, 10},         Limit{10, 100},         // IOS for IPv6 and Comware, SR OS
    Limit{100, 100, true}, Limit{200, 200, true},  // NetBSD, OpenBSD, KAME, FASTPATH; FreeBSD
    Limit{150, 150},       Limit{500, 500},        // ICX, Junos
    Limit{1000, 50}                                // Linux for all peers, gVisor
};

/// Log-likelihood that one of these has to be ahead of loss. They are compared at every silence of a trace, in all
/// variants, and few probes fit one of them by chance.
constexpr double kMargin = 10;

/// How much of a bucket others, or an earlier trace, have left; and where the second of a counter begins. Of an empty
/// one, 0, the first token comes when the first answer does.
constexpr std::array kFills{1.0, 0.75, 0.5, 0.25, 0.0};
/// A token comes a little earlier or later than predicted.
constexpr double kSlack = 0.1;
constexpr double kMiss = 0.02;

double seconds(Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

/// What a limit does to a probe.
enum class Prediction : std::uint8_t { answered, suppressed, either };

/// In the order of sending.
std::vector<Prediction> predicted(const Limit& limit, double fill, std::span<const AskedProbe> probes) {
  std::vector<Prediction> answers;
  answers.reserve(probes.size());
  double tokens = limit.counter ? limit.burst : fill * limit.burst;
  if (fill == 0 && !limit.counter) {
    const auto first = std::ranges::find(probes, true, &AskedProbe::answered);
    tokens = std::max(0.0, 1 - limit.rate * seconds(first->sent - probes.front().sent));
  }
  double window = -fill;  // of a counter: seconds from the first probe to the begin of its second
  Instant before = probes.front().sent;
  for (const AskedProbe& probe : probes) {
    if (limit.counter) {
      const double at = seconds(probe.sent - probes.front().sent);
      if (at >= window + 1) {
        window += std::floor(at - window);
        tokens = limit.burst;
      }
    } else {
      tokens = std::min(limit.burst, tokens + limit.rate * seconds(probe.sent - before));
    }
    before = probe.sent;
    const bool either = !limit.counter && std::abs(tokens - 1) < kSlack;
    answers.push_back(either ? Prediction::either : tokens >= 1 ? Prediction::answered : Prediction::suppressed);
    if (either ? probe.answered : tokens >= 1) tokens -= 1;
  }
  return answers;
}

/// Log-likelihood of losing `lost` of `all` at a chance that is estimated from just these.
double likelihood_of_loss(double lost, double all) {
  const double chance = (lost + 0.5) / (all + 1);
  return lost * std::log(chance) + (all - lost) * std::log(1 - chance);
}

/// Of a limit, with loss on top of it.
double likelihood(const std::vector<Prediction>& answers, std::span<const AskedProbe> probes) {
  double let_through = 0;
  double lost = 0;
  double sum = 0;
  for (std::size_t i = 0; i < probes.size(); ++i) {
    switch (answers[i]) {
      case Prediction::answered:
        let_through += 1;
        lost += probes[i].answered ? 0 : 1;
        break;
      case Prediction::suppressed:
        sum += std::log(probes[i].answered ? kMiss : 1 - kMiss);
        break;
      case Prediction::either:
        sum += std::log(0.5);
        break;
    }
  }
  return sum + likelihood_of_loss(lost, let_through);
}

}  // namespace

bool limit_explains(std::span<const AskedProbe> probes) {
  std::vector<AskedProbe> sorted(probes.begin(), probes.end());
  std::ranges::sort(sorted, {}, &AskedProbe::sent);
  const auto lost = std::ranges::count(sorted, false, &AskedProbe::answered);
  if (lost == 0 || lost == std::ssize(sorted)) return false;  // no limit by default answers nobody
  const double by_loss = likelihood_of_loss(static_cast<double>(lost), static_cast<double>(sorted.size()));
  return std::ranges::any_of(kLimits, [&](const Limit& limit) {
    return std::ranges::any_of(
        kFills, [&](double fill) { return likelihood(predicted(limit, fill, sorted), sorted) > by_loss + kMargin; });
  });
}

}  // namespace ecmp
