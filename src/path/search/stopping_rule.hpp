#pragma once

#include <cstdint>
#include <vector>

namespace ecmp {

/// The chance that `flows` flows, dealt out evenly over `branches` branches, leave at least one of them unseen:
/// sum over j of (-1)^(j+1) C(k,j) ((k-j)/k)^n, j from 1 to k-1.
double chance_to_miss(std::uint32_t branches, std::uint32_t flows);

/// The least number of flows of which `branches` even branches stay hidden, any of them, with a chance of at most
/// `eps`.
std::uint32_t flows_to_see(std::uint32_t branches, double eps);

/// How sure a search of paths is to be.
struct SearchAim {
  double confidence = 0.95;  ///< that all paths are found, over the whole graph; above 0 and below 1
  double p_min = 0;          ///< least share of a branch; 0: all branches of a router have the same
};

/// The share of errors that one hop may have, so that `dividing` hops together keep to the aim:
/// 1 - (1 - eps)^(1/dividing).
double error_per_hop(double confidence, std::uint32_t dividing);

/// When to stop to look for further next hops of a router (Augustin, Friedman, Teixeira: Multipath tracing with Paris
/// traceroute, 2007; Veitch et al.: Failure control in multipath route tracing, 2009).
class StoppingRule {
 public:
  StoppingRule(double eps, double p_min) : eps_(eps), p_min_(p_min) {}

  /// Flows that must have told their next hop where `seen` different ones are known: so many that one more would have
  /// been found.
  [[nodiscard]] std::uint32_t needed(std::uint32_t seen) const;

  /// The chance that so many flows hide a further next hop, if there is one.
  static double chance_of_another(std::uint32_t seen, std::uint32_t flows, double p_min);

 private:
  double eps_;
  double p_min_;
  mutable std::vector<std::uint32_t> known_;  ///< by `seen` - 1; 0: not worked out yet
};

}  // namespace ecmp
