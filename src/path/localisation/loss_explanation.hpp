#pragma once

#include <vector>

#include "path/localisation/crossings.hpp"
#include "path/statistics/intervals.hpp"

namespace ecmp {

struct ExplanationOptions {
  /// Loss of that many probes may have any cause on any flow: up to this no link is looked for.
  double tolerated_loss = 0.001;
  double chance = 0.01;         ///< of blaming any link when none is to blame
  std::size_t most_links = 20;  ///< blamed
  double uneven_gain = 4;       ///< of log-likelihood, from which flows over a link are held to differ
  std::vector<bool> cleared;    ///< by link: known to lose nothing; those beyond are not
  double margin = 3;            ///< of log-likelihood, by which a link explains more than any other in its place
};

struct ExplainedLink {
  std::uint32_t link = 0;
  double loss = 0;       ///< most likely ratio
  Interval interval;     ///< of it, 95 %: profile likelihood
  double suspicion = 0;  ///< what the link explains, as a multiple of what a verdict needs
  bool blamed = false;
  bool uneven = false;  ///< only some of the flows over it lose: not blamed, whatever it would explain
  /// Another link in its place would explain nearly as much, or some others together more: not blamed yet.
  bool contested = false;
  std::uint64_t probes = 0;  ///< of all flows over it
  std::uint64_t losses = 0;
  std::uint32_t lossy_flows = 0;
  std::uint32_t clean_flows = 0;
};

struct Explanation {
  std::vector<ExplainedLink> links;  ///< blamed ones first, by falling suspicion
  double background = 0;             ///< loss ratio of every flow that no link is blamed for
  double threshold = 0;              ///< gain of log-likelihood that a verdict needs
};

/// Which links explain what was lost best, and with how much each: the fewest that do, by likelihood.
///
/// A flow's probes get through with exp(-s), s being what all its links lose together (-ln of their success ratios)
/// and a background. The log-likelihood of the counts is concave in these, so that the fit of given links is unique.
/// Links are blamed one by one, each time the one whose best loss ratio gains most; after each the others are fitted
/// again, and those that no longer gain enough are let go. What is enough follows from Chernoff's bound: among m links
/// none of which loses anything, the chance that one gains ln(m / chance) or more is at most `chance`, for counts as
/// small as they may be.
///
/// Loss on the way back hits flows by a choice that the links here do not know. So flows over a link that is blamed
/// must differ from each other by no more than chance; else the link is only suspected (`uneven`). So is one that leads
/// any other in its place by less than `margin`; and one in whose place others together explain more by `uneven_gain`,
/// but not so much more that being more links is outweighed (`contested`).
///
/// `crossings` is indexed, its links are groups (group_links): of two that the same rows cross the first would be told.
/// Cost: the lossy rows' links, for every link blamed some times.
Explanation explain_losses(const Crossings& crossings, const ExplanationOptions& options = {});

}  // namespace ecmp
