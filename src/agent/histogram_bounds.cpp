#include "agent/histogram_bounds.hpp"

namespace ecmp {

std::shared_ptr<const Statistics::Bounds> with_bounds(const Statistics::Bounds* before,
                                                      const config::Histograms& histograms) {
  using Kind = Statistics::Kind;
  auto bounds =
      before != nullptr ? std::make_shared<Statistics::Bounds>(*before) : std::make_shared<Statistics::Bounds>();
  (*bounds)[static_cast<std::size_t>(Kind::rtt)].add(histograms.rtt);
  (*bounds)[static_cast<std::size_t>(Kind::jitter)].add(histograms.jitter);
  (*bounds)[static_cast<std::size_t>(Kind::loss)].add(histograms.loss);
  return bounds;
}

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
