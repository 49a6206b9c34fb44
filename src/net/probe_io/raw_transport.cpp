#include "net/probe_io/raw_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "net/probe_io/capture_filter.hpp"
#include "net/probe_io/clock_mapping.hpp"
#include "net/probe_io/held_ports.hpp"
#include "net/probe_io/loopback_direction.hpp"
#include "net/probe_io/packet_sender.hpp"
#include "net/probe_io/port_holders.hpp"
#include "net/probe_io/raw_sender.hpp"
#include "net/probe_io/repeated_frames.hpp"
#include "net/probe_io/send_failure.hpp"
#include "net/routing/link_table.hpp"
#include "net/routing/neighbour_table.hpp"

namespace ecmp::net {
namespace {

/// Work of one call of receive(): everything beyond waits for the next.
constexpr std::size_t kCapturesPerCall = 4096;
constexpr std::size_t kNotificationsPerCall = 256;
constexpr std::size_t kChecksPerCall = 16;

/// While there are flows, receive() returns at least this often, so that their neighbours are looked after.
constexpr Duration kLongestWait = std::chrono::seconds(1);
/// Reading two clocks takes a moment too.
constexpr Duration kLeastSleep = std::chrono::milliseconds(100);
constexpr Duration kForgetEvery = std::chrono::seconds(60);
/// How long a capture that reports errors is left alone: its descriptor stays readable.
constexpr Duration kCapturePause = std::chrono::seconds(1);

constexpr std::array<unsigned, 9> kGroups = {RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
                                             RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                             RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP};

Duration read_clock(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

Instant monotonic_now() {
  return Instant(read_clock(CLOCK_MONOTONIC));
}

/// The monotonic clock stands still while the host is suspended, the other one does not.
Duration slept() {
  return read_clock(CLOCK_BOOTTIME) - read_clock(CLOCK_MONOTONIC);
}

ClockSample sample_clocks() {
  ClockSample sample;
  sample.before = monotonic_now();
  sample.wall = WallTime(read_clock(CLOCK_REALTIME));
  sample.after = monotonic_now();
  return sample;
}

}  // namespace

class RawTransport::State {
 public:
  State(Capture capture, PacketSender packets, RawSender raw, std::array<NetlinkSocket, 4> sockets, PortHolders holders,
        FileDescriptor wake);

  std::optional<IpAddress> add_flow(std::uint32_t flow, const FlowSpec& spec);
  void remove_flow(std::uint32_t flow);
  void keep_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports);
  void drop_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports);
  void send(std::span<Outgoing> batch);
  void receive(Instant deadline, CaptureSink& sink);
  void wake();
  RawTransportCounters counters();

  RouteTable routes;
  LinkTable links;
  ClockMapping clock;

 private:
  std::optional<RouteQuery> query_of(const FlowSpec& spec) const;
  void send_one(Outgoing& datagram);
  void send_raw(Outgoing& datagram, std::uint32_t interface);
  void send_unresolved(Outgoing& datagram, FlowRoute& flow);
  void resolve(FlowRoute& flow);
  void check_neighbours(Instant now);
  bool take_link(const NetlinkMessage& message);
  void take_notification(const NetlinkMessage& message);
  void take_notifications();
  void read_capture(CaptureSink& sink);
  void tell_gaps(CaptureSink& sink);
  void hand_over(const CapturedFrame& frame, CaptureSink& sink);
  void install_filter();

  Capture capture_;
  PacketSender packets_;
  RawSender raw_;
  NetlinkSocket notifications_, requests_;
  RouteLookup lookup_;
  NeighbourTable neighbours_;
  PortHolders holders_;
  HeldPorts held_ports_;
  FileDescriptor wake_;

  PortCensus ports_;
  WantedPorts filtered_;  ///< what the installed filter lets pass
  bool filter_outdated_ = false;
  bool unread_ = false;  ///< the capture had more than kCapturesPerCall
  RepeatedFrames repeated_;
  Instant capture_pause_;
  Instant next_forget_;
  std::vector<std::uint32_t> cut_;  ///< flows whose interface went down in this call
  Instant looked_{};                ///< when the capture was last known to have missed nothing
  Duration slept_ = slept();        ///< how long the host has been suspended in all
  RawTransportCounters counters_;
};

RawTransport::State::State(Capture capture, PacketSender packets, RawSender raw, std::array<NetlinkSocket, 4> sockets,
                           PortHolders holders, FileDescriptor wake)
    : routes([this](const FlowSpec& spec) -> RouteAnswer {
        ++counters_.route_lookups;
        const auto query = query_of(spec);
        if (!query) return SendError::no_interface;
        return lookup_.find(*query);
      }),
      clock(sample_clocks()),
      capture_(std::move(capture)),
      packets_(std::move(packets)),
      raw_(std::move(raw)),
      notifications_(std::move(sockets[0])),
      requests_(std::move(sockets[1])),
      lookup_(std::move(sockets[2])),
      neighbours_(std::move(sockets[3])),
      holders_(std::move(holders)),
      wake_(std::move(wake)) {
  links.load(requests_);
  holders_.except(held_ports_);
}

