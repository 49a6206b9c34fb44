// A fixed scenario whose cost is counted, not timed: instructions per probe under `valgrind --tool=callgrind`, and
// calls of operator new per round by the program itself. Counts are repeatable where times are not, so they are a test:
// tests/tidy/test_counts.py compares them with counts.txt beside
// this file.
//
// It is the way of a probe through ecmp_exporter without sockets and threads: engine, path models, snapshots, the log
// of rounds, events, names that are wanted and localisation. Time is virtual: 100 destinations x 32 flows x 12 hops
// each 10 s, all else as by default.
//
//   core_counts [INTERVALS [WARM_UP [READERS]]]      intervals that are counted, and those before
// By default nobody reads figures, as they are read by a scrape: with READERS of 1 somebody does every 15 s.
// Callgrind is to collect in ecmp::counted_turn alone; what ecmp::network_answers takes is the network's.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <vector>

#include "agent/history/event_log.hpp"
#include "agent/history/round_log.hpp"
#include "agent/tracing/board.hpp"
#include "agent/tracing/tracing.hpp"
#include "bench/canned_reply.hpp"
#include "net/dns/name_cache.hpp"
#include "path/localisation/balance_watch.hpp"
#include "path/localisation/localisation.hpp"

namespace {

// What operator new counts, which has no other place for it.
std::uint64_t allocations = 0;         // NOLINT
std::uint64_t engine_allocations = 0;  // NOLINT: of these, those of the engine
bool counting = false;                 // NOLINT
bool in_engine = false;                // NOLINT

void* allocate(std::size_t size) {
  if (counting) ++allocations;
  if (counting && in_engine) ++engine_allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;  // NOLINT
  std::abort();
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  std::free(memory);  // NOLINT
}
void operator delete[](void* memory) noexcept {
  std::free(memory);  // NOLINT
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);  // NOLINT
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);  // NOLINT
}

namespace ecmp {

// As tests/bench/counts.txt calls what has compiled this.
#define ECMP_TEXT_OF(number) #number
#define ECMP_TEXT(number) ECMP_TEXT_OF(number)
#if defined(__x86_64__)
#define ECMP_ARCHITECTURE "x86_64"
#else
#define ECMP_ARCHITECTURE "other"
#endif
#if defined(__clang__)
constexpr const char* kCompiler = "clang-" ECMP_TEXT(__clang_major__) "-" ECMP_ARCHITECTURE;
#else
constexpr const char* kCompiler = "g++-" ECMP_TEXT(__GNUC__) "-" ECMP_ARCHITECTURE;
#endif

constexpr std::uint32_t kDestinations = 100;
constexpr std::uint16_t kFlows = 32;
constexpr std::uint8_t kHops = 12;
constexpr Duration kInterval = std::chrono::seconds(10);
constexpr Duration kWindow = std::chrono::minutes(5);
constexpr Duration kLook = std::chrono::seconds(5);
constexpr std::size_t kProbe = 60;
/// Less than the rounds before those that are counted take, so that as many are forgotten as come.
constexpr std::size_t kHistory = std::size_t{16} << 20;

/// A probe under way, and what will be answered to it.
struct Slot {
  Instant at{};
  Duration delay{};
  std::array<std::uint8_t, kProbe> probe{};
  std::array<std::uint8_t, 28 + kProbe> reply{};
};

/// Not counted: the test takes off what callgrind found in it.
[[gnu::noinline]] void network_answers(std::span<Outgoing> batch, Instant now, std::vector<Slot>& slots,
                                       std::uint64_t& random) {
  for (Outgoing& outgoing : batch) {
    outgoing.at = now;
    outgoing.error = SendError::none;
    Slot& slot = slots.emplace_back();
    slot.at = now;
    random = random * 6364136223846793005u + 1442695040888963407u;
    // A millisecond a hop and up to one of queueing, so that RTTs fall into several buckets.
    slot.delay = std::chrono::milliseconds(2) + std::chrono::microseconds(100 * outgoing.bytes[8]) +
                 std::chrono::nanoseconds((random >> 33) % 1'000'000);
    std::memcpy(slot.probe.data(), outgoing.bytes.data(), kProbe);
    bench::write_reply(slot.probe, kHops, slot.reply);
  }
}

/// Answers every probe, and hands over probes and replies in blocks of 10 ms as the capture does.
class CannedNetwork final : public Transport {
 public:
  CannedNetwork() { slots_.reserve(std::size_t{1} << 20); }
  Instant now() override { return now_; }

  void send(std::span<Outgoing> batch) override {
    network_answers(batch, now_, slots_, random_);
    probes += batch.size();
  }

