#include "net/routing/own_addresses.hpp"

#include <algorithm>
#include <cstdint>
#include <ifaddrs.h>
#include <memory>
#include <netinet/in.h>
#include <optional>
#include <span>

namespace ecmp::net {
namespace {

std::optional<IpAddress> address_of(const sockaddr* socket) {
  if (socket == nullptr) return std::nullopt;
  if (socket->sa_family == AF_INET) {
    const auto* four = reinterpret_cast<const sockaddr_in*>(socket);
    return IpAddress::v4(std::span<const std::uint8_t, 4>(reinterpret_cast<const std::uint8_t*>(&four->sin_addr), 4));
  }
  if (socket->sa_family == AF_INET6) {
    const auto* six = reinterpret_cast<const sockaddr_in6*>(socket);
    return IpAddress::v6(std::span<const std::uint8_t, 16>(reinterpret_cast<const std::uint8_t*>(&six->sin6_addr), 16));
  }
  return std::nullopt;
}

}  // namespace

std::vector<IpAddress> own_addresses() {
  std::vector<IpAddress> addresses;
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return addresses;
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(first, &::freeifaddrs);
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next)
    if (const auto address = address_of(one->ifa_addr)) addresses.push_back(*address);
  std::ranges::sort(addresses);
  const auto again = std::ranges::unique(addresses);
  addresses.erase(again.begin(), again.end());
  return addresses;
}

}  // namespace ecmp::net
