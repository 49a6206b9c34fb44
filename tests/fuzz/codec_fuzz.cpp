// Whatever the secret, the flow and the identity: a probe that is written, quoted and read again is the same probe, and
// nothing of what routers hash depends on its identity. Bytes: secret 16, flags 1, ports 4, identity 3, cut 2.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "packet/message.hpp"
#include "probe/codec.hpp"

namespace {

using namespace ecmp;
using packet::ProbeDatagram;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Takes numbers from the front; zeros when there are none left.
class Input {
 public:
  explicit Input(ByteView bytes) : bytes_(bytes) {}
  std::uint64_t take(std::size_t count) {
    std::uint64_t value = 0;
    for (; count > 0; --count) {
      value = value << 8 | (bytes_.empty() ? 0u : bytes_.front());
      if (!bytes_.empty()) bytes_ = bytes_.subspan(1);
    }
    return value;
  }

 private:
  ByteView bytes_;
};

std::vector<std::uint8_t> written(const ProbeDatagram& probe) {
  std::vector<std::uint8_t> bytes(probe.total_size);
  require(packet::write_probe(probe, bytes).size() == bytes.size());
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input({data, size});
  const SipKey secret{input.take(8), input.take(8)};
  const auto flags = input.take(1);
  const auto protocol = static_cast<Protocol>(flags % 3);
  const bool v4 = (flags & 4) != 0;
  ProbeDatagram probe;
  probe.tuple.protocol = protocol;
  probe.tuple.source = v4 ? IpAddress::v4(0xc0000201) : *IpAddress::parse("2001:db8::1");
  probe.tuple.destination = v4 ? IpAddress::v4(0xc6336401) : *IpAddress::parse("2001:db8:1::1");
  probe.tuple.source_port = static_cast<std::uint16_t>(input.take(2) | 1);
  probe.tuple.destination_port =
      protocol == Protocol::icmp ? std::uint16_t{0} : static_cast<std::uint16_t>(input.take(2) | 1);
  const ProbeIdentity identity{.ttl = static_cast<std::uint8_t>(input.take(1) | 1),
                               .round = static_cast<std::uint8_t>(input.take(1) % ProbeIdentity::kRounds),
                               .attempt = static_cast<std::uint8_t>(input.take(1) % ProbeIdentity::kAttempts)};
  const auto minimum = packet::minimum_size(probe.tuple.destination.family(), protocol);
  probe.total_size = static_cast<std::uint16_t>(minimum + input.take(2) % 64);

  const FlowCodec codec(protocol, derive_flow_secret(secret, probe.tuple));
  codec.encode(identity, probe);
  const auto bytes = written(probe);
  const auto parsed = packet::parse_probe(bytes);
  const auto* quote = std::get_if<packet::Quote>(&parsed);
  require(quote != nullptr);
  const auto decoded = codec.decode(*quote);
  require(decoded.match == FlowCodec::Decoded::Match::full && decoded.identity == identity);

  // Another flow's secret does not read it as its own with both places in agreement but by chance, and never crashes.
  (void)FlowCodec(protocol, SipKey{secret[1], secret[0]}).decode(*quote);

  ProbeDatagram other = probe;
  ProbeIdentity next = identity;
  next.round = static_cast<std::uint8_t>((identity.round + 1) % ProbeIdentity::kRounds);
  codec.encode(next, other);
  require(other.total_size == probe.total_size && other.flow_label == probe.flow_label);
  if (protocol == Protocol::icmp) require(other.checksum == probe.checksum);
  return 0;
}
