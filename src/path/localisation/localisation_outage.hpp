#pragma once

// Private to the .cpp files of Localisation.

#include <cstddef>
#include <optional>
#include <unordered_map>
#include <vector>

#include "path/localisation/localisation.hpp"

namespace ecmp {

/// Where the flows of a destination that is gone lose everything: right behind the last hop that still answers. Hops
/// are looked at since the outage began, and over all of its flows.
class Localisation::Frontier {
 public:
  Frontier(const Destination& destination, const Hops& varying);

  struct Place {
    std::size_t link = 0;        ///< from this of the nodes to the next one
    bool silent_behind = false;  ///< which answered before, and no longer does
  };
  /// Of a path with these nodes, the agent first and the destination last. Nothing where the next hop has not been
  /// asked often enough to know, or packets go in circles.
  [[nodiscard]] std::optional<Place> find(const std::vector<IpAddress>& nodes) const;

 private:
  /// Of one link, over all paths that cross it.
  struct Evidence {
    double lost = 0;     ///< rounds
    double answers = 0;  ///< of its far end, or of whatever hop behind it answers most
    double probes = 0;   ///< of that
    Unanswered far;      ///< of its far end
    Unanswered usual;    ///< likewise, in rounds that reached the destination

    [[nodiscard]] bool lets_through() const;
    [[nodiscard]] bool far_is_silent() const;
  };
  void add(const Destination& destination, const Path& path, const std::vector<IpAddress>& nodes, double lost);

  std::unordered_map<LinkEnds, Evidence, LinkEndsHash> links_;
  bool circles_;
};

}  // namespace ecmp
