#include "agent/http/render_options.hpp"

#include <utility>

namespace ecmp {
namespace {

render::HistogramForm form_of(config::HistogramForm form) {
  switch (form) {
    case config::HistogramForm::classic:
      return render::HistogramForm::classic;
    case config::HistogramForm::native:
      return render::HistogramForm::native;
    case config::HistogramForm::both:
      return render::HistogramForm::both;
    case config::HistogramForm::off:
      return render::HistogramForm::off;
    case config::HistogramForm::automatic:
      return render::HistogramForm::automatic;
  }
  return render::HistogramForm::both;
}

}  // namespace

render::HistogramOptions options_of(const config::Histograms& histograms,
                                    std::shared_ptr<const Statistics::Bounds> exact) {
  return {.paths = form_of(histograms.paths),
          .hops = form_of(histograms.hops),
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
