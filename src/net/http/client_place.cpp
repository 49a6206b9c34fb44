#include "net/http/client_place.hpp"

#include <algorithm>
#include <array>
#include <sys/socket.h>

namespace ecmp::net {

IpAddress client_of(const IpAddress& peer) {
  if (peer.is_v4()) return peer;
  constexpr std::size_t kNetwork = 8;  // bytes of a /64
  std::array<std::uint8_t, 16> network{};
  std::copy_n(peer.bytes().begin(), kNetwork, network.begin());
  return IpAddress::v6(network);
}

void ClientPlace::enter(Stage stage) {
  since_.store(now_count());
  stage_.store(stage);
}

void ClientPlace::attach(int descriptor) {
  const std::lock_guard lock(mutex_);
  descriptor_ = descriptor;
  if (evicted()) shutdown(descriptor_, SHUT_RD);
}

void ClientPlace::detach() {
  const std::lock_guard lock(mutex_);
  descriptor_ = -1;
}

std::optional<Duration> ClientPlace::stalled(Instant now, Duration least) const {
  const Stage stage = stage_.load();
  if (stage == Stage::working || (stage == Stage::answering && !pace_.waiting())) return std::nullopt;
  const Duration waited =
      stage == Stage::answering ? pace_.waited(now) : now - Instant(Duration(since_.load(std::memory_order_relaxed)));
  return waited >= least ? std::optional(waited) : std::nullopt;
}

void ClientPlace::evict() {
  const std::lock_guard lock(mutex_);
  if (evicted_.exchange(true) || descriptor_ < 0) return;
  if (stage_.load() != Stage::answering) {
    shutdown(descriptor_, SHUT_RD);  // its thread may still say why
    return;
  }
  // Without this the kernel would go on to offer what is unsent, for minutes, to a reader that does not read.
  const linger none{.l_onoff = 1, .l_linger = 0};
  setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace ecmp::net
