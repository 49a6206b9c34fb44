// How much memory the exporter needs, everything but its sockets and threads: engine, models, snapshots, history and
// scrapes, over a network of canned answers whose time passes as fast as it can. RTTs vary as they do behind queues,
// one probe in a hundred is lost.
//
//   memory_bench [DESTINATIONS [MINUTES [WIDTH [HISTORY_MIB]]]]
//
// WIDTH is how many paths the 32 flows of a destination are spread over; 32, a path for each flow, is the most there
// can be to keep. Not a test: figures are for people.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <queue>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "agent/history/round_log.hpp"
#include "agent/http/scrape_stream.hpp"
#include "agent/memory.hpp"
#include "agent/tracing/board.hpp"
#include "agent/tracing/tracing.hpp"
#include "bench/canned_reply.hpp"
#include "net/http/http_encoding.hpp"

namespace ecmp {
namespace {

constexpr std::uint16_t kFlows = 32;
constexpr std::uint8_t kHops = 15;
constexpr double kMebibyte = 1 << 20;

/// A field of /proc/self/status in MiB: VmRSS is what is resident, VmHWM the most that ever was.
double resident(std::string_view field) {
  std::FILE* const status = std::fopen("/proc/self/status", "r");
  char line[256];  // NOLINT
  double mebibytes = 0;
  while (status != nullptr && std::fgets(line, sizeof line, status) != nullptr) {
    if (std::string_view(line).starts_with(field)) mebibytes = std::strtod(line + field.size() + 1, nullptr) / 1024;
  }
  if (status != nullptr) std::fclose(status);
  return mebibytes;
}

void forget_peak() {
  if (std::FILE* const file = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", file);
    std::fclose(file);
  }
}

/// Answers each probe after a millisecond a hop and some queueing. Hands over probes and replies in the order of their
/// stamps, in blocks of 10 ms as the capture does.
class Network final : public Transport {
 public:
  explicit Network(std::uint8_t width) : width_(width) {}

  Instant now() override { return now_; }

  void send(std::span<Outgoing> batch) override {
    for (Outgoing& outgoing : batch) {
      outgoing.at = now_;
      outgoing.error = SendError::none;
      std::vector<std::uint8_t> probe(outgoing.bytes.begin(), outgoing.bytes.end());
      if (chance_(random_) >= 0.01) {
        std::vector<std::uint8_t> reply(bench::kLargestReply);
        reply.resize(bench::write_reply(probe, kHops, reply, width_));
        const auto delay = static_cast<std::int64_t>(1e6 * probe[8] + queueing_(random_));
        events_.push({now_ + Duration(delay), Direction::incoming, std::move(reply)});
      }
      events_.push({now_, Direction::outgoing, std::move(probe)});
    }
    probes += batch.size();
  }

  void receive(Instant deadline, CaptureSink& sink) override {
    constexpr Duration kBlock = std::chrono::milliseconds(10);
    if (block_ > deadline) {
      now_ = std::max(now_, deadline);
      return;
    }
    now_ = std::max(now_, block_);
    block_ += kBlock;
    for (; !events_.empty() && events_.top().at <= now_; events_.pop())
      sink.on_captured({events_.top().bytes, events_.top().at, events_.top().direction});
  }

  std::uint64_t probes = 0;

 private:
  struct Event {
    Instant at;
    Direction direction;
    std::vector<std::uint8_t> bytes;
    friend bool operator<(const Event& a, const Event& b) { return a.at > b.at; }
  };

  std::uint8_t width_;
  Instant now_ = Instant(std::chrono::hours(1));
  Instant block_ = now_;
  std::priority_queue<Event> events_;
  std::mt19937_64 random_{1};
  std::exponential_distribution<double> queueing_{1.0 / 200e3};  // mean 0.2 ms
  std::uniform_real_distribution<double> chance_{0, 1};
};

class OneRoute final : public Routes {
 public:
  std::optional<IpAddress> add_flow(std::uint32_t /*flow*/, const FiveTuple& /*tuple*/, const RouteWish&) override {
    return IpAddress::v4(0x0a000001);
  }
  void remove_flow(std::uint32_t /*flow*/) override {}
};

config::Config configuration(std::uint32_t destinations) {
  config::Config config;
  for (std::uint32_t i = 0; i < destinations; ++i) {
    config::Destination made;
    made.address = IpAddress::v4(0x0ac80000u + i);
    made.name = made.host = made.address->to_string();
    made.flows = kFlows;
    made.interval = std::chrono::seconds(10);
    config.destinations.push_back(std::move(made));
  }
  return config;
}

/// The exporter without sockets and threads.
struct Exporter {
  Exporter(const config::Config& config, std::uint8_t width, std::size_t history)
      : network(width),
        engine({.secret = {1, 2}, .probes_per_second = 1e9, .probes_per_second_per_responder = 1e9}),
        log(history),
        tracing(config, engine, routes,
                {.round = [this](std::shared_ptr<const RoundRecord> record) { log.add(std::move(record)); },
                 .snapshots = [this](std::shared_ptr<const Snapshots> made) { board.put(std::move(made)); },
                 .resolve = {},
                 .warn = [](std::string_view, std::string_view message) { std::puts(std::string(message).c_str()); },
                 .responder = {},
                 .gone = {}}) {
    tracing.start(network.now());
  }

