#include "path/localisation/loss_explanation.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace ecmp {
namespace {

/// Of the background, so that a single probe lost anywhere is not a wonder.
constexpr double kLeastBackground = 1e-5;
constexpr double kMostStrength = 20;  ///< -ln of the success ratio of a link that lets nothing through
constexpr int kMostSteps = 60;
constexpr double kEnough = 1e-9;
constexpr int kMostSweeps = 200;
/// Rows looked at, some seconds: where everything loses, the links told are the ones found by then.
constexpr std::uint64_t kMostWork = 200'000'000;
/// Half the 95 % quantile of chi-square with one degree of freedom.
constexpr double kProfileDrop = 1.9207294103470617;

struct LossyRow {
  double losses = 0;
  double passed = 0;
  double strength = 0;  ///< -ln of the modelled success ratio
};

/// What is fitted: links with their strengths, and the background.
struct Fit {
  std::vector<std::uint32_t> links;
  std::vector<double> strengths;
  double background = kLeastBackground;
  double likelihood = 0;
};

double loss_of(double strength) {
  return -std::expm1(-strength);
}

class Explainer {
 public:
  Explainer(const Crossings& crossings, const ExplanationOptions& options)
      : crossings_(crossings),
        options_(options),
        most_background_(-std::log1p(-std::clamp(options.tolerated_loss, 2 * kLeastBackground, 0.5))),
        passed_(crossings.links()),
        lossy_(crossings.links()) {
    for (std::uint32_t row = 0; row < crossings.rows(); ++row) {
      const Crossings::Row& of = crossings.row(row);
      const auto passed = static_cast<double>(of.probes - std::min(of.probes, of.losses));
      if (of.losses == 0) {
        all_passed_ += passed;
        for (const std::uint32_t link : crossings.links_of(row))
          passed_[link] += passed;
        continue;
      }
      const auto number = static_cast<std::uint32_t>(rows_.size());
      rows_.push_back({static_cast<double>(of.losses), passed, 0});
      row_numbers_.push_back(row);
      for (const std::uint32_t link : crossings.links_of(row)) {
        if (lossy_[link].empty() && !cleared(link)) candidates_.push_back(link);
        lossy_[link].push_back(number);
      }
      all_.push_back(number);
    }
    std::ranges::sort(candidates_);
    const double links = std::max<double>(1, static_cast<double>(crossings.links()));
    threshold_ = std::log(links / std::clamp(options.chance, 1e-12, 0.5));
  }

  Explanation run();

 private:
  struct Gain {
    std::uint32_t link = 0;
    double strength = 0;
    double gain = 0;
  };

  /// The strength that fits best for something that all of `rows` have, of which they have `own` now, and rows without
  /// loss that let `passed` probes through. Newton from the left never overshoots: what is set to 0 is convex and
  /// falls.
  [[nodiscard]] double best(const std::vector<std::uint32_t>& rows, double passed, double own, double least,
                            double most) const {
    double strength = least;
    for (int step = 0; step < kMostSteps; ++step) {
      work_ += rows.size();
      double slope = -passed;
      double curve = 0;
      for (const std::uint32_t number : rows) {
        const LossyRow& row = rows_[number];
        const double grown = std::expm1(std::max(row.strength - own + strength, 1e-12));
        slope += row.losses / grown - row.passed;
        curve -= row.losses * (1 / grown + 1 / (grown * grown));
      }
      if (slope <= 0 || curve >= 0) break;
      const double move = -slope / curve;
      strength += move;
      if (strength >= most) return most;
      if (move < kEnough * (1e-3 + strength)) break;
    }
    return strength;
  }
  [[nodiscard]] static double likelihood(const LossyRow& row, double strength) {
    return row.losses * std::log(std::max(-std::expm1(-strength), 1e-300)) - row.passed * strength;
  }

  void apply(const Fit& fit);
  void refit(Fit& fit, std::optional<std::size_t> fixed = std::nullopt);
  [[nodiscard]] bool cleared(std::uint32_t link) const {
    return link < options_.cleared.size() && options_.cleared[link];
  }
  [[nodiscard]] Gain gain_of(std::uint32_t link) const;
  [[nodiscard]] Gain best_candidate(const Fit& fit, const std::vector<std::uint32_t>& candidates) const;
  [[nodiscard]] std::vector<std::uint32_t> beside(std::uint32_t link) const;
  double drop_cost(const Fit& fit, std::size_t index);
  void prune(Fit& fit);
  bool swap(Fit& fit);
  [[nodiscard]] Fit without(const Fit& fit, std::size_t index);
  void extend(Fit& fit, const Gain& by);
  [[nodiscard]] double lead(std::size_t index);
  [[nodiscard]] std::optional<Fit> split_of(const Fit& fit, std::size_t index);
  bool split(Fit& fit);
  [[nodiscard]] bool rivalled(std::size_t index);
  void search();
  Interval interval(std::size_t index);
  ExplainedLink tell(std::uint32_t link, double strength, double gain) const;
  [[nodiscard]] bool uneven(std::uint32_t link, double strength) const;

