#include "path/oneway/oneway_model.hpp"

#include <algorithm>
#include <utility>

namespace ecmp {
namespace {

/// A reflector whose host stands still for a moment is not down, however densely it is asked.
constexpr Duration kShortestSilence = std::chrono::seconds(5);
/// A path that no stream is on is reported for so long, as the model of paths does.
constexpr Duration kRetention = std::chrono::minutes(10);

void add(VariationSum& sum, Histogram& window, Duration value) {
  ++sum.count;
  sum.seconds += in_seconds(value);
  window.observe(value);
}

Quantiles quantiles_of(const HistogramView& of) {
  return Quantiles{Duration(static_cast<Duration::rep>(of.quantile(0.5) * 1e9)),
                   Duration(static_cast<Duration::rep>(of.quantile(0.95) * 1e9)),
                   Duration(static_cast<Duration::rep>(of.quantile(0.99) * 1e9))};
}

}  // namespace

OnewayModel::OnewayModel(std::size_t flows, Duration window, Duration packet_interval, Duration timeout)
    : scale_(window),
      silent_after_(std::max<Duration>(3 * packet_interval + timeout, kShortestSilence)),
      // Each stream sees it with its next answer, which takes some packets where half of them are lost.
      one_restart_(std::max<Duration>(10 * packet_interval + timeout, kShortestSilence)),
      // A loss waits for the end of its window, and then for another timeout.
      settled_after_((stamp::OnewayLoss::kLongestGap + 1) * packet_interval + 2 * timeout),
      flows_(flows) {}

OnewayModel::Path* OnewayModel::find(std::uint32_t id) {
  const auto place = std::ranges::lower_bound(paths_, id, {}, &Path::id);
  return place == paths_.end() || place->id != id ? nullptr : &*place;
}

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
    path.window.emplace_back().number = number;
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
    if (restarted_ == Instant::min() || report.at - restarted_ > one_restart_) {
      ++restarts_;
      restarted_ = report.at;
    }
  }
  const std::uint32_t back = flow.back != 0 ? flow.back : path;
  if (report.counts != stamp::OnewayCounts{}) {
    if (path != 0) {
      Path& there = path_of(path, report.at);
      there.counts += report.counts;
      part_of(there, report.at).counts += report.counts;
    }
    if (back != 0) {
      Path& on = path_of(back, report.at);
      on.back += report.counts;
      part_of(on, report.at).back += report.counts;
    }
  }
  count_seconds(path, back, report);
  if (report.exchange) on_exchange(flow, path, report);
}

void OnewayModel::count_seconds(std::uint32_t path, std::uint32_t back, const StreamReport& report) {
  if (report.packets.empty()) return;
  Path* const there = path == 0 ? nullptr : find(path);
  Path* const on = back == 0 ? nullptr : find(back);
  for (const stamp::SettledPacket& packet : report.packets) {
    using enum stamp::PacketFate;
    const bool only_round_trip = packet.fate == round_trip || packet.fate == lost_anywhere;
    if (there != nullptr) {
      if (only_round_trip) {
        there->unresolved_seconds.add(packet.sent, packet.fate == lost_anywhere);
      } else {
        there->forward_seconds.add(packet.sent, packet.fate == lost_forward);
      }
    }
    if (on != nullptr && !only_round_trip && packet.fate != lost_forward)
      on->reverse_seconds.add(packet.sent, packet.fate == lost_reverse);
  }
  const Instant settled = report.at - settled_after_;
  if (there != nullptr) {
    there->forward_seconds.close(settled);
    there->unresolved_seconds.close(settled);
  }
  if (on != nullptr) on->reverse_seconds.close(settled);
}

/// A reflector may name whatever path it likes, and another one with each reply.
void OnewayModel::take_reverse_path(Flow& flow, const stamp::OwnTlv::Path& path, Instant at) {
  const std::uint32_t id = path.id;
  if (flow.told.reverse_path != id || flow.routers.size() != path.hops) {
    flow.told.reverse_path = id;
    flow.told.reverse_routers = nullptr;
    flow.routers.assign(path.hops <= kMostRouters ? path.hops : 0, IpAddress());
    flow.reported = 0;
  }
  if (path.hop >= 1 && path.hop <= flow.routers.size()) {
    const std::uint64_t bit = std::uint64_t{1} << (path.hop - 1);
    IpAddress& router = flow.routers[path.hop - 1u];
    const bool changed = (flow.reported & bit) == 0 || router != path.address;
    router = path.address;
    flow.reported |= bit;
    const std::size_t size = flow.routers.size();
    const bool all = flow.reported == ~std::uint64_t{0} >> (kMostRouters - size);
    if (changed && all) flow.told.reverse_routers = std::make_shared<const std::vector<IpAddress>>(flow.routers);
  }
  if (id == flow.back) return;
  const bool room = id == 0 || find(id) != nullptr || paths_.size() < (1 + kReversePathsPerFlow) * flows_.size() + 8;
  flow.back = room ? id : 0;
  if (flow.back != 0) path_of(flow.back, at);
}

