// What a scrape of 100 destinations x 32 flows x 15 hops costs in each format, against prometheus-cpp's serializer on
// the same samples. Not a test: figures are for people, run it on a quiet machine.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <malloc.h>
#include <memory>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "render/metrics/exposition.hpp"
#include "unit/render/snapshots.hpp"

namespace {

using namespace ecmp;
using render::Format;

std::shared_ptr<const Statistics> measured(std::mt19937& random, double rtt) {
  using Kind = Statistics::Kind;
  std::lognormal_distribution<double> delay(0, 0.3);
  Statistics made;
  double last = rtt;
  for (int i = 0; i < 200; ++i) {
    const double now = rtt * delay(random);
    made.observe(Kind::rtt, now);
    made.observe(Kind::jitter, now > last ? now - last : last - now);
    made.observe(Kind::loss, random() % 20 == 0 ? 1.0 / 32 : 0.0);
    last = now;
  }
  const auto nanoseconds = [&](double factor) { return Duration(static_cast<std::int64_t>(rtt * factor * 1e9)); };
  made.window = {.probes = 30, .losses = 1, .rtts = 29, .jitters = 28};
  made.window.rtt = {nanoseconds(1), nanoseconds(1.5), nanoseconds(1.9)};
  made.window.jitter = {nanoseconds(0.1), nanoseconds(0.3), nanoseconds(0.5)};
  return std::make_shared<const Statistics>(made);
}

/// The same, but nobody knows when counters began: what it costs to tell.
render::test::Snapshots without_begins(const render::test::Snapshots& all) {
  render::test::Snapshots made;
  for (const auto& snapshot : all) {
    DestinationSnapshot copy = *snapshot;
    copy.began = {};
    for (FlowSnapshot& flow : copy.flows)
      flow.began = {};
    for (PathSnapshot& path : copy.paths) {
      path.began = {};
      for (HopSnapshot& hop : path.hops)
        hop.began = {};
    }
    made.push_back(std::make_shared<const DestinationSnapshot>(copy));
  }
  return made;
}

/// Every flow on a path of its own: as many paths as there can be.
render::test::Snapshots snapshots() {
  std::mt19937 random(1);
  render::test::Snapshots filled;
  for (const auto& snapshot : render::test::many_snapshots(100, 32, 32, 15)) {
    DestinationSnapshot copy = *snapshot;
    WallTime began(std::chrono::milliseconds(1'800'000'000'123 + filled.size()));
    copy.began = began;
    for (FlowSnapshot& flow : copy.flows)
      flow.began = began;
    for (PathSnapshot& path : copy.paths) {
      path.statistics = measured(random, 0.02);
      began += std::chrono::microseconds(1'234'567);
      path.began = began;
      for (HopSnapshot& hop : path.hops) {
        hop.began = began;
        hop.statistics = measured(random, 0.001 * hop.ttl);
      }
    }
    filled.push_back(std::make_shared<const DestinationSnapshot>(copy));
  }
  return filled;
}

/// Seconds of processor time of the fastest of some runs.
template <typename Run>
double fastest(const Run& run) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const std::clock_t begin = std::clock();
    run();
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  return best;
}

/// The most that was resident at once, or now, in MiB.
double resident(const char* field) {
  std::FILE* const status = std::fopen("/proc/self/status", "r");
  char line[256];  // NOLINT
  double mebibytes = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::string_view(line).starts_with(field)) mebibytes = std::strtod(line + 6, nullptr) / 1024;
  }
  if (status != nullptr) std::fclose(status);
  return mebibytes;
}