std::optional<RouteQuery> RawTransport::State::query_of(const FlowSpec& spec) const {
  RouteQuery query;
  query.tuple = spec.tuple;
  query.tuple.source = spec.source.value_or(IpAddress());
  query.dscp = spec.dscp;
  query.mark = spec.mark;
  if (!spec.interface.empty()) {
    const auto index = links.index_of(spec.interface);
    if (!index) return std::nullopt;
    query.interface = *index;
  }
  return query;
}

std::optional<IpAddress> RawTransport::State::add_flow(std::uint32_t flow, const FlowSpec& spec) {
  remove_flow(flow);
  ports_.add(spec.tuple.protocol, spec.tuple.source_port, spec.tuple.destination_port);
  filter_outdated_ = true;
  if (spec.hold_port) held_ports_.add(flow, spec.tuple.source_port, monotonic_now());
  FlowRoute& added = routes.add(flow, spec);
  FiveTuple tuple = spec.tuple;
  tuple.source = added.error == SendError::none ? added.route.source : IpAddress();
  holders_.add(flow, tuple);
  if (added.error != SendError::none) return std::nullopt;
  // Already now: the kernel has the neighbour's address when the first probe is due.
  if (!added.route.local) resolve(added);
  return added.route.source;
}

void RawTransport::State::remove_flow(std::uint32_t flow) {
  const auto removed = routes.remove(flow);
  if (!removed) return;
  holders_.remove(flow, removed->tuple);
  if (removed->hold_port) held_ports_.remove(flow, removed->tuple.source_port);
  ports_.remove(removed->tuple.protocol, removed->tuple.source_port, removed->tuple.destination_port);
  filter_outdated_ = true;
}

void RawTransport::State::keep_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports) {
  ports_.add_block(protocol, source_ports, destination_port);
  filter_outdated_ = true;
}

void RawTransport::State::install_filter() {
  if (!filter_outdated_) return;
  filter_outdated_ = false;
  WantedPorts wanted = ports_.wanted();
  if (wanted == filtered_) return;
  if (!capture_.set_filter(build_filter(wanted))) {
    ++counters_.filter_failures;
    return;
  }
  filtered_ = std::move(wanted);
}

void RawTransport::State::send(std::span<Outgoing> batch) {
  install_filter();
  for (Outgoing& datagram : batch) {
    send_one(datagram);
    if (packets_.full()) packets_.flush(monotonic_now());
  }
  if (!packets_.empty()) packets_.flush(monotonic_now());
}

void RawTransport::State::send_one(Outgoing& datagram) {
  FlowRoute* flow = datagram.bytes.size() < 20 ? nullptr : routes.find(datagram.flow);
  if (!flow || flow->error != SendError::none || holders_.held(datagram.flow) ||
      held_ports_.lacks(datagram.flow, &monotonic_now)) {
    datagram.error = !flow                            ? SendError::no_route
                     : flow->error != SendError::none ? flow->error
                                                      : SendError::port_in_use;
    datagram.at = monotonic_now();
    return;
  }
  if (flow->route.local) {
    send_raw(datagram, 0);
    return;
  }
  if (flow->neighbour_generation != neighbours_.generation()) resolve(*flow);
  if (flow->deliverable) {
    packets_.add(datagram, flow->route.interface, flow->link_address);
  } else {
    send_unresolved(datagram, *flow);
  }
}

void RawTransport::State::drop_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports) {
  ports_.remove_block(protocol, source_ports, destination_port);
  filter_outdated_ = true;
}

void RawTransport::State::send_raw(Outgoing& datagram, std::uint32_t interface) {
  ++counters_.sent_raw;
  datagram.at = monotonic_now();
  datagram.error = send_failure(raw_.send(datagram.bytes, interface));
}

void RawTransport::State::send_unresolved(Outgoing& datagram, FlowRoute& flow) {
  ++counters_.sent_unresolved;
  check_neighbours(monotonic_now());
  if (!flow.raw_agrees) {
    // A raw socket has neither the flow's mark nor its source port.
    auto query = query_of(flow.spec);
    if (query) query->mark = 0;
    flow.raw_agrees = query && lookup_.single_gateway(*query, flow.route.interface, flow.route.gateway);
  }
  if (*flow.raw_agrees) {
    send_raw(datagram, flow.route.interface);
    return;
  }
  // Of several gateways on this interface the kernel may take another one for a raw socket: rather no probe than one
  // that shows a path which is not the flow's.
  datagram.at = monotonic_now();
  datagram.error = SendError::no_route;
}

