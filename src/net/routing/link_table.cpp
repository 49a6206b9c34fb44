#include "net/routing/link_table.hpp"

#include <algorithm>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace ecmp::net {
namespace {

/// An attribute's text, which ends at its first zero.
std::string text_of(ByteView value) {
  const std::string_view text(reinterpret_cast<const char*>(value.data()), value.size());
  return std::string(text.substr(0, text.find('\0')));
}

}  // namespace

void LinkTable::load(NetlinkSocket& socket) {
  links_.clear();
  NetlinkRequest request(RTM_GETLINK, NLM_F_DUMP);
  ifinfomsg body{};
  body.ifi_family = AF_UNSPEC;
  request.body(body);
  socket.request(request, [this](const NetlinkMessage& message) { take(message); });
}

bool LinkTable::take(const NetlinkMessage& message) {
  if (message.type != RTM_NEWLINK && message.type != RTM_DELLINK) return false;
  const auto body = netlink_body<ifinfomsg>(message);
  // A bridge announces its ports a second time, as AF_BRIDGE; a DELLINK there is not the end of the interface.
  if (!body || body->ifi_family != AF_UNSPEC || body->ifi_index <= 0) return false;
  const auto index = static_cast<std::uint32_t>(body->ifi_index);
  if (message.type == RTM_DELLINK) return links_.erase(index) != 0;

  Link link;
  std::size_t address_size = 0;
  each_attribute(message, sizeof(ifinfomsg), [&](std::uint16_t type, ByteView value) {
    if (type == IFLA_IFNAME) {
      link.name = text_of(value);
    } else if ((type & NLA_TYPE_MASK) == IFLA_PROP_LIST) {
      each_attribute({.type = 0, .body = value}, 0, [&](std::uint16_t property, ByteView name) {
        if (property == IFLA_ALT_IFNAME) link.other_names.push_back(text_of(name));
      });
    } else if (type == IFLA_ADDRESS) {
      address_size = value.size();
    } else if (type == IFLA_MASTER) {
      link.master = attribute_number(value).value_or(0);
    }
  });
  link.has_neighbours = address_size != 0 && (body->ifi_flags & (IFF_NOARP | IFF_LOOPBACK)) == 0;
  link.flags = body->ifi_flags;
  Link& known = links_[index];
  if (known == link) return false;
  known = std::move(link);
  return true;
}

bool LinkTable::is_running(std::uint32_t index) const {
  constexpr std::uint32_t kRunning = IFF_UP | IFF_RUNNING;
  const Link* const link = find(index);
  return link != nullptr && (link->flags & kRunning) == kRunning;
}

const Link* LinkTable::find(std::uint32_t index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second;
}

std::optional<std::uint32_t> LinkTable::index_of(std::string_view name) const {
  for (const auto& [index, link] : links_)
    if (link.name == name || std::ranges::find(link.other_names, name) != link.other_names.end()) return index;
  return std::nullopt;
}

}  // namespace ecmp::net
