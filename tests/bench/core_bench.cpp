// Nanoseconds of CPU per probe for the core alone: engine, codec, packets and path model. The network is an array of
// canned answers; its own cost is measured in the same run, by replaying the very same calls to it without the core,
// and subtracted. Not a test: figures are for people, run it on a quiet machine.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "bench/canned_reply.hpp"
#include "path/model/destination_model.hpp"
#include "probe/engine.hpp"

namespace ecmp {
namespace {

constexpr std::uint8_t kHops = 12;
constexpr std::uint16_t kFlows = 32;
constexpr Duration kInterval = std::chrono::seconds(10);
constexpr Duration kDelay = std::chrono::milliseconds(2);
constexpr std::size_t kProbe = 60;

double cpu_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

/// Answers every probe as a network of twelve hops with sixteen equal branches at the fourth would, after kDelay. Like
/// the capture of the real transport it hands over probes and replies, in blocks of 10 ms.
class CannedNetwork final : public Transport {
 public:
  Instant now() override { return now_; }

  void send(std::span<Outgoing> batch) override {
    for (Outgoing& outgoing : batch) {
      outgoing.at = now_;
      outgoing.error = SendError::none;
      Slot& slot = slots_.emplace_back();
      slot.at = now_;
      std::memcpy(slot.probe.data(), outgoing.bytes.data(), kProbe);
      bench::write_reply(slot.probe, kHops, slot.reply);
    }
    probes += batch.size();
  }

  void receive(Instant deadline, CaptureSink& sink) override {
    const bool due = next_reply_ < slots_.size();
    if (!due || block_ > deadline) {
      now_ = std::max(now_, deadline);
      while (!due && block_ <= now_)
        block_ += kBlock;
      return;
    }
    now_ = std::max(now_, block_);
    hand_over(sink);
    block_ += kBlock;
  }

  std::uint64_t probes = 0;

 private:
  static constexpr Duration kBlock = std::chrono::milliseconds(10);

  struct Slot {
    Instant at{};
    std::array<std::uint8_t, kProbe> probe;
    std::array<std::uint8_t, 28 + kProbe> reply;
  };

  void hand_over(CaptureSink& sink) {
    // In the order of their stamps.
    while (next_reply_ < slots_.size()) {
      const Instant reply_at = slots_[next_reply_].at + kDelay;
      if (next_probe_ < slots_.size() && slots_[next_probe_].at <= reply_at) {
        const Slot& slot = slots_[next_probe_];
        if (slot.at > now_) break;
        ++next_probe_;
        sink.on_captured({slot.probe, slot.at, Direction::outgoing});
      } else {
        if (reply_at > now_) break;
        sink.on_captured({slots_[next_reply_++].reply, reply_at, Direction::incoming});
      }
    }
    if (next_reply_ == slots_.size()) {
      slots_.clear();
      next_reply_ = next_probe_ = 0;
    } else if (next_reply_ > 4096) {
      slots_.erase(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(next_reply_));
      next_probe_ -= next_reply_;
      next_reply_ = 0;
    }
  }

  Instant now_ = Instant(std::chrono::hours(1));
  Instant block_ = now_ + kBlock;
  std::vector<Slot> slots_;
  std::size_t next_probe_ = 0, next_reply_ = 0;
};

/// Every call to the network, to be made again.
class Recorder final : public Transport {
 public:
  explicit Recorder(CannedNetwork& network) : network_(network), begin_(network.now()) {}
  Instant now() override { return network_.now(); }
  void send(std::span<Outgoing> batch) override {
    calls_.push_back({batch.size(), Duration{}});
    for (const Outgoing& outgoing : batch)
      bytes_.insert(bytes_.end(), outgoing.bytes.begin(), outgoing.bytes.end());
    network_.send(batch);
  }
  void receive(Instant deadline, CaptureSink& sink) override {
    calls_.push_back({0, deadline - begin_});
    network_.receive(deadline, sink);
  }

  void replay(CannedNetwork& network, CaptureSink& sink) const {
    const Instant begin = network.now();
    std::array<Outgoing, 128> batch{};
    std::size_t at = 0;
    for (const Call& call : calls_) {
      for (std::size_t i = 0; i < call.probes; ++i, at += kProbe)
        batch[i].bytes = ByteView(bytes_).subspan(at, kProbe);
      if (call.probes != 0) {
        network.send(std::span(batch).first(call.probes));
      } else {
        network.receive(begin + call.deadline, sink);
      }
    }
  }

