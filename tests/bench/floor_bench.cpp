// The least that probing can cost: the same packets as the exporter's at the same pace, sent by AF_PACKET sendmmsg in
// batches each millisecond and captured by libpcap in blocks of 10 ms, with no logic whatever. With --no-capture it
// only sends: what is then left is the network's own cost, as far as the kernel charges it to the sender. Prints JSON.
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <map>
#include <pcap/pcap.h>
#include <poll.h>
#include <string>
#include <vector>

#include "net/probe_io/packet_sender.hpp"
#include "net/routing/route_lookup.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::net {
namespace {

constexpr std::uint16_t kFirstPort = 50000;
/// Enough for all to be there several times over in a second, few enough to stay in the cache, as those of a program
/// that builds each before it sends it.
constexpr std::size_t kDatagrams = 2048;

struct Options {
  std::string interface = "tun0";
  std::string first = "10.200.0.1";
  unsigned destinations = 1000, flows = 32, hops = 12, pps = 38400, seconds = 10;
  bool capture = true;
};

Options parse(int count, char** arguments) {
  Options options;
  std::map<std::string, unsigned*> numbers = {{"--destinations", &options.destinations},
                                              {"--flows", &options.flows},
                                              {"--hops", &options.hops},
                                              {"--pps", &options.pps},
                                              {"--seconds", &options.seconds}};
  for (int i = 1; i < count; ++i) {
    const std::string name = arguments[i];
    if (name == "--no-capture") {
      options.capture = false;
    } else if (i + 1 < count && name == "--interface") {
      options.interface = arguments[++i];
    } else if (i + 1 < count && name == "--first") {
      options.first = arguments[++i];
    } else if (i + 1 < count && numbers.contains(name)) {
      *numbers[name] = static_cast<unsigned>(std::max(1, std::atoi(arguments[++i])));
    } else {
      std::fprintf(stderr, "floor_bench: what is %s?\n", name.c_str());
      std::exit(2);
    }
  }
  return options;
}

Instant monotonic_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

double cpu_nanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "floor_bench: %s\n", why.c_str());
  std::exit(1);
}

class Datagrams {
 public:
  Datagrams(const Options& options, const IpAddress& source) {
    const std::uint32_t first = load32(IpAddress::parse(options.first).value().bytes(), 0);
    storage_.resize(kDatagrams);
    for (std::size_t i = 0; i < kDatagrams; ++i) {
      packet::ProbeDatagram probe;
      const auto flow = static_cast<std::uint32_t>(i / options.hops);
      // Neighbours in time are of different destinations, as the exporter's are.
      probe.tuple = {source, IpAddress::v4(first + flow * 37 % options.destinations), Protocol::udp,
                     static_cast<std::uint16_t>(kFirstPort + flow % options.flows), 33434};
      probe.ttl = static_cast<std::uint8_t>(i % options.hops + 1);
      probe.ip_id = static_cast<std::uint16_t>(i);
      probe.total_size = 60;
      probe.checksum = static_cast<std::uint16_t>(0x1000 + i);
      Outgoing& outgoing = datagrams.emplace_back();
      outgoing.bytes = packet::write_probe(probe, storage_[i]);
    }
  }
  std::vector<Outgoing> datagrams;

 private:
  std::vector<std::array<std::uint8_t, 60>> storage_;
};

pcap_t* open_capture(const Options& options) {
  char text[PCAP_ERRBUF_SIZE] = "";
  pcap_t* handle = pcap_create(options.interface.c_str(), text);
  if (handle == nullptr) fail(text);
  pcap_set_snaplen(handle, 640);
  pcap_set_timeout(handle, 10);
  pcap_set_buffer_size(handle, 16 << 20);
  pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
  if (pcap_activate(handle) < 0 || pcap_setnonblock(handle, 1, text) < 0) fail(pcap_geterr(handle));
  bpf_program program{};
  if (pcap_compile(handle, &program, "icmp or udp src portrange 50000-50999", 1, PCAP_NETMASK_UNKNOWN) < 0 ||
      pcap_setfilter(handle, &program) < 0) {
    fail(pcap_geterr(handle));
  }
  return handle;
}

void on_packet(unsigned char* captured, const pcap_pkthdr*, const unsigned char*) {
  ++*reinterpret_cast<std::uint64_t*>(captured);
}

int run(const Options& options) {
  auto packets = PacketSender::open();
  if (!packets) fail(packets.error());
  NeighbourTable neighbours(std::move(*NetlinkSocket::open()));
  RouteLookup lookup(std::move(*NetlinkSocket::open()));
  RouteQuery query;
  query.tuple.destination = IpAddress::parse(options.first).value();
  query.tuple.protocol = Protocol::udp;
  query.tuple.source_port = kFirstPort;
  query.tuple.destination_port = 33434;
  const auto answer = lookup.find(query);
  if (!std::holds_alternative<Route>(answer)) fail("no route");
  const Route route = std::get<Route>(answer);
  // Of a device without link addresses it has size 0, which is right there.
  const LinkAddress address = neighbours.resolve({route.interface, route.gateway});
  Datagrams datagrams(options, route.source);
  pcap_t* capture = options.capture ? open_capture(options) : nullptr;
  pollfd ready{capture != nullptr ? pcap_get_selectable_fd(capture) : -1, POLLIN, 0};

  std::uint64_t sent = 0, captured = 0, errors = 0;
  const Instant begin = monotonic_now();
  const Instant end = begin + std::chrono::seconds(options.seconds);
  const double cpu = cpu_nanoseconds();
  for (Instant now = begin; now < end; now = monotonic_now()) {
    const auto due = static_cast<std::uint64_t>((now - begin).count()) * options.pps / 1'000'000'000u;
    for (; sent < due; ++sent) {
      packets->add(datagrams.datagrams[sent % kDatagrams], route.interface, address);
      if (packets->full()) packets->flush(now);
    }
    if (!packets->empty()) packets->flush(now);
    const Instant wake = now + std::chrono::milliseconds(1);
    for (Instant at = monotonic_now(); at < wake; at = monotonic_now()) {
      const timespec wait{0, (wake - at).count()};
      if (::ppoll(&ready, 1, &wait, nullptr) > 0)
        (void)pcap_dispatch(capture, 4096, on_packet, reinterpret_cast<unsigned char*>(&captured));
    }
  }
  const double used = cpu_nanoseconds() - cpu;
  for (const Outgoing& outgoing : datagrams.datagrams)
    errors += outgoing.error != SendError::none ? 1u : 0u;
  pcap_stat statistics{};
  if (capture != nullptr) {
    (void)pcap_stats(capture, &statistics);
    pcap_close(capture);
  }
  std::printf("{\"sent\": %lu, \"captured\": %lu, \"dropped\": %u, \"send_errors\": %lu, \"cpu_ns\": %.0f}\n", sent,
              captured, statistics.ps_drop, errors, used);
  return 0;
}

}  // namespace
}  // namespace ecmp::net

int main(int count, char** arguments) {
  return ecmp::net::run(ecmp::net::parse(count, arguments));
}
