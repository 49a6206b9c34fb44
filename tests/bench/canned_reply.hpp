#pragma once

#include <array>
#include <cstring>

#include "base/bytes.hpp"
#include "packet/checksum.hpp"

namespace ecmp::bench {

/// The largest datagram whose answer is written, and the largest answer: a host quotes no more (RFC 1812 4.3.2.3).
inline constexpr std::size_t kLargestReply = 576;

/// What a network `hops` long with sixteen equal branches at its fourth hop answers to an IPv4 UDP probe: time exceeded
/// from 10.TTL.BRANCH.1, or port unreachable from the destination. Right in all its checksums. Returns the reply's
/// size, 0 for what is no such probe.
///
/// With a `width` the network fans out at its first hop, and its branches do not meet again before the destination:
/// flows take them in turn, and each of sixteen groups of destinations has its own.
inline std::size_t write_reply(ByteView probe, std::uint8_t hops, MutableBytes out, std::uint8_t width = 0) {
  constexpr std::size_t kHeaders = 28;
  constexpr std::uint8_t kUdp = 17;
  if (probe.size() < kHeaders || probe[0] != 0x45 || probe[9] != kUdp) return 0;
  const std::size_t quoted = std::min(probe.size(), kLargestReply - kHeaders);
  const std::size_t size = kHeaders + quoted;
  const std::uint8_t ttl = probe[8];
  const bool reached = ttl >= hops;
  const auto put_checksum = [](MutableBytes bytes, std::size_t at) {
    store16(bytes, at, 0);
    store16(bytes, at, static_cast<std::uint16_t>(~packet::ones_complement_sum(bytes)));
  };

  const std::array<std::uint8_t, 12> header = {0x45, 0, 0, 0, 0, 1, 0, 0, static_cast<std::uint8_t>(64 - ttl), 1};
  std::memcpy(out.data(), header.data(), header.size());
  store16(out, 2, static_cast<std::uint16_t>(size));
  if (reached) {
    std::memcpy(out.data() + 12, probe.data() + 16, 4);
  } else {
    const auto ports = load32(probe, 20) ^ load32(probe, 16);
    const auto branch = static_cast<std::uint8_t>(ttl == 4 ? (ports * 0x9e3779b1u) >> 28 : 0);
    std::array<std::uint8_t, 4> router = {10, ttl, branch, 1};
    if (width > 0) {
      router[2] = static_cast<std::uint8_t>(load16(probe, 20) % width);
      router[3] = static_cast<std::uint8_t>(1 + probe[19] % 16);
    }
    std::memcpy(out.data() + 12, router.data(), router.size());
  }
  std::memcpy(out.data() + 16, probe.data() + 12, 4);
  put_checksum(out.first(20), 10);

  const std::array<std::uint8_t, 8> icmp = {static_cast<std::uint8_t>(reached ? 3 : 11),
                                            static_cast<std::uint8_t>(reached ? 3 : 0)};
  std::memcpy(out.data() + 20, icmp.data(), icmp.size());
  std::memcpy(out.data() + kHeaders, probe.data(), quoted);
  // As it was when it expired, or arrived.
  out[kHeaders + 8] = static_cast<std::uint8_t>(reached ? ttl - hops + 1 : 1);
  put_checksum(out.subspan(kHeaders, 20), 10);
  put_checksum(out.subspan(20, size - 20), 2);
  return size;
}

}  // namespace ecmp::bench
