#include "transport_probes.hpp"

#include <stdexcept>

#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::net::test {

void Collector::on_captured(const Captured& datagram) {
  seen.push_back({{datagram.bytes.begin(), datagram.bytes.end()}, datagram.at, datagram.direction});
}

IpAddress address(const char* text) {
  return IpAddress::parse(text).value();
}

FlowSpec udp_flow(const char* destination, std::uint16_t source_port) {
  FlowSpec spec;
  spec.tuple.destination = address(destination);
  spec.tuple.source_port = source_port;
  spec.tuple.destination_port = 33434;
  return spec;
}

Outgoing probe(std::uint32_t flow, const FlowSpec& spec, const IpAddress& source, std::uint8_t ttl,
               std::vector<std::uint8_t>& storage) {
  packet::ProbeDatagram fields;
  fields.tuple = spec.tuple;
  fields.tuple.source = source;
  fields.ttl = ttl;
  fields.ip_id = 7;
  fields.total_size = 80;
  fields.checksum = 0x1234;
  storage.resize(fields.total_size);
  Outgoing outgoing;
  outgoing.bytes = packet::write_probe(fields, storage);
  outgoing.flow = flow;
  return outgoing;
}

std::unique_ptr<RawTransport> open_transport() {
  auto transport = RawTransport::open();
  if (!transport) throw std::runtime_error(transport.error());
  return std::move(*transport);
}

bool receive_until(RawTransport& transport, Collector& collector, const std::function<bool()>& enough) {
  const Instant deadline = transport.now() + std::chrono::seconds(10);
  while (!enough()) {
    if (transport.now() >= deadline) return false;
    transport.receive(transport.now() + std::chrono::milliseconds(50), collector);
  }
  return true;
}

std::optional<IpAddress> first_error_from(const Collector& collector) {
  for (const Seen& seen : collector.seen) {
    if (seen.direction != Direction::incoming) continue;
    const packet::Message message = packet::parse(seen.bytes);
    if (const auto* error = std::get_if<packet::IcmpError>(&message)) return error->from;
  }
  return std::nullopt;
}

GatewayNetwork::GatewayNetwork() {
  enter_new_network();
  run("sysctl -qw net.ipv6.conf.default.accept_dad=0");
  gateway.run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
  add_wire("0");
  gateway.run("ip addr add 10.9.9.9/32 dev lo; ip -6 addr add fd09::9/128 dev lo nodad");
  run("ip route add 10.9.0.0/16 via 10.0.0.2; ip -6 route add fd09::/64 via fd00::2");
}

void GatewayNetwork::add_wire(const std::string& n) const {
  run("ip link add v" + n + " type veth peer name p" + n + " netns " + gateway.name());
  run("ip link set v" + n + " up; ip addr add 10.0." + n + ".1/24 dev v" + n);
  gateway.run("ip link set p" + n + " up; ip addr add 10.0." + n + ".2/24 dev p" + n);
  const std::string prefix = n == "0" ? "fd00::" : "fd00:0:0:" + n + "::";
  run("ip -6 addr add " + prefix + "1/64 dev v" + n + " nodad");
  gateway.run("ip -6 addr add " + prefix + "2/64 dev p" + n + " nodad");
}

}  // namespace ecmp::net::test
