#include "net/routing/neighbour_table.hpp"

#include <algorithm>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace ecmp::net {
namespace {

/// How often the table is walked for neighbours that are due.
constexpr Duration kCheckEvery = std::chrono::milliseconds(100);
constexpr Duration kUnresolvedFirst = std::chrono::seconds(1);
constexpr Duration kUnresolvedLast = std::chrono::seconds(16);
constexpr Duration kStaleCheck = std::chrono::seconds(5);

constexpr std::uint16_t kUsable = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

}  // namespace

LinkAddress NeighbourTable::resolve(const NeighbourKey& key) {
  auto [found, is_new] = neighbours_.try_emplace(key);
  if (is_new) {
    query(key);
    next_check_ = Instant{};
  }
  found->second.used = true;
  return found->second.address;
}

std::vector<NeighbourKey> NeighbourTable::due_checks(Instant now, std::size_t maximum) {
  std::vector<NeighbourKey> due;
  if (now < next_check_) return due;
  next_check_ = now + kCheckEvery;
  for (auto& [key, neighbour] : neighbours_) {
    const bool unresolved = neighbour.address.size == 0;
    if (!unresolved) neighbour.unresolved_wait = Duration{};
    if ((!unresolved && !neighbour.stale) || now < neighbour.next_check) continue;
    if (due.size() == maximum) {
      next_check_ = now;  // the rest with the next call
      break;
    }
    if (unresolved)
      neighbour.unresolved_wait = std::clamp(neighbour.unresolved_wait * 2, kUnresolvedFirst, kUnresolvedLast);
    neighbour.next_check = now + (unresolved ? neighbour.unresolved_wait : kStaleCheck);
    due.push_back(key);
  }
  return due;
}

void NeighbourTable::query(const NeighbourKey& key) {
  NetlinkRequest request(RTM_GETNEIGH, 0);
  ndmsg body{};
  body.ndm_family = key.address.is_v4() ? AF_INET : AF_INET6;
  body.ndm_ifindex = static_cast<int>(key.interface);
  request.body(body).attribute(NDA_DST, key.address.bytes());
  // An error says that the kernel has no such entry.
  socket_.request(request, [this](const NetlinkMessage& message) { take(message); });
}

void NeighbourTable::take(const NetlinkMessage& message) {
  if (message.type != RTM_NEWNEIGH && message.type != RTM_DELNEIGH) return;
  const auto body = netlink_body<ndmsg>(message);
  if (!body || (body->ndm_family != AF_INET && body->ndm_family != AF_INET6)) return;
  std::optional<IpAddress> address;
  LinkAddress link;
  each_attribute(message, sizeof(ndmsg), [&](std::uint16_t type, ByteView value) {
    if (type == NDA_DST) {
      address = attribute_address(value);
    } else if (type == NDA_LLADDR && value.size() <= link.bytes.size()) {
      std::ranges::copy(value, link.bytes.begin());
      link.size = static_cast<std::uint8_t>(value.size());
    }
  });
  if (!address) return;
  const auto found = neighbours_.find({static_cast<std::uint32_t>(body->ndm_ifindex), *address});
  if (found == neighbours_.end()) return;
  if (message.type == RTM_DELNEIGH || (body->ndm_state & kUsable) == 0) link = LinkAddress{};
  found->second.stale = (body->ndm_state & NUD_STALE) != 0;
  if (found->second.address == link) return;
  found->second.address = link;
  ++generation_;
}

void NeighbourTable::reload() {
  ++generation_;
  for (auto& [key, neighbour] : neighbours_) {
    neighbour.address = LinkAddress{};
    neighbour.stale = false;
    query(key);
  }
}

void NeighbourTable::forget_unused() {
  for (auto next = neighbours_.begin(); next != neighbours_.end();)
    next = std::exchange(next->second.used, false) ? std::next(next) : neighbours_.erase(next);
  ++generation_;
}

}  // namespace ecmp::net