  /// As the agent's loop turns.
  void run(Duration time) {
    for (const Instant end = network.now() + time; network.now() < end;) {
      drive_once(engine, network, tracing, network.now() + std::chrono::milliseconds(100),
                 std::chrono::milliseconds(1));
      tracing.maintain(network.now());
    }
  }

  Network network;
  OneRoute routes;
  Engine engine;
  Board board;
  RoundLog log;
  Tracing tracing;
};

/// A scrape as the web server sends it.
void scrape(const Exporter& exporter, const char* name, render::Format format, bool compressed) {
  forget_peak();
  const double before = resident("VmRSS");
  std::uint64_t series = 0;
  ScrapeStream stream(exporter.board.get(), render::NoNames(), {.format = format}, nullptr,
                      [&](std::string&, const render::RenderOutcome& outcome, Duration) { series = outcome.series; });
  net::GzipEncoder gzip;
  std::string piece, packed;
  std::size_t bytes = 0;
  for (bool more = true; more;) {
    piece.clear();
    more = stream.next(piece, Instant::max()) != net::BodyStream::Next::end;
    if (compressed) {
      packed.clear();
      gzip.append(piece, more ? net::GzipEncoder::Flush::none : net::GzipEncoder::Flush::end, packed);
    }
    bytes += compressed ? packed.size() : piece.size();
  }
  const double peak = resident("VmHWM");
  std::printf("  a scrape, %-18s %8.1f MB, %7lu series: %6.1f MiB more at its peak of %.1f MiB\n", name,
              static_cast<double>(bytes) * 1e-6, series, peak - before, peak);
}

int run(std::uint32_t destinations, double minutes, std::uint8_t width, double history_mebibytes) {
  settle_memory();
  const double empty = resident("VmRSS");
  const config::Config config = configuration(destinations);
  Exporter exporter(config, width, static_cast<std::size_t>(history_mebibytes * kMebibyte));
  double most = 0;
  for (double passed = 0; passed < minutes; passed += 0.5) {
    exporter.run(std::chrono::seconds(30));
    most = std::max(most, resident("VmRSS"));
  }
  const double full = resident("VmRSS");
  const auto history = exporter.log.size();
  std::size_t hops = 0, paths = 0, buckets = 0;
  for (const auto& snapshot : *exporter.board.get()) {
    paths += snapshot->paths.size();
    for (const PathSnapshot& path : snapshot->paths) {
      hops += path.hops.size();
      for (const HopSnapshot& hop : path.hops) {
        buckets += hop.statistics->rtt().bytes().size() + hop.statistics->jitter().bytes().size() +
                   hop.statistics->loss().bytes().size();
      }
    }
  }
  const double history_size = static_cast<double>(history.bytes) / kMebibyte;
  const double flow_hops = static_cast<double>(destinations) * kFlows * kHops;
  std::printf("%u destinations x %u flows x %u hops each 10 s, %zu paths, %zu hops on them, %.0f minutes, %lu probes\n",
              destinations, unsigned{kFlows}, unsigned{kHops}, paths, hops, minutes, exporter.network.probes);
  std::printf("  resident %.1f MiB, at the most %.1f; %.1f of it the empty process, %.1f history (%lu rounds)\n", full,
              most, empty, history_size, history.rounds);
  const struct mallinfo2 heap = mallinfo2();
  std::printf("  allocated %.1f MiB; the heap holds %.1f MiB that is free\n",
              static_cast<double>(heap.uordblks + heap.hblkhd) / kMebibyte,
              static_cast<double>(heap.fordblks) / kMebibyte);
  std::printf("  %.0f bytes per flow-hop without these two, %.0f per hop of a path; %.1f of them buckets\n",
              (full - empty - history_size) * kMebibyte / flow_hops,
              (full - empty - history_size) * kMebibyte / static_cast<double>(hops),
              static_cast<double>(buckets) / static_cast<double>(hops));
  scrape(exporter, "text", render::Format::text, false);
  scrape(exporter, "text, gzip", render::Format::text, true);
  scrape(exporter, "protobuf", render::Format::protobuf, false);
  scrape(exporter, "protobuf, gzip", render::Format::protobuf, true);
  return 0;
}

}  // namespace
}  // namespace ecmp

int main(int argc, char** argv) {
  const auto argument = [&](int at, double otherwise) {
    return argc > at ? std::strtod(argv[at], nullptr) : otherwise;
  };
  return ecmp::run(static_cast<std::uint32_t>(argument(1, 100)), argument(2, 30),
                   static_cast<std::uint8_t>(argument(3, 32)), argument(4, 64));
}