void RawTransport::State::resolve(FlowRoute& flow) {
  flow.link_address = LinkAddress{};
  const Link* link = links.find(flow.route.interface);
  if (link && !link->has_neighbours) {
    flow.deliverable = true;
  } else {
    flow.link_address = neighbours_.resolve({flow.route.interface, flow.route.gateway});
    flow.deliverable = flow.link_address.size != 0;
  }
  flow.neighbour_generation = neighbours_.generation();
}

void RawTransport::State::check_neighbours(Instant now) {
  for (const NeighbourKey& key : neighbours_.due_checks(now, kChecksPerCall)) {
    ++counters_.neighbour_checks;
    (void)raw_.check_neighbour(key);  // tried again when it is due again
  }
}

/// Answers that are on their way to an interface that goes down do not come in, and that is no loss of the network.
bool RawTransport::State::take_link(const NetlinkMessage& message) {
  const auto body = netlink_body<ifinfomsg>(message);
  const std::uint32_t index = body && body->ifi_index > 0 ? static_cast<std::uint32_t>(body->ifi_index) : 0;
  const bool was_running = links.is_running(index);
  if (!links.take(message)) return false;
  if (was_running && !links.is_running(index)) {
    const auto cut = routes.flows_over(index);  // routes are looked up again only later
    cut_.insert(cut_.end(), cut.begin(), cut.end());
  }
  return true;
}

void RawTransport::State::take_notification(const NetlinkMessage& message) {
  switch (message.type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      neighbours_.take(message);
      return;
    case RTM_NEWLINK:
    case RTM_DELLINK:
      if (!take_link(message)) return;
      neighbours_.invalidate();
      break;
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const auto body = netlink_body<rtmsg>(message);
      if (!body) return;
      IpAddress prefix = body->rtm_family == AF_INET6 ? IpAddress::v6(std::array<std::uint8_t, 16>{}) : IpAddress();
      each_attribute(message, sizeof(rtmsg), [&](std::uint16_t type, ByteView value) {
        if (type == RTA_DST) prefix = attribute_address(value).value_or(prefix);
      });
      routes.prefix_changed(prefix, body->rtm_dst_len);
      return;
    }
    default:
      break;
  }
  routes.everything_changed();
}

void RawTransport::State::take_notifications() {
  const auto take = [this](const NetlinkMessage& message) { take_notification(message); };
  if (notifications_.drain(take, kNotificationsPerCall)) return;
  ++counters_.netlink_overflows;
  links.load(requests_);
  neighbours_.reload();
  routes.everything_changed();
}

void RawTransport::State::hand_over(const CapturedFrame& frame, CaptureSink& sink) {
  if (!frame.outgoing && !frame.loopback && repeated_.is_repeat(frame)) return;
  Captured captured{frame.datagram, clock.to_instant(frame.stamp), Direction::incoming};
  LoopbackRole role{frame.outgoing, !frame.outgoing};
  if (frame.loopback) role = loopback_role(frame.datagram, ports_);
  if (role.probe) {
    captured.direction = Direction::outgoing;
    sink.on_captured(captured);
  }
  if (role.reply) {
    captured.direction = Direction::incoming;
    sink.on_captured(captured);
  }
}

void RawTransport::State::read_capture(CaptureSink& sink) {
  clock.update(sample_clocks());
  const auto count = capture_.read(kCapturesPerCall, [&](const CapturedFrame& frame) { hand_over(frame, sink); });
  if (!count) capture_pause_ = monotonic_now() + kCapturePause;
  unread_ = count == kCapturesPerCall;
}

/// What may have been missed since the last look: the ring was full, or the host slept. Both are told once they are
/// over, and before the engine lets the probes of that time expire.
void RawTransport::State::tell_gaps(CaptureSink& sink) {
  const Instant now = monotonic_now();
  if (std::exchange(counters_.capture_dropped, capture_.statistics().dropped) != counters_.capture_dropped)
    sink.on_gap({looked_, now, Unobserved::capture_dropped});
  if (const Duration slept_by_now = slept(); slept_by_now - slept_ > kLeastSleep) {
    sink.on_gap({looked_, now, Unobserved::suspended});
    slept_ = slept_by_now;
  }
  if (!cut_.empty()) sink.on_gap({looked_, now, Unobserved::link_down, cut_});
  cut_.clear();
  looked_ = now;
}