  const Crossings& crossings_;
  ExplanationOptions options_;
  double most_background_;
  double threshold_ = 0;
  double all_passed_ = 0;           ///< likewise
  mutable std::uint64_t work_ = 0;  ///< rows looked at
  std::vector<LossyRow> rows_;
  std::vector<std::uint32_t> row_numbers_;         ///< of each, in crossings_
  std::vector<std::uint32_t> all_;                 ///< every lossy row
  std::vector<double> passed_;                     ///< by link: probes of rows without any loss
  std::vector<std::vector<std::uint32_t>> lossy_;  ///< by link
  std::vector<std::uint32_t> candidates_;          ///< links that lossy rows cross
  Fit fit_;
};

void Explainer::apply(const Fit& fit) {
  for (LossyRow& row : rows_)
    row.strength = fit.background;
  for (std::size_t i = 0; i < fit.links.size(); ++i) {
    for (const std::uint32_t number : lossy_[fit.links[i]])
      rows_[number].strength += fit.strengths[i];
  }
}

/// Coordinate ascent; leaves the rows' strengths at the fit.
void Explainer::refit(Fit& fit, std::optional<std::size_t> fixed) {
  apply(fit);
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    double change = 0;
    for (std::size_t i = 0; i <= fit.links.size(); ++i) {
      if (fixed == i) continue;
      const bool background = i == fit.links.size();
      const auto& rows = background ? all_ : lossy_[fit.links[i]];
      double& strength = background ? fit.background : fit.strengths[i];
      const double found = background ? best(rows, all_passed_, strength, kLeastBackground, most_background_)
                                      : best(rows, passed_[fit.links[i]], strength, 0, kMostStrength);
      if (found == strength) continue;
      for (const std::uint32_t number : rows)
        rows_[number].strength += found - strength;
      change = std::max(change, std::abs(found - strength) / (found + 1e-6));
      strength = found;
    }
    if (change < 1e-6) break;
  }
  fit.likelihood = -fit.background * all_passed_;
  for (std::size_t i = 0; i < fit.links.size(); ++i)
    fit.likelihood -= fit.strengths[i] * passed_[fit.links[i]];
  for (const LossyRow& row : rows_)
    fit.likelihood += likelihood(row, row.strength);
}

Explainer::Gain Explainer::gain_of(std::uint32_t link) const {
  Gain gain{.link = link, .strength = best(lossy_[link], passed_[link], 0, 0, kMostStrength), .gain = 0};
  if (gain.strength <= 0) return gain;
  gain.gain = -gain.strength * passed_[link];
  for (const std::uint32_t number : lossy_[link]) {
    const LossyRow& row = rows_[number];
    gain.gain += likelihood(row, row.strength + gain.strength) - likelihood(row, row.strength);
  }
  return gain;
}

/// The link that would gain most, the rows being at the fit.
Explainer::Gain Explainer::best_candidate(const Fit& fit, const std::vector<std::uint32_t>& candidates) const {
  Gain most;
  for (const std::uint32_t link : candidates) {
    if (cleared(link) || std::ranges::find(fit.links, link) != fit.links.end()) continue;
    const Gain gain = gain_of(link);
    if (gain.gain > most.gain) most = gain;
  }
  return most;
}

/// What the fit loses without one of its links.
double Explainer::drop_cost(const Fit& fit, std::size_t index) {
  Fit without = fit;
  without.links.erase(without.links.begin() + static_cast<std::ptrdiff_t>(index));
  without.strengths.erase(without.strengths.begin() + static_cast<std::ptrdiff_t>(index));
  refit(without);
  return fit.likelihood - without.likelihood;
}

void Explainer::prune(Fit& fit) {
  while (!fit.links.empty()) {
    std::size_t least = 0;
    double cost = 0;
    for (std::size_t i = 0; i < fit.links.size(); ++i) {
      const double this_cost = drop_cost(fit, i);
      if (i > 0 && this_cost >= cost) continue;
      least = i;
      cost = this_cost;
    }
    if (cost >= threshold_) break;
    fit.links.erase(fit.links.begin() + static_cast<std::ptrdiff_t>(least));
    fit.strengths.erase(fit.strengths.begin() + static_cast<std::ptrdiff_t>(least));
    refit(fit);
  }
  apply(fit);
}

