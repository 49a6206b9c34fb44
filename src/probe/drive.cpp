#include <algorithm>

#include "probe/engine.hpp"

namespace ecmp {
namespace {

/// Hands what the transport captured to the engine.
class EngineSink : public CaptureSink {
 public:
  EngineSink(Engine& engine, RoundSink& rounds) : engine_(engine), rounds_(rounds) {}
  void on_captured(const Captured& datagram) override { engine_.on_captured(datagram, rounds_); }

 private:
  Engine& engine_;
  RoundSink& rounds_;
};

/// Enough for one system call to be cheap, few enough that captured replies do not wait.
constexpr std::size_t kBatch = 128;

}  // namespace

void drive_once(Engine& engine, Transport& transport, RoundSink& rounds, Instant until, Duration quantum) {
  const Instant now = transport.now();
  const auto batch = engine.poll(now, kBatch, rounds);
  const bool full = batch.size() == kBatch;
  if (!batch.empty()) {
    transport.send(batch);
    engine.on_sent(batch);
  }
  EngineSink sink(engine, rounds);
  const Instant due = std::max(engine.next_due(), now + quantum);
  transport.receive(full ? now : std::min(due, until), sink);
}

void drive(Engine& engine, Transport& transport, RoundSink& rounds, Instant end) {
  while (transport.now() < end)
    drive_once(engine, transport, rounds, end, Duration{0});
}

}  // namespace ecmp
