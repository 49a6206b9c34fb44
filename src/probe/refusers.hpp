#pragma once

#include <algorithm>
#include <vector>

#include "base/ip_address.hpp"
#include "packet/message.hpp"

namespace ecmp {

/// Who says that a port of a destination is closed and is not the address that was asked.
///
/// RFC 1812 section 4.3.2.4 has a router answer with the address of the interface that the answer leaves by: traced by
/// another address of its own, it is the destination all the same. A box on the way that refuses what it should
/// forward says the same words. It gives itself away: it also says that probes expired there, which a destination never
/// says of its own. So an address that does is on the way, for every flow of the destination.
///
/// Shared by the flows of a destination, and empty as a rule.
class Refusers {
 public:
  static bool is_final(packet::ReplyKind kind) {
    return kind == packet::ReplyKind::port_unreachable || kind == packet::ReplyKind::protocol_unreachable;
  }

  [[nodiscard]] bool knows(const IpAddress& from) const { return find(from) != refusers_.end(); }
  /// It is known from now on. Of very many the rest is held to be on the way.
  void add(const IpAddress& from, bool on_the_way) {
    if (refusers_.size() < kMost) refusers_.push_back({from, on_the_way});
  }
  /// A probe expired there.
  void exceeded(const IpAddress& at) {
    if (const auto found = find(at); found != refusers_.end())
      refusers_[static_cast<std::size_t>(found - refusers_.begin())].on_the_way = true;
  }
  [[nodiscard]] bool may_be_destination(const IpAddress& from) const {
    const auto found = find(from);
    return found != refusers_.end() && !found->on_the_way;
  }

 private:
  static constexpr std::size_t kMost = 32;
  struct Refuser {
    IpAddress from;
    bool on_the_way = false;
  };
  [[nodiscard]] std::vector<Refuser>::const_iterator find(const IpAddress& from) const {
    return std::ranges::find(refusers_, from, &Refuser::from);
  }

  std::vector<Refuser> refusers_;
};

}  // namespace ecmp