/// Links that lossy rows over this one cross as well: what could stand in its place.
std::vector<std::uint32_t> Explainer::beside(std::uint32_t link) const {
  std::vector<std::uint32_t> links;
  for (const std::uint32_t number : lossy_[link]) {
    const auto crossed = crossings_.links_of(row_numbers_[number]);
    links.insert(links.end(), crossed.begin(), crossed.end());
  }
  std::ranges::sort(links);
  links.erase(std::ranges::unique(links).begin(), links.end());
  return links;
}

/// Whether another link in the place of one explains more: what was taken first stood for several at that time.
bool Explainer::swap(Fit& fit) {
  for (std::size_t i = 0; i < fit.links.size() && work_ < kMostWork; ++i) {
    Fit without = fit;
    without.links.erase(without.links.begin() + static_cast<std::ptrdiff_t>(i));
    without.strengths.erase(without.strengths.begin() + static_cast<std::ptrdiff_t>(i));
    refit(without);
    const Gain other = best_candidate(without, beside(fit.links[i]));
    if (other.gain <= 0 || other.link == fit.links[i]) continue;
    without.links.push_back(other.link);
    without.strengths.push_back(other.strength);
    refit(without);
    if (without.likelihood <= fit.likelihood + 1e-6) continue;
    fit = std::move(without);
    return true;
  }
  apply(fit);
  return false;
}

/// A fit without one of its links.
Fit Explainer::without(const Fit& fit, std::size_t index) {
  Fit rest = fit;
  rest.links.erase(rest.links.begin() + static_cast<std::ptrdiff_t>(index));
  rest.strengths.erase(rest.strengths.begin() + static_cast<std::ptrdiff_t>(index));
  refit(rest);
  return rest;
}

void Explainer::extend(Fit& fit, const Gain& by) {
  fit.links.push_back(by.link);
  fit.strengths.push_back(by.strength);
  refit(fit);
}

/// How much more one of the links explains than any other would in its place. Few losses gather by chance where the
/// flows over the link that has them cross another one as well: the wrong one leads by `margin` once in exp(margin)
/// times at most.
double Explainer::lead(std::size_t index) {
  Fit other = without(fit_, index);
  std::vector<std::uint32_t> others = beside(fit_.links[index]);
  std::erase(others, fit_.links[index]);
  if (const Gain gain = best_candidate(other, others); gain.gain > 0) extend(other, gain);
  apply(fit_);
  return std::max(0.0, fit_.likelihood - other.likelihood);
}

/// The fit with two other links or more in the place of one, each of which explains enough in turn; without any if
/// there are none. Alone, each of two explains less than one that all their flows cross, so they are not found one by
/// one.
std::optional<Fit> Explainer::split_of(const Fit& fit, std::size_t index) {
  Fit parts = without(fit, index);
  std::vector<std::uint32_t> others = beside(fit.links[index]);
  std::erase(others, fit.links[index]);
  while (parts.links.size() < std::min(fit.links.size() + 2, options_.most_links)) {
    const Gain other = best_candidate(parts, others);
    if (other.gain < threshold_) break;
    extend(parts, other);
  }
  if (parts.links.size() <= fit.links.size()) return std::nullopt;
  return parts;
}

/// Whether others in the place of one link explain so much more that a further link is worth it.
bool Explainer::split(Fit& fit) {
  for (std::size_t i = 0; i < fit.links.size() && work_ < kMostWork; ++i) {
    std::optional<Fit> others = split_of(fit, i);
    if (!others || others->likelihood <= fit.likelihood + threshold_) continue;
    fit = *std::move(others);
    return true;
  }
  apply(fit);
  return false;
}

/// Whether others in the place of a link explain much more, though not enough to be blamed instead: it may be either.
bool Explainer::rivalled(std::size_t index) {
  if (work_ >= kMostWork) return false;
  const std::optional<Fit> others = split_of(fit_, index);
  apply(fit_);
  return others && others->likelihood > fit_.likelihood + options_.uneven_gain;
}

void Explainer::search() {
  refit(fit_);
  // Each turn raises what is explained; the bound is for rounding errors that would let two turns undo each other.
  for (std::size_t turn = 0; turn < 4 * options_.most_links && work_ < kMostWork; ++turn) {
    Gain gain;
    if (fit_.links.size() < options_.most_links) gain = best_candidate(fit_, candidates_);
    if (gain.gain >= threshold_) {
      fit_.links.push_back(gain.link);
      fit_.strengths.push_back(gain.strength);
      refit(fit_);
    } else if (!swap(fit_) && !split(fit_)) {
      break;
    }
    prune(fit_);
  }
  apply(fit_);
}

