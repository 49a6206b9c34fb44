// An engine with flows under way is handed arbitrary datagrams: whatever they are, it survives, tells rounds in order
// and believes nobody who does not know its secret. Input: a length byte and so many bytes of datagram, again and
// again; a length of 0 lets 100 ms pass.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <vector>

#include "packet/message.hpp"
#include "probe/engine.hpp"

namespace {

using namespace ecmp;

class Rounds final : public RoundSink {
 public:
  void on_round(const Round& round) override {
    const auto [last, is_new] = last_.try_emplace(round.flow, round.number);
    if (!is_new && round.number <= last->second) std::abort();
    last->second = round.number;
    for (std::size_t i = 0; i < round.hops.size(); ++i)
      if (round.hops[i].ttl != i + 1) std::abort();
  }

 private:
  std::map<std::uint32_t, std::uint32_t> last_;
};

void begin(Engine& engine, const IpAddress& to, const IpAddress& from, Protocol protocol, Instant now) {
  const auto flow = engine.add({.address = to,
                                .protocol = protocol,
                                .flows = 2,
                                .interval = std::chrono::milliseconds(200),
                                .timeout = std::chrono::milliseconds(300),
                                .max_ttl = 4},
                               now);
  if (!flow) std::abort();
  engine.set_source(*flow, from);
  engine.set_source(*flow + 1, from);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Engine engine({.secret = {0x5eed, 0x5eed}});
  Rounds rounds;
  Instant now{std::chrono::hours(1)};
  // The addresses of the golden datagrams' documentation networks, so that some inputs are about flows of ours.
  for (const Protocol protocol : {Protocol::udp, Protocol::tcp, Protocol::icmp}) {
    begin(engine, IpAddress::v4(0xc6336401), IpAddress::v4(0xc0000201), protocol, now);
    begin(engine, *IpAddress::parse("2001:db8:1::1"), *IpAddress::parse("2001:db8::1"), protocol, now);
  }
  ByteView input(data, size);
  while (!input.empty()) {
    const std::size_t length = std::min<std::size_t>(input.front(), input.size() - 1);
    input = input.subspan(1);
    if (length == 0) {
      now += std::chrono::milliseconds(100);
      const auto batch = engine.poll(now, 64, rounds);
      for (Outgoing& outgoing : batch)
        outgoing.at = now;
      engine.on_sent(batch);
      continue;
    }
    const std::vector<std::uint8_t> exact(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(length));
    input = input.subspan(length);
    now += std::chrono::microseconds(10);
    engine.on_captured(
        {.bytes = exact, .at = now, .direction = length % 2 == 0 ? Direction::incoming : Direction::outgoing}, rounds);
  }
  for (int turn = 0; turn < 10; ++turn) {
    now += std::chrono::milliseconds(100);
    const auto batch = engine.poll(now, 64, rounds);
    for (Outgoing& outgoing : batch)
      outgoing.error = SendError::no_buffers;
    engine.on_sent(batch);
  }
  return 0;
}
