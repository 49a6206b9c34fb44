#include "net/probe_io/port_holders.hpp"

#include <array>
#include <cerrno>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace ecmp::net {
namespace {

constexpr Duration kEvery = std::chrono::seconds(5);
/// Hosts with very many sockets are asked less often, so that it takes a hundredth of a core at most.
constexpr int kRests = 100;
/// A kernel without the modules looks for them at each request, by a process of its own (modprobe): it is seldom asked.
constexpr Duration kAskAgain = std::chrono::minutes(10);

struct List {
  Protocol protocol;
  std::uint8_t family;
};
/// IPv6 sockets may hold IPv4 tuples: both lists are read for flows of either family.
constexpr std::array kLists = {List{Protocol::udp, AF_INET}, List{Protocol::udp, AF_INET6},
                               List{Protocol::tcp, AF_INET}, List{Protocol::tcp, AF_INET6}};

std::uint32_t key_of(Protocol protocol, std::uint16_t port) {
  return std::uint32_t{static_cast<std::uint8_t>(protocol)} << 16 | port;
}

inet_diag_req_v2 request_of(Protocol protocol, std::uint8_t family) {
  inet_diag_req_v2 body{};
  body.sdiag_family = family;
  body.sdiag_protocol = protocol == Protocol::tcp ? IPPROTO_TCP : IPPROTO_UDP;
  body.idiag_states = ~(1u << TCP_LISTEN);
  body.id.idiag_cookie[0] = body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return body;
}

template <typename Words>
void write_address(Words& words, const IpAddress& address) {
  std::memcpy(&words, address.bytes().data(), address.bytes().size());
}

template <typename Words>
IpAddress read_address(const Words& words, std::uint8_t family) {
  std::array<std::uint8_t, 16> bytes;
  std::memcpy(bytes.data(), &words, bytes.size());
  const std::span<const std::uint8_t, 16> all(bytes);
  if (family == AF_INET) return IpAddress::v4(all.first<4>());
  constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::equal(kMapped.begin(), kMapped.end(), bytes.begin())) return IpAddress::v4(all.last<4>());
  return IpAddress::v6(all);
}

/// Whether the kernel finds a socket for what would arrive in answer to the flow.
bool found_by_kernel(NetlinkSocket& socket, const FiveTuple& flow) {
  inet_diag_req_v2 body = request_of(flow.protocol, flow.destination.is_v4() ? AF_INET : AF_INET6);
  // The kernel takes the two ends of UDP the other way round ("for historical reasons", net/ipv4/udp_diag.c).
  const bool swapped = flow.protocol == Protocol::udp;
  body.id.idiag_sport = htons(swapped ? flow.destination_port : flow.source_port);
  body.id.idiag_dport = htons(swapped ? flow.source_port : flow.destination_port);
  write_address(body.id.idiag_src, swapped ? flow.destination : flow.source);
  write_address(body.id.idiag_dst, swapped ? flow.source : flow.destination);
  NetlinkRequest request(SOCK_DIAG_BY_FAMILY, 0);
  request.body(body);
  bool found = false;
  (void)socket.request(request, [&](const NetlinkMessage& message) {
    const auto answer = read_host_socket(message, flow.protocol);
    found = answer && !answer->listening;
  });
  return found;
}

}  // namespace

std::optional<HostSocket> read_host_socket(const NetlinkMessage& message, Protocol protocol) {
  const auto body = netlink_body<inet_diag_msg>(message);
  if (message.type != SOCK_DIAG_BY_FAMILY || !body) return std::nullopt;
  HostSocket socket{.protocol = protocol,
                    .listening = protocol == Protocol::tcp && body->idiag_state == TCP_LISTEN,
                    .local_port = ntohs(body->id.idiag_sport),
                    .remote_port = ntohs(body->id.idiag_dport),
                    .local = read_address(body->id.idiag_src, body->idiag_family),
                    .remote = read_address(body->id.idiag_dst, body->idiag_family)};
  each_attribute(message, sizeof(inet_diag_msg), [&](std::uint16_t type, ByteView value) {
    if (type == INET_DIAG_SKV6ONLY && value.size() == 1) socket.v6_only = value[0] != 0;
  });
  return socket;
}

bool holds(const HostSocket& socket, const FiveTuple& flow) {
  if (socket.listening || socket.protocol != flow.protocol || socket.local_port != flow.source_port) return false;
  const bool other_family = !socket.local.is_v4() && flow.destination.is_v4();
  if (other_family && (socket.v6_only || !socket.local.is_unspecified())) return false;
  if (socket.local.is_v4() && !flow.destination.is_v4()) return false;
  const bool here = socket.local.is_unspecified() || flow.source.is_unspecified() || socket.local == flow.source;
  if (!here) return false;
  if (socket.remote_port == 0) return socket.protocol == Protocol::udp;
  return socket.remote_port == flow.destination_port && socket.remote == flow.destination;
}

