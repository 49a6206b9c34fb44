#include "path/oneway_model.hpp"

#include <algorithm>
#include <utility>

namespace ecmp {
namespace {

/// A restart is seen by every stream, one after the other.
constexpr Duration kOneRestart = std::chrono::seconds(30);
/// A path that no stream is on is reported for so long, as the model of paths does.
constexpr Duration kRetention = std::chrono::minutes(10);

}  // namespace

OnewayModel::OnewayModel(std::size_t flows, Duration window, Duration packet_interval, Duration timeout)
    : scale_(window), silent_after_(3 * packet_interval + timeout), flows_(flows) {}

OnewayModel::Path& OnewayModel::path_of(std::uint32_t id, Instant at) {
  auto place = std::ranges::lower_bound(paths_, id, {}, &Path::id);
  if (place == paths_.end() || place->id != id) {
    place = paths_.emplace(place);
    place->id = id;
  }
  place->used = at;
  return *place;
}

OnewayModel::Part& OnewayModel::part_of(Path& path, Instant at) {
  const std::uint32_t number = scale_.part(at);
  if (path.window.empty() || path.window.back().number != number) {
    std::erase_if(path.window, [&](const Part& part) {
      return ((number - part.number) & WindowScale::kPartMask) >= WindowScale::kParts;
    });
    path.window.push_back({.number = number, .counts = {}, .forward = {}, .reverse = {}});
  }
  return path.window.back();
}

void OnewayModel::on_report(std::uint32_t flow_index, std::uint32_t path, const StreamReport& report) {
  if (flow_index >= flows_.size()) return;
  Flow& flow = flows_[flow_index];
  if (begun_ == Instant{}) begun_ = report.at;
  flow.told.counts += report.counts;
  flow.told.duplicates_forward += report.duplicates_forward;
  flow.told.duplicates_reverse += report.duplicates_reverse;
  answered_ = std::max(answered_, report.answered);
  if (report.mode != stamp::ReflectorMode::unknown) mode_ = report.mode;
  if (report.counts.restarts > 0) {
    if (restarted_ == Instant::min() || report.at - restarted_ > kOneRestart) {
      ++restarts_;
      restarted_ = report.at;
    }
  }
  if (path != 0 && report.counts != stamp::OnewayCounts{}) {
    Path& on = path_of(path, report.at);
    on.counts += report.counts;
    part_of(on, report.at).counts += report.counts;
  }
  if (report.exchange) on_exchange(flow, path, report);
}

void OnewayModel::on_exchange(Flow& flow, std::uint32_t path, const StreamReport& report) {
  const StreamExchange& exchange = *report.exchange;
  synchronised_ = exchange.synchronised;
  if (exchange.back) flow.told.reverse_path = exchange.back->id;
  if (std::exchange(flow.path, path) != path) flow.variation.reset();
  const auto variation = flow.variation.add(exchange.times, exchange.ttl_there, exchange.ttl_back);
  if (!variation) {
    forward_.reset();
    reverse_.reset();
    return;
  }
  if (path == 0) return;
  Path& on = path_of(path, report.at);
  Part& part = part_of(on, report.at);
  const auto add = [](VariationSum& sum, Histogram& window, Duration value) {
    ++sum.count;
    sum.seconds += in_seconds(value);
    window.observe(value);
  };
  add(on.forward, part.forward, variation->forward);
  add(on.reverse, part.reverse, variation->reverse);
  forward_.add(report.at, path, exchange.times.forward());
  reverse_.add(report.at, path, exchange.times.reverse());
}

std::shared_ptr<const OnewaySnapshot> OnewayModel::snapshot(Instant now) {
  std::erase_if(paths_, [&](const Path& path) { return now - path.used > kRetention; });
  auto made = std::make_shared<OnewaySnapshot>();
  if (answered_ != Instant::min() && now - answered_ <= silent_after_) {
    made->up = true;
  } else if (begun_ != Instant{} && now - begun_ > silent_after_) {
    made->up = false;
  }
  made->mode = mode_;
  made->synchronised = synchronised_;
  made->restarts = restarts_;
  for (const Flow& flow : flows_)
    made->flows.push_back(flow.told);
  const std::uint32_t number = scale_.part(now);
  for (const Path& path : paths_) {
    OnewayPathSnapshot& out = made->paths.emplace_back();
    out.path = path.id;
    out.counts = path.counts;
    out.forward = path.forward;
    out.reverse = path.reverse;
    Histogram forward, reverse;
    for (const Part& part : path.window) {
      if (((number - part.number) & WindowScale::kPartMask) >= WindowScale::kParts) continue;
      out.window += part.counts;
      forward.merge(part.forward);
      reverse.merge(part.reverse);
    }
    const auto quantiles = [](const HistogramView& of) {
      return Quantiles{Duration(static_cast<Duration::rep>(of.quantile(0.5) * 1e9)),
                       Duration(static_cast<Duration::rep>(of.quantile(0.95) * 1e9)),
                       Duration(static_cast<Duration::rep>(of.quantile(0.99) * 1e9))};
    };
    out.exchanges = forward.view().count();
    out.forward_window = quantiles(forward);
    out.reverse_window = quantiles(reverse);
    out.relative_forward = forward_.of(path.id);
    out.relative_reverse = reverse_.of(path.id);
  }
  return made;
}

}  // namespace ecmp
