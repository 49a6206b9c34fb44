// What sending and capturing cost, and how well RTTs agree with those of another tap. Run by send_bench.sh.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "net/probe_io/capture_filter.hpp"
#include "net/probe_io/packet_sender.hpp"
#include "net/probe_io/raw_transport.hpp"
#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::net {
namespace {

constexpr std::size_t kBatch = 64;
constexpr std::uint16_t kFirstPort = 20000;

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

FlowSpec flow_to(const char* destination, Protocol protocol, std::uint16_t port) {
  FlowSpec spec;
  spec.tuple.destination = IpAddress::parse(destination).value();
  spec.tuple.protocol = protocol;
  spec.tuple.source_port = port;
  spec.tuple.destination_port = protocol == Protocol::icmp ? 0 : 33434;
  return spec;
}

struct Batch {
  std::array<std::array<std::uint8_t, 60>, kBatch> storage{};
  std::array<Outgoing, kBatch> datagrams{};

  Batch(const char* source, const char* destination) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      packet::ProbeDatagram fields;
      fields.tuple = flow_to(destination, Protocol::udp, static_cast<std::uint16_t>(kFirstPort + i)).tuple;
      fields.tuple.source = IpAddress::parse(source).value();
      fields.ttl = 5;
      fields.ip_id = 1;
      fields.total_size = 60;
      fields.checksum = 0x1234;
      datagrams[i].bytes = packet::write_probe(fields, storage[i]);
      datagrams[i].flow = static_cast<std::uint32_t>(i);
    }
  }
};

std::unique_ptr<RawTransport> open_transport(const CaptureOptions& options = {}) {
  auto transport = RawTransport::open(options);
  if (!transport) {
    std::fprintf(stderr, "%s\n", transport.error().c_str());
    std::exit(1);
  }
  return std::move(*transport);
}

/// A raw IP socket with sendmmsg and nothing else.
class RawBatch {
 public:
  explicit RawBatch(Batch& batch) : descriptor_(::socket(AF_INET, SOCK_RAW, IPPROTO_RAW)) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      to_[i].sin_family = AF_INET;
      std::memcpy(&to_[i].sin_addr, batch.datagrams[i].bytes.data() + 16, 4);
      parts_[i] = {batch.storage[i].data(), batch.storage[i].size()};
      messages_[i].msg_hdr.msg_name = &to_[i];
      messages_[i].msg_hdr.msg_namelen = sizeof to_[i];
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  void send() {
    if (::sendmmsg(descriptor_.get(), messages_.data(), kBatch, 0) != static_cast<int>(kBatch)) std::perror("sendmmsg");
  }