void OnewayModel::on_exchange(Flow& flow, std::uint32_t path, const StreamReport& report) {
  const StreamExchange& exchange = *report.exchange;
  synchronised_ = exchange.synchronised;
  clock_error_ = exchange.delay ? std::optional(exchange.delay->error) : std::nullopt;
  if (exchange.back) take_reverse_path(flow, *exchange.back, report.at);
  if (std::exchange(flow.path, path) != path) flow.variation.reset();
  if (!exchange.times) return;
  const auto variation = flow.variation.add(*exchange.times, exchange.ttl_there, exchange.ttl_back);
  if (!variation) {
    forward_.reset();
    reverse_.reset();
    return;
  }
  if (path != 0) {
    Path& there = path_of(path, report.at);
    add(there.forward, part_of(there, report.at).forward, variation->forward);
    forward_.add(report.at, path, exchange.times->forward());
  }
  if (const std::uint32_t back = flow.back != 0 ? flow.back : path; back != 0) {
    Path& on = path_of(back, report.at);
    add(on.reverse, part_of(on, report.at).reverse, variation->reverse);
    reverse_.add(report.at, back, exchange.times->reverse());
  }
  add_delay(path, flow.back != 0 ? flow.back : path, report);
}

void OnewayModel::add_delay(std::uint32_t path, std::uint32_t back, const StreamReport& report) {
  if (!report.exchange->delay) return;
  if (path != 0) {
    Path& there = path_of(path, report.at);
    add(there.forward_delay, part_of(there, report.at).forward_delay, report.exchange->delay->forward);
  }
  if (back != 0) {
    Path& on = path_of(back, report.at);
    add(on.reverse_delay, part_of(on, report.at).reverse_delay, report.exchange->delay->reverse);
  }
}

ReflectorSnapshot OnewayModel::reflector(Instant now) const {
  ReflectorSnapshot made;
  if (answered_ != Instant::min() && now - answered_ <= silent_after_) {
    made.up = true;
  } else if (begun_ != Instant{} && now - begun_ > silent_after_) {
    made.up = false;
  }
  made.mode = mode_;
  made.synchronised = synchronised_;
  made.restarts = restarts_;
  made.clock_error = clock_error_;
  return made;
}

OnewayPathSnapshot OnewayModel::snapshot_of(const Path& path, Instant now) const {
  OnewayPathSnapshot out;
  out.path = path.id;
  out.counts = path.counts;
  out.back = path.back;
  out.forward = path.forward;
  out.reverse = path.reverse;
  out.forward_seconds = path.forward_seconds.sum();
  out.reverse_seconds = path.reverse_seconds.sum();
  out.unresolved_seconds = path.unresolved_seconds.sum();
  const std::uint32_t number = scale_.part(now);
  Histogram forward, reverse, forward_delay, reverse_delay;
  for (const Part& part : path.window) {
    if (((number - part.number) & WindowScale::kPartMask) >= WindowScale::kParts) continue;
    out.window += part.counts;
    out.back_window += part.back;
    forward.merge(part.forward);
    reverse.merge(part.reverse);
    forward_delay.merge(part.forward_delay);
    reverse_delay.merge(part.reverse_delay);
  }
  out.exchanges = forward.view().count();
  out.back_exchanges = reverse.view().count();
  out.forward_window = quantiles_of(forward);
  out.reverse_window = quantiles_of(reverse);
  out.forward_delay = {path.forward_delay, forward_delay.view().count(), quantiles_of(forward_delay)};
  out.reverse_delay = {path.reverse_delay, reverse_delay.view().count(), quantiles_of(reverse_delay)};
  out.relative_forward = forward_.of(path.id);
  out.relative_reverse = reverse_.of(path.id);
  return out;
}

std::shared_ptr<const OnewayPathSnapshot> OnewayModel::for_rounds(std::uint32_t id, Instant now) {
  Path* const path = id == 0 ? nullptr : find(id);
  if (path == nullptr) return nullptr;
  if (path->published == nullptr || now - path->published_at > scale_.refresh()) {
    path->published = std::make_shared<const OnewayPathSnapshot>(snapshot_of(*path, now));
    path->published_at = now;
  }
  return path->published;
}

std::shared_ptr<const OnewayRound> OnewayModel::round(std::uint32_t flow_index, std::uint32_t path, Instant now) {
  if (flow_index >= flows_.size()) return nullptr;
  Flow& flow = flows_[flow_index];
  auto made = std::make_shared<OnewayRound>();
  made->flow = flow.told;
  made->flow.counts -= flow.in_rounds.counts;
  made->flow.duplicates_forward -= flow.in_rounds.duplicates_forward;
  made->flow.duplicates_reverse -= flow.in_rounds.duplicates_reverse;
  flow.in_rounds = flow.told;
  made->reflector = reflector(now);
  made->there = for_rounds(path, now);
  made->back = flow.back == 0 ? made->there : for_rounds(flow.back, now);
  return made;
}

std::shared_ptr<const OnewaySnapshot> OnewayModel::snapshot(Instant now) {
  std::erase_if(paths_, [&](const Path& path) { return now - path.used > kRetention; });
  auto made = std::make_shared<OnewaySnapshot>();
  static_cast<ReflectorSnapshot&>(*made) = reflector(now);
  for (const Flow& flow : flows_)
    made->flows.push_back(flow.told);
  for (const Path& path : paths_)
    made->paths.push_back(snapshot_of(path, now));
  return made;
}

}  // namespace ecmp
