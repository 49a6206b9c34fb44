#include "agent/http/render_options.hpp"

#include <utility>

namespace ecmp {

render::HistogramOptions options_of(const config::Histograms& histograms,
                                    std::shared_ptr<const Statistics::Bounds> exact) {
  return {.paths = histograms.paths,
          .hops = histograms.hops,
          .rtt = histograms.rtt,
          .jitter = histograms.jitter,
          .loss = histograms.loss,
          .exact = std::move(exact)};
}

render::MetricGroups groups_of(const config::MetricGroups& groups) {
  return {.flows = groups.flows,
          .path_windows = groups.path_windows,
          .hops = groups.hops,
          .hop_windows = groups.hop_windows,
          .links = groups.links};
}

}  // namespace ecmp