 private:
  FileDescriptor descriptor_;
  std::array<sockaddr_in, kBatch> to_{};
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

class Count : public CaptureSink {
 public:
  void on_captured(const Captured&) override { ++count; }
  std::uint64_t count = 0;
};

/// Nanoseconds of CPU per packet of `turns` batches.
template <typename Send>
double cost(std::size_t turns, Send send) {
  for (std::size_t i = 0; i < turns / 10; ++i)
    send();
  const double before = cpu_seconds();
  for (std::size_t i = 0; i < turns; ++i)
    send();
  return (cpu_seconds() - before) * 1e9 / static_cast<double>(turns * kBatch);
}

void add_flows(RawTransport& transport, const char* destination) {
  for (std::size_t i = 0; i < kBatch; ++i)
    (void)transport.add_flow(static_cast<std::uint32_t>(i),
                             flow_to(destination, Protocol::udp, static_cast<std::uint16_t>(kFirstPort + i)));
}

void bench_sending() {
  Batch batch("10.0.0.1", "10.9.9.9");
  RawBatch raw(batch);
  constexpr std::size_t kTurns = 6000;
  for (int round = 0; round < 3; ++round) {
    std::printf("raw sendmmsg alone:              %5.0f ns/packet\n", cost(kTurns, [&] { raw.send(); }));
    {
      CaptureOptions options;
      const auto transport = open_transport(options);
      Count count;
      // No flows yet: the tap is there, the filter drops everything.
      std::printf("raw sendmmsg, tap, no match:     %5.0f ns/packet\n", cost(kTurns, [&] { raw.send(); }));
      add_flows(*transport, "10.9.9.9");
      transport->send({});
      const auto receive = [&] { transport->receive(transport->now(), count); };
      std::printf("raw sendmmsg + capture:          %5.0f ns/packet\n", cost(kTurns, [&] {
                    raw.send();
                    receive();
                  }));
      count.count = 0;
      const auto before = transport->counters();
      std::printf("RawTransport send + capture:     %5.0f ns/packet", cost(kTurns, [&] {
                    transport->send(batch.datagrams);
                    receive();
                  }));
      const auto after = transport->counters();
      std::printf("  (captured %lu, dropped %lu, raw %lu)\n", after.captured - before.captured,
                  after.capture_dropped - before.capture_dropped, after.sent_raw - before.sent_raw);
    }
    auto packets = PacketSender::open();
    NeighbourTable neighbours(std::move(*NetlinkSocket::open()));
    RouteLookup lookup(std::move(*NetlinkSocket::open()));
    RouteQuery query;
    query.tuple = flow_to("10.9.9.9", Protocol::udp, kFirstPort).tuple;
    const Route route = std::get<Route>(lookup.find(query));
    const LinkAddress address = neighbours.resolve({route.interface, route.gateway});
    std::printf("packet sendmmsg alone:           %5.0f ns/packet\n", cost(kTurns, [&] {
                  for (Outgoing& datagram : batch.datagrams)
                    packets->add(datagram, route.interface, address);
                  packets->flush(Instant{});
                }));
    const double before = cpu_seconds();
    for (int i = 0; i < 20000; ++i)
      (void)lookup.find(query);
    std::printf("route look-up (two questions):   %5.0f ns\n", (cpu_seconds() - before) * 1e9 / 20000);
  }
}

/// 38.4 kpps for some seconds, paced by receive()'s deadline, with different block timeouts.
void bench_blocks() {
  for (const int timeout : {1, 4, 10, 20}) {
    CaptureOptions options;
    options.block_timeout = std::chrono::milliseconds(timeout);
    const auto transport = open_transport(options);
    Batch batch("10.0.0.1", "10.9.9.9");
    for (const bool capturing : {false, true}) {
      if (capturing) add_flows(*transport, "10.9.9.9");
      RawBatch raw(batch);
      Count count;
      constexpr Duration kGap = std::chrono::nanoseconds(kBatch * 1'000'000'000 / 38400);
      Instant next = transport->now();
      const Instant end = next + std::chrono::seconds(4);
      std::uint64_t sent = 0;
      rusage before{};
      ::getrusage(RUSAGE_SELF, &before);
      const double cpu = cpu_seconds();
      while (next < end) {
        if (capturing) {
          transport->send(batch.datagrams);
        } else {
          raw.send();
        }
        sent += kBatch;
        next += kGap;
        while (transport->now() < next)
          transport->receive(next, count);
      }
      const double used = cpu_seconds() - cpu;
      rusage after{};
      ::getrusage(RUSAGE_SELF, &after);
      const auto counters = transport->counters();
      std::printf(
          "block timeout %2d ms, %-26s %5.0f ns/packet, captured %lu, dropped %lu, %ld waits\n", timeout,
          capturing ? "packet sockets + capture:" : "raw sockets, no match:", used * 1e9 / static_cast<double>(sent),
          counters.captured, counters.capture_dropped, after.ru_nvcsw - before.ru_nvcsw);
    }
  }
}

struct Rtt {
  Instant user{}, out{}, in{}, other_out{}, other_in{};
};

void print_quantiles(const char* what, std::vector<double> values) {
  std::ranges::sort(values);
  if (values.empty()) return;
  const auto at = [&](double q) {
    return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
  };
  std::printf("%-52s p1 %6.2f  p50 %6.2f  p99 %6.2f us (%zu)\n", what, at(0.01), at(0.5), at(0.99), values.size());
}

class Pings : public CaptureSink {
 public:
  std::map<std::uint32_t, Rtt> rtts;  ///< by sequence
  void on_captured(const Captured& datagram) override {
    const std::uint32_t sequence = load16(datagram.bytes, 26);
    (datagram.direction == Direction::outgoing ? rtts[sequence].out : rtts[sequence].in) = datagram.at;
  }
};

void bench_rtt(int timeout) {
  CaptureOptions options;
  options.block_timeout = std::chrono::milliseconds(timeout);
  const auto transport = open_transport(options);
  CaptureOptions other_options;
  other_options.block_timeout = std::chrono::milliseconds(1);
  auto other = Capture::open(other_options);
  const FlowSpec spec = flow_to("10.0.1.2", Protocol::icmp, kFirstPort);
  WantedPorts ports;
  ports.own[static_cast<std::size_t>(Protocol::icmp)] = {{kFirstPort, kFirstPort}};
  (void)other->set_filter(build_filter(ports));
  const auto source = transport->add_flow(1, spec);
  Pings pings;
  const auto read_other = [&] {
    (void)other->read(1000, [&](const CapturedFrame& frame) {
      Rtt& rtt = pings.rtts[load16(frame.datagram, 26)];
      (frame.outgoing ? rtt.other_out : rtt.other_in) = Instant(frame.stamp.time_since_epoch());
    });
  };
  for (std::uint32_t sequence = 1; sequence <= 5000; ++sequence) {
    packet::ProbeDatagram fields;
    fields.tuple = spec.tuple;
    fields.tuple.source = *source;
    fields.ttl = 64;
    fields.total_size = 60;
    fields.checksum = 0x1234;
    fields.sequence = sequence;
    std::array<std::uint8_t, 60> storage{};
    std::array<Outgoing, 1> batch{};
    batch[0].bytes = packet::write_probe(fields, storage);
    batch[0].flow = 1;
    transport->send(batch);
    pings.rtts[sequence].user = batch[0].at;
    const Instant next = transport->now() + std::chrono::microseconds(500);
    while (transport->now() < next)
      transport->receive(next, pings);
    read_other();
  }
  const Instant end = transport->now() + std::chrono::milliseconds(100);
  while (transport->now() < end)
    transport->receive(end, pings);
  read_other();
  std::vector<double> wire, against_tap, user;
  const auto us = [](Duration duration) { return static_cast<double>(duration.count()) * 1e-3; };
  for (const auto& [sequence, rtt] : pings.rtts) {
    if (sequence < 100 || rtt.out == Instant{} || rtt.in == Instant{} || rtt.other_in == Instant{}) continue;
    wire.push_back(us(rtt.in - rtt.out));
    against_tap.push_back(us((rtt.in - rtt.out) - (rtt.other_in - rtt.other_out)));
    user.push_back(us((rtt.in - rtt.user) - (rtt.in - rtt.out)));
  }
  std::printf("block timeout %d ms\n", timeout);
  print_quantiles("  RTT by the capture's stamps", wire);
  print_quantiles("  its error against another tap", against_tap);
  print_quantiles("  error if sends were stamped by the user's clock", user);
}

}  // namespace
}  // namespace ecmp::net

int main() {
  using namespace ecmp::net;
  bench_sending();
  bench_blocks();
  for (const int timeout : {1, 4, 10})
    bench_rtt(timeout);
  return 0;
}
