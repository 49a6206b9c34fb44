#pragma once

#include <vector>

#include "path/statistics/intervals.hpp"

namespace ecmp {

/// The losses of the probes over a link in their order, and how many probes there were by any moment.
class LossCourse {
 public:
  /// From `begin` to `end` another so many probes were finished, evenly. Each begins where the one before ended.
  void add_probes(double begin, double end, double probes);
  /// After all probes. Moments outside of them are left out.
  void set_losses(std::vector<double> moments);

  [[nodiscard]] double probes_until(double moment) const;
  [[nodiscard]] double probes() const { return knots_.empty() ? 0 : knots_.back().probes; }
  [[nodiscard]] double begin() const { return begin_; }
  [[nodiscard]] double end() const { return knots_.empty() ? begin_ : knots_.back().moment; }
  [[nodiscard]] const std::vector<double>& losses() const { return losses_; }

 private:
  struct Knot {
    double moment = 0;
    double probes = 0;  ///< up to then
  };
  double begin_ = 0;
  std::vector<Knot> knots_;
  std::vector<double> losses_;
};

/// A time in which probes were lost at one rate.
struct LossPhase {
  double begin = 0;        ///< the first loss of it, where it began within the course
  double end = 0;          ///< the last loss of it, where it ended
  bool began = false;      ///< there was less loss, or none, before; if not, it began before the course
  bool ended = false;      ///< nothing is lost any more
  double lossy_since = 0;  ///< begin of the first phase of those with loss that it belongs to
  bool lossy_began = false;
  double losses = 0;  ///< that its ratio is of: a loss that marks its begin or end is not among them
  double probes = 0;
  double loss = 0;    ///< ratio
  Interval interval;  ///< of it, 95 %
};

/// The newest phase with loss of at least `least`; without losses all is 0.
///
/// The course is cut where its likelihood gains much by two rates in place of one (optimal partitioning), so that
/// clean rounds before a fault, and after it, do not dilute its ratio. A cut is put at a loss, and this loss counts on
/// neither side: a stretch that was chosen to begin with a loss would show too much of it. Losses that come in bursts
/// gain much by cuts that mean nothing; by how much they vary more than chance has it, gains count less and the
/// interval is wider. A fault is over when its rate would not leave so many probes unharmed, and when that has taken
/// three times as long as any pause within it.
LossPhase newest_phase(const LossCourse& course, double least);

}  // namespace ecmp