PortHolders::PortHolders(std::optional<NetlinkSocket> lists, std::optional<NetlinkSocket> single)
    : lists_(std::move(lists)), single_(std::move(single)) {}

/// Held ports are of UDP.
bool PortHolders::is_ours(Protocol protocol, std::uint16_t port) const {
  return protocol == Protocol::udp && ours_ != nullptr && ours_->contains(port);
}

PortHolders PortHolders::open() {
  const auto socket = [] {
    auto opened = NetlinkSocket::open_diagnostics();
    return opened ? std::optional(std::move(*opened)) : std::nullopt;
  };
  return {socket(), socket()};
}

/// Asked once for each protocol, by a list of sockets in no state, which is empty. A kernel that lacks a module answers
/// ENOENT to it; to a question for one flow, it would mean that there is no socket.
bool PortHolders::available(Protocol protocol) {
  auto& known = available_[static_cast<std::size_t>(protocol)];
  if (!known) {
    NetlinkRequest request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    inet_diag_req_v2 body = request_of(protocol, AF_INET);
    body.idiag_states = 0;
    request.body(body);
    known = lists_ && single_ && single_->request(request, [](const NetlinkMessage&) {}) == 0;
    if (!*known) ++failures_;
  }
  return *known;
}

void PortHolders::add(std::uint32_t flow, const FiveTuple& tuple) {
  if (tuple.protocol == Protocol::icmp) return;
  flows_.emplace(key_of(tuple.protocol, tuple.source_port), Known{flow, tuple});
  ++count_[static_cast<std::size_t>(tuple.protocol)];
  if (is_ours(tuple.protocol, tuple.source_port)) return;
  if (!available(tuple.protocol) || tuple.source.is_unspecified() || !found_by_kernel(*single_, tuple)) return;
  held_.insert(flow);
  if (listing_) seen_.insert(flow);
}

void PortHolders::remove(std::uint32_t flow, const FiveTuple& tuple) {
  const auto [begin, end] = flows_.equal_range(key_of(tuple.protocol, tuple.source_port));
  for (auto at = begin; at != end; ++at) {
    if (at->second.flow != flow) continue;
    --count_[static_cast<std::size_t>(tuple.protocol)];
    flows_.erase(at);
    break;
  }
  held_.erase(flow);
  seen_.erase(flow);
}

void PortHolders::take(const HostSocket& socket, const SourceOf& source_of) {
  if (socket.remote_port == 0 && is_ours(socket.protocol, socket.local_port)) return;
  const auto [begin, end] = flows_.equal_range(key_of(socket.protocol, socket.local_port));
  for (auto at = begin; at != end; ++at) {
    FiveTuple tuple = at->second.tuple;
    tuple.source = source_of(at->second.flow);
    if (holds(socket, tuple)) seen_.insert(at->second.flow);
  }
}

/// False: there is no further list.
bool PortHolders::begin_list() {
  for (; list_ < kLists.size(); ++list_) {
    const auto [protocol, family] = kLists[list_];
    if (count_[static_cast<std::size_t>(protocol)] == 0 || !available(protocol)) continue;
    NetlinkRequest request(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    request.body(request_of(protocol, family));
    if (lists_->begin(request) == 0) return true;
    fail();
  }
  return false;
}

void PortHolders::fail() {
  ++failures_;
  incomplete_ = true;
}

void PortHolders::end_lists(Instant now) {
  // What a list has not shown that broke off may be there all the same: a SYN on its connection would end it.
  if (std::exchange(incomplete_, false)) seen_.insert(held_.begin(), held_.end());
  held_.swap(seen_);
  seen_.clear();
  listing_ = false;
  next_ = now + std::max(kEvery, kRests * spent_);
  spent_ = {};
}

void PortHolders::refresh(Instant now, const SourceOf& source_of) {
  if (flows_.empty() || now < next_) return;
  const auto begun = std::chrono::steady_clock::now();
  if (!listing_) {
    if (now >= ask_again_) {
      ask_again_ = now + kAskAgain;
      for (auto& known : available_)
        if (known == false) known.reset();
    }
    list_ = 0;
    listing_ = begin_list();
    if (!listing_) return end_lists(now);
  }
  const Protocol protocol = kLists[list_].protocol;
  const std::optional<int> end = lists_->next([&](const NetlinkMessage& message) {
    if (const auto socket = read_host_socket(message, protocol)) take(*socket, source_of);
  });
  bool more = true;
  if (end) {
    if (*end != 0) fail();
    ++list_;
    more = begin_list();  // the kernel makes the first part of the next one at once
  }
  spent_ += std::chrono::steady_clock::now() - begun;
  if (!more) end_lists(now);
}

}  // namespace ecmp::net
