#include <algorithm>

#include "probe/engine.hpp"

namespace ecmp {
namespace {

/// Hands what the transport captured to the engine.
class EngineSink : public CaptureSink {
 public:
  EngineSink(Engine& engine, RoundSink& rounds) : engine_(engine), rounds_(rounds) {}
  void on_captured(const Captured& datagram) override {
    ++taken_;
    engine_.on_captured(datagram, rounds_);
  }
  void on_gap(const Gap& gap) override { engine_.on_gap(gap); }
  [[nodiscard]] std::size_t taken() const { return taken_; }

 private:
  std::size_t taken_ = 0;
  Engine& engine_;
  RoundSink& rounds_;
};

/// Enough for one system call to be cheap, few enough that captured replies do not wait.
constexpr std::size_t kBatch = 128;

/// So much later than due, a turn finds answers waiting that came in time: they go before the timeouts.
constexpr Duration kLate = std::chrono::milliseconds(20);
/// And so much later, whatever is between the network and the capture may have overflowed unnoticed.
constexpr Duration kStalled = std::chrono::seconds(1);
/// More than the capture's ring holds.
constexpr std::size_t kMostReads = 64;

/// Catches up after the loop was not run for a while.
void catch_up(Engine& engine, Transport& transport, EngineSink& sink, Instant due, Instant now) {
  for (std::size_t i = 0, before = 0; i < kMostReads; ++i, before = sink.taken()) {
    transport.receive(now, sink);
    if (sink.taken() == before) break;
  }
  if (now - due > kStalled) engine.on_gap({due, now, Unobserved::stalled});
}

}  // namespace

void drive_once(Engine& engine, Transport& transport, RoundSink& rounds, Instant until, Duration quantum) {
  const Instant now = transport.now();
  EngineSink sink(engine, rounds);
  if (const Instant due = engine.next_due(); due < now && now - due > kLate)
    catch_up(engine, transport, sink, due, now);
  const auto batch = engine.poll(now, kBatch, rounds);
  const bool full = batch.size() == kBatch;
  if (!batch.empty()) {
    transport.send(batch);
    engine.on_sent(batch);
  }
  const Instant due = std::max(engine.next_due(), now + quantum);
  transport.receive(full ? now : std::min(due, until), sink);
}

void drive(Engine& engine, Transport& transport, RoundSink& rounds, Instant end) {
  while (transport.now() < end)
    drive_once(engine, transport, rounds, end, Duration{0});
}

}  // namespace ecmp
