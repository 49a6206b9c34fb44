#include "samples.hpp"

#include <stdexcept>

namespace ecmp::packet::samples {
namespace {

const Bytes kOurAddress6 = hex("20010db8000000000000000000000001");
const Bytes kRouterAddress6 = hex("20010db80000000000000000000000fe");

void put16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes.at(at) = static_cast<std::uint8_t>(value >> 8);
  bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}

}  // namespace

Bytes hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Bytes bytes;
  int half = -1;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == ' ') continue;
    if (c == '*') {
      std::size_t count = 0;
      while (at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9')
        count = count * 10 + static_cast<std::size_t>(text[++at] - '0');
      bytes.insert(bytes.end(), count - 1, bytes.back());
      continue;
    }
    const std::size_t digit = kDigits.find(c);
    if (digit == std::string_view::npos) throw std::invalid_argument("not hexadecimal");
    if (half < 0) {
      half = static_cast<int>(digit);
    } else {
      bytes.push_back(static_cast<std::uint8_t>(half * 16 + static_cast<int>(digit)));
      half = -1;
    }
  }
  if (half >= 0) throw std::invalid_argument("half a byte");
  return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::uint16_t plain_sum(ByteView bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : std::uint32_t{bytes[i]};
    sum = (sum & 0xffffu) + (sum >> 16);
  }
  return static_cast<std::uint16_t>((sum & 0xffffu) + (sum >> 16));
}

std::uint16_t plain_pseudo_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                               std::size_t length) {
  const ByteView from = source.bytes();
  const ByteView to = destination.bytes();
  Bytes header(from.begin(), from.end());
  header.insert(header.end(), to.begin(), to.end());
  for (const int shift : {24, 16, 8, 0})
    header.push_back(static_cast<std::uint8_t>(length >> shift));
  return plain_sum(header + Bytes{0, 0, 0, protocol});
}

FiveTuple tuple(Family family, Protocol protocol) {
  FiveTuple tuple;
  const bool v4 = family == Family::ipv4;
  tuple.source = *IpAddress::parse(v4 ? "198.51.100.1" : "2001:db8::1");
  tuple.destination = *IpAddress::parse(v4 ? "192.0.2.1" : "2001:db8:ffff::1");
  tuple.protocol = protocol;
  tuple.source_port = 50000;
  tuple.destination_port = protocol == Protocol::udp ? 33434 : protocol == Protocol::tcp ? 443 : 0;
  return tuple;
}

ProbeDatagram probe(Family family, Protocol protocol, std::uint16_t total_size) {
  ProbeDatagram probe;
  probe.tuple = tuple(family, protocol);
  probe.ttl = 7;
  probe.dscp = 46;
  probe.flow_label = family == Family::ipv6 ? 0xabcde : 0;
  probe.ip_id = family == Family::ipv4 ? 0x1234 : 0;
  probe.total_size = total_size != 0 ? total_size : static_cast<std::uint16_t>(minimum_size(family, protocol));
  probe.checksum = 0xbeef;
  probe.sequence = protocol == Protocol::tcp ? 0xdeadbeef : 0x4321;
  probe.tag = {1, 2, 3, 4, 5, 6, 7, 8};
  return probe;
}

ProbeDatagram random_probe(Family family, Protocol protocol, std::mt19937_64& random) {
  const std::size_t smallest = minimum_size(family, protocol);
  ProbeDatagram probe = samples::probe(family, protocol, static_cast<std::uint16_t>(smallest + random() % 64));
  probe.tuple.source_port = static_cast<std::uint16_t>(random());
  if (protocol != Protocol::icmp) probe.tuple.destination_port = static_cast<std::uint16_t>(random());
  probe.ttl = static_cast<std::uint8_t>(random());
  probe.dscp = random() % 64;
  if (family == Family::ipv6) probe.flow_label = random() & 0xfffff;
  if (family == Family::ipv4) probe.ip_id = static_cast<std::uint16_t>(random());
  probe.checksum = static_cast<std::uint16_t>(1 + random() % 0xffff);
  probe.sequence = static_cast<std::uint32_t>(protocol == Protocol::tcp ? random() : random() & 0xffff);
  for (std::uint8_t& byte : probe.tag)
    byte = static_cast<std::uint8_t>(random());
  return probe;
}

Bytes written(const ProbeDatagram& probe) {
  Bytes bytes(probe.total_size, 0xee);
  const ByteView view = write_probe(probe, bytes);
  if (view.data() != bytes.data() || view.size() != bytes.size()) throw std::logic_error("not written");
  return bytes;
}

Bytes ip(Family family, std::uint8_t protocol, const Bytes& payload, std::uint8_t ttl) {
  if (family == Family::ipv6) {
    Bytes header = hex("60000000 0000 00 00") + kRouterAddress6 + kOurAddress6;
    put16(header, 4, payload.size());
    header[6] = protocol;
    header[7] = ttl;
    return header + payload;
  }
  Bytes header = hex("45000000 00000000 00000000 cb007101 c6336401");
  put16(header, 2, header.size() + payload.size());
  header[8] = ttl;
  header[9] = protocol;
  put16(header, 10, 0xffffu ^ plain_sum(header));
  return header + payload;
}

Bytes icmp(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t rest, const Bytes& body) {
  Bytes message{type, code, 0, 0};
  for (const int shift : {24, 16, 8, 0})
    message.push_back(static_cast<std::uint8_t>(rest >> shift));
  message = message + body;
  std::uint16_t pseudo = 0;
  if (family == Family::ipv6)
    pseudo = plain_pseudo_sum(IpAddress::v6(ByteView(kRouterAddress6).first<16>()),
                              IpAddress::v6(ByteView(kOurAddress6).first<16>()), 58, message.size());
  put16(message, 2, 0xffffu ^ plain_sum(message, pseudo));
  return ip(family, family == Family::ipv4 ? 1 : 58, message);
}

Bytes time_exceeded(Family family, const Bytes& quote, std::uint32_t rest) {
  return icmp(family, family == Family::ipv4 ? 11 : 3, 0, rest, quote);
}

Bytes extension(const Bytes& objects) {
  Bytes bytes = hex("20000000") + objects;
  put16(bytes, 2, 0xffffu ^ plain_sum(bytes));
  return bytes;
}

Bytes mpls_objects() {
  return hex("000c0101 03e84001 05dc5bff");
}

MplsStack mpls_stack() {
  MplsStack stack;
  stack.labels[0] = {16004, 0, false, 1};
  stack.labels[1] = {24005, 5, true, 255};
  stack.depth = 2;
  return stack;
}

Bytes padded(Bytes bytes, std::size_t size) {
  bytes.resize(size);
  return bytes;
}

}  // namespace ecmp::packet::samples