/// By bisection: where the likelihood, the other links fitted anew, has dropped by half the quantile.
Interval Explainer::interval(std::size_t index) {
  const double found = fit_.strengths[index];
  const auto dropped = [&](double strength) {
    Fit other = fit_;
    other.strengths[index] = strength;
    refit(other, index);
    return fit_.likelihood - other.likelihood > kProfileDrop;
  };
  const auto bisect = [&](double inside, double outside) {
    for (int step = 0; step < 30 && std::abs(outside - inside) > 1e-3 * found; ++step) {
      const double middle = (inside + outside) / 2;
      (dropped(middle) ? outside : inside) = middle;
    }
    return inside;
  };
  double above = found;
  for (int step = 0; step < 40 && above < kMostStrength && !dropped(above); ++step)
    above = 2 * above + 1e-9;
  return {loss_of(bisect(found, 0)), above >= kMostStrength ? 1.0 : loss_of(bisect(found, above))};
}

/// Whether it is much more likely that one in c of the flows over a link loses c times as much, and the others nothing
/// there, than that all lose alike. The mean is the same, so that c is all there is to be fitted.
bool Explainer::uneven(std::uint32_t link, double strength) const {
  std::vector<double> strengths(crossings_.links());
  for (std::size_t i = 0; i < fit_.links.size(); ++i)
    strengths[fit_.links[i]] = fit_.strengths[i];
  strengths[link] = 0;
  const auto log_chance = [](double losses, double passed, double at) {
    return losses * std::log(std::max(-std::expm1(-at), 1e-300)) - passed * at;
  };
  for (const double times : {1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0}) {
    double gain = 0;
    for (const std::uint32_t number : crossings_.rows_of(link)) {
      const Crossings::Row& row = crossings_.row(number);
      double others = fit_.background;
      for (const std::uint32_t other : crossings_.links_of(number))
        others += strengths[other];
      const double flows = row.flows;
      const double losses = static_cast<double>(row.losses) / flows;
      const double passed = static_cast<double>(row.probes) / flows - losses;
      const double alike = log_chance(losses, passed, others + strength);
      const double spared = std::log(1 - 1 / times) + log_chance(losses, passed, others) - alike;
      const double hit = -std::log(times) + log_chance(losses, passed, others + times * strength) - alike;
      const double more = std::max(spared, hit);
      gain += flows * (more + std::log(std::exp(spared - more) + std::exp(hit - more)));
    }
    if (gain > options_.uneven_gain) return true;
  }
  return false;
}

ExplainedLink Explainer::tell(std::uint32_t link, double strength, double gain) const {
  ExplainedLink told{.link = link, .loss = loss_of(strength), .interval = {}, .suspicion = gain / threshold_};
  for (const std::uint32_t number : crossings_.rows_of(link)) {
    const Crossings::Row& row = crossings_.row(number);
    told.probes += row.probes;
    told.losses += row.losses;
    (row.losses > 0 ? told.lossy_flows : told.clean_flows) += row.flows;
  }
  return told;
}

Explanation Explainer::run() {
  Explanation explanation;
  explanation.threshold = threshold_;
  if (rows_.empty()) return explanation;
  search();
  explanation.background = loss_of(fit_.background);
  std::vector<Gain> suspected;
  for (const std::uint32_t link : candidates_) {
    if (std::ranges::find(fit_.links, link) != fit_.links.end()) continue;
    const Gain gain = gain_of(link);
    if (gain.gain > 0) suspected.push_back(gain);
  }
  std::ranges::sort(suspected, std::greater{}, &Gain::gain);
  if (suspected.size() > options_.most_links) suspected.resize(options_.most_links);
  for (std::size_t i = 0; i < fit_.links.size(); ++i) {
    ExplainedLink told = tell(fit_.links[i], fit_.strengths[i], drop_cost(fit_, i));
    told.uneven = uneven(told.link, fit_.strengths[i]);
    const double ahead = lead(i);
    const bool either = rivalled(i);
    told.contested = either || ahead < options_.margin;
    if (told.contested) told.suspicion = std::min(told.suspicion, either ? 0.5 : ahead / options_.margin);
    told.blamed = !told.uneven && !told.contested && told.loss >= options_.tolerated_loss;
    told.interval = interval(i);
    explanation.links.push_back(told);
  }
  for (const Gain& gain : suspected) {
    ExplainedLink told = tell(gain.link, gain.strength, gain.gain);
    told.interval = wilson(told.loss * static_cast<double>(told.probes), static_cast<double>(told.probes));
    explanation.links.push_back(told);
  }
  std::ranges::stable_sort(explanation.links, [](const ExplainedLink& a, const ExplainedLink& b) {
    return std::pair(a.blamed, a.suspicion) > std::pair(b.blamed, b.suspicion);
  });
  return explanation;
}

}  // namespace

Explanation explain_losses(const Crossings& crossings, const ExplanationOptions& options) {
  return Explainer(crossings, options).run();
}

}  // namespace ecmp
