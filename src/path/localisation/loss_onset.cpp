#include "path/localisation/loss_onset.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace ecmp {
namespace {

/// Of log-likelihood. The best of many cuts of a steady loss gains so much about once in a hundred courses, and more
/// where it cuts off a short stretch: there are as many places for one as it goes into the course. See cost().
constexpr double kCutGain = 8;
/// A probe or two that are lost after a fault, as anywhere, are no fault of their own.
constexpr std::size_t kLeastLosses = 3;
/// Losses at which a cut is looked for: the cost of a search is the square of it.
constexpr std::size_t kMostPlaces = 80;
constexpr std::size_t kFewStretches = 5;
/// Pauses of a fault, times which nothing must be lost until it is over.
constexpr double kPauses = 3;
/// Losses that a fault would have had since its last one: it is over, or it may be.
constexpr double kOverLosses = 7;
constexpr double kPerhapsOverLosses = 2;
constexpr double kLeastPerBin = 4;
constexpr std::size_t kLeastBins = 5;
constexpr std::size_t kMostBins = 40;

/// A part of the course, by probes; its losses are [first, last) of the course's.
struct Stretch {
  double begin = 0;
  double end = 0;
  std::size_t first = 0;
  std::size_t last = 0;

  [[nodiscard]] double losses() const { return static_cast<double>(last - first); }
  [[nodiscard]] double probes() const { return std::max(end - begin, losses()); }
  [[nodiscard]] double rate() const { return probes() > 0 ? losses() / probes() : 0; }
};

double log_likelihood(const Stretch& of) {
  const double probes = of.probes();
  const double losses = of.losses();
  const double passed = probes - losses;
  double sum = 0;
  if (losses > 0) sum += losses * std::log(losses / probes);
  if (passed > 0) sum += passed * std::log(passed / probes);
  return sum;
}

class Segmentation {
 public:
  explicit Segmentation(const LossCourse& course) : probes_(course.probes()) {
    at_.reserve(course.losses().size());
    for (const double moment : course.losses())
      at_.push_back(course.probes_until(moment));
    place_cuts();
    partition(kCutGain);
    partition_again();
  }

  [[nodiscard]] const std::vector<Stretch>& stretches() const { return stretches_; }
  /// Probes until a loss.
  [[nodiscard]] double until(std::size_t loss) const { return at_[loss]; }

  /// How much more the losses of a stretch vary than chance has it; 1 if they do not, or are too few to say. It is what
  /// a bin has probes at most, which is where each bin loses all or none: what seems to be more is due to when probes
  /// were sent, which is known roughly only, and counts much where nearly all are lost.
  [[nodiscard]] double dispersion(const Stretch& of) const {
    const auto bins = std::min(kMostBins, static_cast<std::size_t>(of.losses() / kLeastPerBin));
    if (bins < kLeastBins) return 1;
    const double width = of.probes() / static_cast<double>(bins);
    const double expected = of.losses() / static_cast<double>(bins);
    std::vector<double> counts(bins);
    for (std::size_t i = of.first; i < of.last; ++i)
      counts[std::min(bins - 1, static_cast<std::size_t>((at_[i] - of.begin) / width))] += 1;
    double squares = 0;
    for (const double count : counts)
      squares += (count - expected) * (count - expected);
    const auto degrees = static_cast<std::uint32_t>(bins - 1);
    const double chi_square = squares / (expected * std::max(1 - of.rate(), 1e-3));
    return chi_square_tail(chi_square, degrees) < 0.01 ? std::clamp(chi_square / degrees, 1.0, std::max(width, 1.0))
                                                       : 1;
  }

  /// Most probes between two losses of a stretch.
  [[nodiscard]] double longest_pause(const Stretch& of) const {
    double longest = 0;
    for (std::size_t i = of.first + 1; i < of.last; ++i)
      longest = std::max(longest, at_[i] - at_[i - 1]);
    return longest;
  }

 private:
  /// Where the course may be cut: by probes, and the losses before it.
  struct Place {
    double at = 0;
    std::size_t losses = 0;
  };

  /// Right before a loss, where the rate grows, and right after one, where it shrinks.
  void place_cuts() {
    places_.push_back({0, 0});
    const std::size_t step = at_.size() / kMostPlaces + 1;
    for (std::size_t i = 0; i < at_.size(); i = i + 1 < at_.size() ? std::min(i + step, at_.size() - 1) : i + 1) {
      places_.push_back(right_before(i));
      places_.push_back(right_after(i));
    }
    places_.push_back({probes_, at_.size()});
  }

  [[nodiscard]] Place right_before(std::size_t loss) const { return {std::max(at_[loss] - 1, 0.0), loss}; }
  [[nodiscard]] Place right_after(std::size_t loss) const { return {at_[loss], loss + 1}; }

  /// Moves each cut to the best place between those that were looked at.
  void refine() {
    const std::size_t step = at_.size() / kMostPlaces + 1;
    for (std::size_t i = 0; step > 1 && i + 1 < stretches_.size(); ++i) {
      Stretch& before = stretches_[i];
      Stretch& after = stretches_[i + 1];
      const Place begin{before.begin, before.first};
      const Place end{after.end, after.last};
      double most = -std::numeric_limits<double>::infinity();
      const std::size_t middle = before.last;
      const auto consider = [&](const Place& place) {
        if (place.at < begin.at || place.at > end.at) return;
        const Stretch one = between(begin, place);
        const Stretch other = between(place, end);
        const double gain = log_likelihood(one) - cost(one) + log_likelihood(other) - cost(other);
        if (gain <= most) return;
        most = gain;
        before = one;
        after = other;
      };
      const std::size_t last = std::min(end.losses, middle + step);
      for (std::size_t loss = std::max(begin.losses, middle - std::min(middle, step)); loss < last; ++loss) {
        consider(right_before(loss));
        consider(right_after(loss));
      }
    }
  }

