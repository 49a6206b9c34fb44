#pragma once

#include <cstdint>
#include <mutex>
#include <utility>

#include "agent/http/render_options.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {

/// Which series a scrape and an answer of /probe have. A reload replaces the choice while other threads render.
class SeriesSettings {
 public:
  struct Choice {
    std::uint64_t max_series = render::ExpositionOptions().max_series;
    render::HistogramOptions histograms;
    render::MetricGroups groups;
  };

  SeriesSettings() = default;
  explicit SeriesSettings(Choice choice) : choice_(std::move(choice)) {}

  void set(Choice choice) {
    const std::lock_guard lock(mutex_);
    choice_ = std::move(choice);
  }

  /// For one answer from now on.
  [[nodiscard]] render::ExpositionOptions options(render::Format format, render::FamilyFilter families) const {
    const std::lock_guard lock(mutex_);
    return {.format = format,
            .families = std::move(families),
            .max_series = choice_.max_series,
            .histograms = choice_.histograms,
            .groups = choice_.groups};
  }

 private:
  mutable std::mutex mutex_;
  Choice choice_;
};

/// What a configuration chooses. `settings`: config::Config or config::Changes; `exact`: all classic bounds there were.
SeriesSettings::Choice series_of(const auto& settings, std::shared_ptr<const Statistics::Bounds> exact) {
  return {settings.limits.max_series, options_of(settings.histograms, std::move(exact)), groups_of(settings.metrics)};
}

}  // namespace ecmp