 private:
  struct Call {
    std::size_t probes;  ///< 0: receive
    Duration deadline;   ///< from the beginning
  };
  CannedNetwork& network_;
  Instant begin_;
  std::vector<Call> calls_;
  std::vector<std::uint8_t> bytes_;
};

class Count final : public CaptureSink {
 public:
  void on_captured(const Captured& datagram) override { bytes += datagram.bytes.size(); }
  std::uint64_t bytes = 0;
};

/// The engine with a path model for each destination, as the exporter has them.
class Core final : public RoundSink {
 public:
  Core(std::uint32_t destinations, Instant now)
      : engine_({.secret = {1, 2}, .probes_per_second = 1e9, .probes_per_second_per_responder = 1e9}) {
    for (std::uint32_t i = 0; i < destinations; ++i) {
      DestinationPlan plan;
      plan.address = IpAddress::v4(0x0ac80000u + i);
      plan.flows = kFlows;
      plan.interval = kInterval;
      plan.timeout = std::chrono::seconds(2);
      plan.phase = i;
      const std::uint32_t first = engine_.add(plan, now).value();
      auto facts = std::make_shared<DestinationFacts>();
      facts->name = plan.address.to_string();
      facts->host = facts->name;
      facts->address = plan.address;
      facts->port = plan.port;
      facts->source_ports = plan.source_ports;
      facts->flows = kFlows;
      facts->interval = kInterval;
      models_.push_back(std::make_unique<DestinationModel>(std::move(facts), ModelOptions{}));
      for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
        engine_.set_source(first + flow, IpAddress::v4(0x0a000001));
        models_.back()->set_source(flow, IpAddress::v4(0x0a000001));
      }
    }
  }

  void on_round(const Round& round) override {
    ++rounds;
    reached += round.reached() && round.distance == kHops ? 1u : 0u;
    const PathVerdict verdict = models_[round.flow / kFlows]->on_round(round.flow % kFlows, round);
    changes += verdict.changed != ChangeKind::none ? 1u : 0u;
  }

  void run(Transport& network, Duration time) {
    const Instant end = network.now() + time;
    // As the agent's loop turns.
    while (network.now() < end)
      drive_once(engine_, network, *this, end, std::chrono::milliseconds(1));
  }

  /// Nanoseconds for snapshots of all destinations, once.
  double snapshots(Instant now) {
    const double before = cpu_nanoseconds();
    std::size_t paths = 0;
    for (const auto& model : models_)
      paths += model->snapshot(now)->paths.size();
    if (paths == 0) std::puts("no path");
    return cpu_nanoseconds() - before;
  }

  [[nodiscard]] const EngineCounters& counters() const { return engine_.counters(); }
  std::uint64_t rounds = 0, reached = 0, changes = 0;

 private:
  Engine engine_;
  std::vector<std::unique_ptr<DestinationModel>> models_;
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void measure(std::uint32_t destinations, int repeats) {
  CannedNetwork network;
  Core core(destinations, network.now());
  core.run(network, kInterval * 3);
  Recorder recorder(network);
  core.run(recorder, kInterval);

  CannedNetwork alone;
  Count count;
  recorder.replay(alone, count);
  std::vector<double> all, own;
  const std::uint64_t rounds = core.rounds, reached = core.reached;
  for (int i = 0; i < repeats; ++i) {
    const std::uint64_t before = network.probes, before_alone = alone.probes;
    const double begin = cpu_nanoseconds();
    core.run(network, kInterval);
    const double middle = cpu_nanoseconds();
    recorder.replay(alone, count);
    const double end = cpu_nanoseconds();
    all.push_back((middle - begin) / static_cast<double>(network.probes - before));
    own.push_back((end - middle) / static_cast<double>(alone.probes - before_alone));
  }
  std::vector<double> snapshots;
  for (int i = 0; i < 5; ++i)
    snapshots.push_back(core.snapshots(network.now()) / destinations);
  std::uint64_t ignored = 0;
  for (const std::uint64_t reason : core.counters().ignored)
    ignored += reason;
  // Everything that runs beside us takes its part of the caches: the least of the runs is nearest to a quiet machine.
  std::printf(
      "  %4u destinations x %u flows x %u hops: %5.0f ns/probe, at the least %5.0f (network: %2.0f); a snapshot %.0f "
      "us\n",
      destinations, kFlows, kHops, median(all) - median(own), std::ranges::min(all) - median(own), median(own),
      median(snapshots) / 1e3);
  std::printf("    %lu rounds, %lu of them not whole, %lu changes of paths, %lu replies ignored, %lu rounds skipped\n",
              core.rounds - rounds, core.rounds - rounds - (core.reached - reached), core.changes, ignored,
              core.counters().rounds_skipped);
}

}  // namespace
}  // namespace ecmp

int main() {
  ecmp::measure(100, 50);
  ecmp::measure(1000, 9);
  return 0;
}