  /// The most likely cuts, each of which gains `least`: by the best partition up to each place in turn.
  void partition(double least) {
    struct Best {
      double gain = 0;
      std::size_t from = 0;
    };
    std::vector<Best> best(places_.size());
    for (std::size_t to = 1; to < places_.size(); ++to) {
      best[to].gain = -std::numeric_limits<double>::infinity();
      for (std::size_t from = 0; from < to; ++from) {
        if (places_[from].at > places_[to].at) continue;
        const Stretch stretch = between(places_[from], places_[to]);
        const double gain = best[from].gain + log_likelihood(stretch) - least - cost(stretch);
        if (gain > best[to].gain) best[to] = {gain, from};
      }
    }
    stretches_.clear();
    for (std::size_t to = places_.size() - 1; to > 0; to = best[to].from)
      stretches_.push_back(between(places_[best[to].from], places_[to]));
    std::ranges::reverse(stretches_);
    refine();
  }

  /// Two faults at most, or losses that come in bursts.
  void partition_again() {
    const bool few = stretches_.size() <= kFewStretches;
    const double more = few ? 1 : dispersion({at_.front() - 1, at_.back(), 0, at_.size()});
    short_ones_cost_ = true;
    partition(kCutGain * more);
  }

  /// What a stretch costs beside its cut: the logarithm of how many of its kind the losses of the course would fill, as
  /// for every statistic that scans for the best of short pieces (Duembgen and Spokoiny, Annals of Statistics 2001).
  /// Otherwise a few losses that happen to follow each other at the end of a fault are a fault of their own.
  [[nodiscard]] double cost(const Stretch& of) const {
    return short_ones_cost_ && of.last > of.first ? std::log(static_cast<double>(at_.size()) / of.losses()) : 0;
  }

  static Stretch between(const Place& from, const Place& to) { return {from.at, to.at, from.losses, to.losses}; }

  double probes_;
  std::vector<double> at_;  ///< of each loss: probes until it, itself included
  std::vector<Place> places_;
  bool short_ones_cost_ = false;
  std::vector<Stretch> stretches_;
};

}  // namespace

void LossCourse::add_probes(double begin, double end, double probes) {
  if (knots_.empty()) begin_ = begin;
  knots_.push_back({end, this->probes() + probes});
}

void LossCourse::set_losses(std::vector<double> moments) {
  losses_ = std::move(moments);
  std::erase_if(losses_, [this](double moment) { return moment < begin() || moment > end(); });
  std::ranges::sort(losses_);
}

double LossCourse::probes_until(double moment) const {
  double from = begin_;
  double before = 0;
  for (const Knot& knot : knots_) {
    if (moment < knot.moment) {
      const double share = knot.moment > from ? (moment - from) / (knot.moment - from) : 1;
      return before + std::clamp(share, 0.0, 1.0) * (knot.probes - before);
    }
    from = knot.moment;
    before = knot.probes;
  }
  return before;
}

LossPhase newest_phase(const LossCourse& course, double least) {
  LossPhase phase;
  if (course.losses().empty() || course.probes() <= 0) return phase;
  const Segmentation cut(course);
  const std::vector<Stretch>& stretches = cut.stretches();
  const auto lossy = [&](const Stretch& stretch) {
    return stretch.last - stretch.first >= kLeastLosses && stretch.rate() >= least;
  };
  std::size_t at = stretches.size();
  while (at > 0 && !lossy(stretches[at - 1]))
    --at;
  if (at == 0)
    at = static_cast<std::size_t>(std::ranges::max_element(stretches, {}, &Stretch::losses) - stretches.begin()) + 1;
  --at;
  Stretch of = stretches[at];
  if (of.last == of.first) return phase;
  const auto& losses = course.losses();
  phase.began = at > 0;
  phase.begin = phase.began ? losses[of.first] : course.begin();
  phase.end = losses[of.last - 1];
  std::size_t first = at;
  while (first > 0 && lossy(stretches[first - 1]))
    --first;
  phase.lossy_began = first > 0;
  phase.lossy_since = phase.lossy_began ? losses[stretches[first].first] : course.begin();

  // How many losses the fault would have had since its last one, had it gone on.
  const double last_loss = cut.until(of.last - 1);
  Stretch so_far = of;
  so_far.end = last_loss;
  const double since = course.probes() - last_loss;
  const double missed = so_far.rate() * since;
  phase.ended = missed > kOverLosses && since > kPauses * cut.longest_pause(of);
  const bool perhaps = !phase.ended && missed > kPerhapsOverLosses;
  if (phase.ended || at + 1 < stretches.size()) of = so_far;

  const auto ratio_of = [&](const Stretch& stretch, bool end_marked) {
    const double marks = (phase.began ? 1 : 0) + (end_marked ? 1 : 0);
    phase.losses = std::max(0.0, stretch.losses() - marks);
    phase.probes = std::max({stretch.probes() - marks, phase.losses, 1.0});
    phase.loss = phase.losses / phase.probes;
    const double more = cut.dispersion(stretch);
    phase.interval = exact_binomial(phase.losses / more, phase.probes / more);
  };
  ratio_of(so_far, true);
  const Interval if_over = phase.interval;
  if (of.end == so_far.end) return phase;
  ratio_of(of, false);
  if (perhaps)
    phase.interval = {std::min(phase.interval.low, if_over.low), std::max(phase.interval.high, if_over.high)};
  return phase;
}

}  // namespace ecmp