void RawTransport::State::receive(Instant deadline, CaptureSink& sink) {
  install_filter();
  const Instant now = monotonic_now();
  routes.refresh(now);
  check_neighbours(now);
  holders_.refresh(now, [this](std::uint32_t flow) {
    const FlowRoute* const found = routes.find(flow);
    return found != nullptr && found->error == SendError::none ? found->route.source : IpAddress();
  });
  if (now >= next_forget_) {
    neighbours_.forget_unused();
    next_forget_ = now + kForgetEvery;
  }

  const bool listening = now >= capture_pause_;
  std::array<pollfd, 3> ready = {pollfd{notifications_.descriptor(), POLLIN, 0}, pollfd{wake_.get(), POLLIN, 0},
                                 pollfd{listening ? capture_.descriptor() : -1, POLLIN, 0}};
  Instant until = std::min({deadline, routes.next_refresh(), holders_.next_refresh()});
  if (routes.size() != 0) until = std::min(until, now + kLongestWait);
  if (unread_) until = now;
  const Duration wait = std::max(until - now, Duration{});
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec timeout{seconds.count(), (wait - seconds).count()};
  if (::ppoll(ready.data(), ready.size(), &timeout, nullptr) < 0) return;  // a signal
  if (ready[1].revents != 0) {
    std::uint64_t times = 0;
    (void)!::read(wake_.get(), &times, sizeof times);
  }
  if (ready[0].revents != 0) take_notifications();
  if (ready[2].revents != 0 || (unread_ && listening)) read_capture(sink);
  tell_gaps(sink);
}

void RawTransport::State::wake() {
  const std::uint64_t once = 1;
  (void)!::write(wake_.get(), &once, sizeof once);
}

RawTransportCounters RawTransport::State::counters() {
  const CaptureStatistics statistics = capture_.statistics();
  counters_.captured = statistics.received;
  counters_.clock_steps = clock.steps();
  counters_.socket_list_failures = holders_.failures();
  RawTransportCounters told = counters_;
  told.capture_dropped = statistics.dropped;
  return told;
}

RawTransport::RawTransport(std::unique_ptr<State> state) : state_(std::move(state)) {}
RawTransport::~RawTransport() = default;

Result<std::unique_ptr<RawTransport>> RawTransport::open(const CaptureOptions& options) {
  auto packets = PacketSender::open();
  if (!packets) return Error{packets.error()};
  auto raw = RawSender::open();
  if (!raw) return Error{raw.error()};
  auto capture = Capture::open(options);
  if (!capture) return Error{capture.error()};
  auto notifications = NetlinkSocket::open(kGroups);
  auto links = NetlinkSocket::open(), routes = NetlinkSocket::open(), neighbours = NetlinkSocket::open();
  for (const auto* socket : {&notifications, &links, &routes, &neighbours})
    if (!*socket) return Error{socket->error()};
  FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return Error{std::string("cannot open an eventfd: ") + strerror(errno)};
  return std::unique_ptr<RawTransport>(new RawTransport(std::make_unique<State>(
      std::move(*capture), std::move(*packets), std::move(*raw),
      std::array{std::move(*notifications), std::move(*links), std::move(*routes), std::move(*neighbours)},
      PortHolders::open(), std::move(wake))));
}

std::optional<IpAddress> RawTransport::add_flow(std::uint32_t flow, const FlowSpec& spec) {
  return state_->add_flow(flow, spec);
}

void RawTransport::keep_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports) {
  state_->keep_ports(protocol, destination_port, source_ports);
}

void RawTransport::drop_ports(Protocol protocol, std::uint16_t destination_port, const PortBlock& source_ports) {
  state_->drop_ports(protocol, destination_port, source_ports);
}

void RawTransport::remove_flow(std::uint32_t flow) {
  state_->remove_flow(flow);
}

std::vector<SourceChange> RawTransport::take_source_changes() {
  return state_->routes.take_source_changes();
}

std::optional<Route> RawTransport::route(std::uint32_t flow) const {
  const FlowRoute* found = state_->routes.find(flow);
  if (!found || found->error != SendError::none) return std::nullopt;
  return found->route;
}

SendError RawTransport::route_error(std::uint32_t flow) const {
  const FlowRoute* found = state_->routes.find(flow);
  return found ? found->error : SendError::no_route;
}

std::string RawTransport::interface_name(std::uint32_t index) const {
  const Link* link = state_->links.find(index);
  return link ? link->name : std::string();
}

Instant RawTransport::now() {
  return monotonic_now();
}

void RawTransport::send(std::span<Outgoing> batch) {
  state_->send(batch);
}

void RawTransport::receive(Instant deadline, CaptureSink& sink) {
  state_->receive(deadline, sink);
}

void RawTransport::wake() {
  state_->wake();
}

Duration RawTransport::wall_offset() const {
  return state_->clock.wall_offset();
}

RawTransportCounters RawTransport::counters() {
  return state_->counters();
}

}  // namespace ecmp::net