  void receive(Instant deadline, CaptureSink& sink) override {
    if (next_ == slots_.size() || block_ > deadline) {
      now_ = std::max(now_, deadline);
      while (next_ == slots_.size() && block_ <= now_)
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

  void hand_over(CaptureSink& sink) {
    for (; outgoing_ < slots_.size() && slots_[outgoing_].at <= now_; ++outgoing_)
      sink.on_captured({slots_[outgoing_].probe, slots_[outgoing_].at, Direction::outgoing});
    for (; next_ < slots_.size() && slots_[next_].at + slots_[next_].delay <= now_; ++next_)
      sink.on_captured({slots_[next_].reply, slots_[next_].at + slots_[next_].delay, Direction::incoming});
    if (next_ < slots_.size()) return;
    slots_.clear();
    next_ = outgoing_ = 0;
  }

  Instant now_ = Instant(std::chrono::hours(1));
  Instant block_ = now_ + kBlock;
  std::uint64_t random_ = 1;
  std::vector<Slot> slots_;
  std::size_t outgoing_ = 0, next_ = 0;
};

class OneRoute final : public Routes {
 public:
  std::optional<IpAddress> add_flow(std::uint32_t /*flow*/, const FiveTuple& /*tuple*/, const RouteWish&) override {
    return IpAddress::v4(0x0a000001);
  }
  void remove_flow(std::uint32_t /*flow*/) override {}
};

config::Config configuration() {
  config::Config config;
  config.window = kWindow;
  config.history_memory = kHistory;
  for (std::uint32_t i = 0; i < kDestinations; ++i) {
    config::Destination made;
    made.address = IpAddress::v4(0x0ac80000u + i);
    made.name = made.host = made.address->to_string();
    made.flows = kFlows;
    made.interval = kInterval;
    config.destinations.push_back(std::move(made));
  }
  return config;
}

/// The exporter without sockets and threads.
struct Exporter {
  explicit Exporter(const config::Config& config)
      : engine({.secret = {1, 2}, .probes_per_second = 1e9, .probes_per_second_per_responder = 1e9}),
        log(config.history_memory),
        events(std::size_t{4} << 20),
        names({}),
        localisation({.window = kWindow}),
        tracing(config, engine, routes,
                {.round =
                     [this](std::shared_ptr<const RoundRecord> record) {
                       ++rounds;
                       events.on_round(*record);
                       log.add(std::move(record));
                     },
                 .snapshots = [this](std::shared_ptr<const Snapshots> made) { board.put(std::move(made)); },
                 .resolve = {},
                 .warn = [](std::string_view, std::string_view message) { std::puts(std::string(message).c_str()); },
                 .responder = [this](const IpAddress& address) { names.want(address, network.now()); },
                 .gone = {},
                 .figures_read = [this] { return board.take_read(); },
                 .spare = [this] { return log.take_spare(); }}) {
    tracing.start(network.now());
  }

  CannedNetwork network;
  OneRoute routes;
  Engine engine;
  Board board;
  RoundLog log;
  EventLog events;
  net::NameCache names;
  Localisation localisation;
  BalanceWatch balance;
  Tracing tracing;
  std::uint64_t rounds = 0;
  std::uint64_t localised = 0;  ///< rounds that the localiser has read
  Instant look_at = Instant(std::chrono::hours(1)) + kLook;
  Instant housekeeping_at{};
  Duration read_every{};  ///< 0: nobody reads
  Instant read_at{};
};

/// As the localiser does on its own thread.
void localise(Exporter& exporter, Instant now) {
  while (true) {
    const History::Page page = exporter.log.read({}, exporter.localised, 64);
    for (const auto& record : page.records)
      exporter.localisation.on_round(*record);
    if (page.next == exporter.localised) break;
    exporter.localised = page.next;
  }
  if (now < exporter.look_at) return;
  exporter.look_at = now + kLook;
  const auto snapshots = exporter.board.get();
  std::set<std::string_view> traced;
  for (const auto& snapshot : *snapshots) {
    traced.insert(snapshot->facts->name);
    exporter.balance.on_snapshot(*snapshot, WallTime(now.time_since_epoch()));
  }
  exporter.balance.forget_gone();
  exporter.localisation.keep_only(traced);
  const auto report = exporter.localisation.pass(now, {});
  exporter.events.add(exporter.localisation.take_events());
  exporter.events.add(exporter.balance.take_events());
}

/// The engine is done with a round.
class Finished final : public RoundSink {
 public:
  explicit Finished(RoundSink& next) : next_(next) {}
  void on_round(const Round& round) override {
    in_engine = false;
    next_.on_round(round);
    in_engine = true;
  }

 private:
  RoundSink& next_;
};

/// One turn of the agent's loop.
void turn(Exporter& exporter) {
  const Instant now = exporter.network.now();
  Finished finished(exporter.tracing);
  in_engine = true;
  drive_once(exporter.engine, exporter.network, finished, now + std::chrono::milliseconds(100),
             std::chrono::milliseconds(1));
  in_engine = false;
  if (now >= exporter.housekeeping_at) {
    exporter.housekeeping_at = now + std::chrono::milliseconds(50);
    exporter.events.maintain(now);
    localise(exporter, now);
  }
  if (exporter.read_every > Duration::zero() && now >= exporter.read_at) {
    exporter.read_at = now + exporter.read_every;
    static_cast<void>(exporter.board.figures());
  }
  exporter.tracing.maintain(now);
  exporter.board.settle(exporter.tracing.figures_are_new());
  exporter.log.settle();
}

[[gnu::noinline]] void counted_turn(Exporter& exporter) {
  turn(exporter);
}

int run(int intervals, int warm_up, bool readers) {
  const config::Config config = configuration();
  Exporter exporter(config);
  exporter.read_every = readers ? std::chrono::seconds(15) : Duration::zero();
  for (const Instant end = exporter.network.now() + kInterval * warm_up; exporter.network.now() < end;)
    turn(exporter);
  const std::uint64_t probes = exporter.network.probes, rounds = exporter.rounds;
  counting = true;
  for (const Instant end = exporter.network.now() + kInterval * intervals; exporter.network.now() < end;)
    counted_turn(exporter);
  counting = false;
  const std::uint64_t counted = exporter.rounds - rounds;
  std::printf("compiler %s\nprobes %lu\nrounds %lu\nallocations_per_round %.3f\nengine_allocations %lu\n", kCompiler,
              exporter.network.probes - probes, counted,
              static_cast<double>(allocations) / static_cast<double>(std::max<std::uint64_t>(counted, 1)),
              engine_allocations);
  return 0;
}

}  // namespace ecmp

int main(int argc, char** argv) {
  const auto argument = [&](int at, int otherwise) { return argc > at ? std::atoi(argv[at]) : otherwise; };  // NOLINT
  return ecmp::run(argument(1, 1), argument(2, 13), argument(3, 0) != 0);
}