void forget_peak() {
  malloc_trim(0);
  if (std::FILE* const file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
}

/// The families of a text scrape as prometheus-cpp would collect them: for it to write what we wrote.
class Collected {
 public:
  void read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      read_line(text.substr(0, end));
      text.remove_prefix(end + 1);
    }
  }
  [[nodiscard]] const std::vector<prometheus::MetricFamily>& families() const { return families_; }

 private:
  void read_line(std::string_view line) {
    if (line.starts_with("# HELP ")) {
      line.remove_prefix(7);
      const std::size_t space = line.find(' ');
      families_.emplace_back();
      families_.back().name = line.substr(0, space);
      families_.back().help = line.substr(space + 1);
      last_.clear();
      return;
    }
    prometheus::MetricFamily& family = families_.back();
    if (line.starts_with("# TYPE ")) {
      const std::string_view type = line.substr(line.rfind(' ') + 1);
      family.type = type == "counter"     ? prometheus::MetricType::Counter
                    : type == "gauge"     ? prometheus::MetricType::Gauge
                    : type == "histogram" ? prometheus::MetricType::Histogram
                                          : prometheus::MetricType::Summary;
      return;
    }
    const std::size_t open = line.find('{');
    const std::size_t close = line.rfind('}');
    const double value = std::strtod(std::string(line.substr(close + 2)).c_str(), nullptr);
    std::string_view labels = line.substr(open + 1, close - open - 1);
    std::string_view extra;
    for (const std::string_view name : {",le=\"", ",quantile=\""}) {
      if (const std::size_t at = labels.rfind(name); at != std::string_view::npos) {
        extra = labels.substr(at + name.size());
        labels = labels.substr(0, at);
      }
    }
    add(family, line.substr(0, open), labels, extra, value);
  }

  void add(prometheus::MetricFamily& family, std::string_view name, std::string_view labels, std::string_view extra,
           double value) {
    if (labels != last_ || family.metric.empty()) {
      last_ = labels;
      auto& metric = family.metric.emplace_back();
      while (!labels.empty()) {
        const std::size_t equals = labels.find('=');
        const std::size_t end = labels.find('"', equals + 2);
        metric.label.push_back(
            {std::string(labels.substr(0, equals)), std::string(labels.substr(equals + 2, end - equals - 2))});
        labels.remove_prefix(std::min(end + 2, labels.size()));
      }
    }
    prometheus::ClientMetric& metric = family.metric.back();
    const double bound = std::strtod(std::string(extra).c_str(), nullptr);
    const auto count = static_cast<std::uint64_t>(value > 0 ? value : 0);
    if (name.ends_with("_bucket")) {
      metric.histogram.bucket.push_back({count, bound});
    } else if (family.type == prometheus::MetricType::Summary && !extra.empty()) {
      metric.summary.quantile.push_back({bound, value});
    } else if (family.type == prometheus::MetricType::Histogram || family.type == prometheus::MetricType::Summary) {
      if (name.ends_with("_sum")) {
        metric.histogram.sample_sum = metric.summary.sample_sum = value;
      } else {
        metric.histogram.sample_count = metric.summary.sample_count = count;
      }
    } else {
      metric.counter.value = metric.gauge.value = value;
    }
  }

  std::vector<prometheus::MetricFamily> families_;
  std::string last_;
};

struct Case {
  const char* name;
  Format format;
  render::HistogramForm hops;
  bool begins = true;
};

/// Into memory that is there, as scrapes after the first.
void render_into(std::string& out, const render::test::Snapshots& all, const Case& run, std::uint64_t& series) {
  out.clear();
  render::ExpositionOptions options;
  options.format = run.format;
  options.max_series = 10'000'000;
  options.histograms.hops = run.hops;
  const auto outcome = append_exposition(out, all, render::NoNames(), options);
  series = outcome.series;
}

void report(const char* name, double seconds, std::size_t bytes, std::uint64_t series, double before) {
  std::printf("%-34s %8.1f ms %8.1f MB %9llu series %7.1f ms/100k %8.1f MiB peak\n", name, 1e3 * seconds,
              1e-6 * static_cast<double>(bytes), static_cast<unsigned long long>(series),
              1e8 * seconds / static_cast<double>(series), resident("VmHWM") - before);
}

}  // namespace

int main() {
  const auto all = snapshots();
  const auto silent = without_begins(all);
  std::printf("snapshots: %.1f MiB resident\n", resident("VmRSS"));
  for (const Case& run : {Case{"text 0.0.4", Format::text, render::HistogramForm::both},
                          Case{"OpenMetrics 1.0.0", Format::openmetrics, render::HistogramForm::both},
                          Case{"protobuf, hops classic and native", Format::protobuf, render::HistogramForm::both},
                          Case{"  without when they began", Format::protobuf, render::HistogramForm::both, false},
                          Case{"protobuf, hops native", Format::protobuf, render::HistogramForm::native},
                          Case{"  without when they began", Format::protobuf, render::HistogramForm::native, false},
                          Case{"text, no hop histograms", Format::text, render::HistogramForm::off}}) {
    std::uint64_t series = 0;
    std::string body;
    forget_peak();
    const double before = resident("VmRSS");
    const double seconds = fastest([&] { render_into(body, run.begins ? all : silent, run, series); });
    report(run.name, seconds, body.size(), series, before);
  }
  std::uint64_t series = 0;
  Collected collected;
  {
    std::string body;
    render_into(body, all, {"", Format::text, render::HistogramForm::both}, series);
    collected.read(body);
  }
  forget_peak();
  const double before = resident("VmRSS");
  std::size_t bytes = 0;
  const double seconds = fastest([&] { bytes = prometheus::TextSerializer().Serialize(collected.families()).size(); });
  report("prometheus-cpp TextSerializer", seconds, bytes, series, before);
}
