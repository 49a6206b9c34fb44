#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace ecmp::stamp {

/// The value of the TLV that two of ours exchange (tlv::kOwn, of RFC 8972's range for experiments), 32 bytes, or 52
/// with a router of the way back:
///
///   0  0xec4d, by which it is told from other experiments with this type
///   2  version, 1
///   3  flags: bit 0: the fields from byte 24 on are known
///   4  epoch
///   8  highest sequence number of a request that arrived
///  12  64 bits, the lowest of which stands for that request, bit i for the one with a number lower by i: 1: arrived
///
///  20  how many requests with different numbers arrived in this epoch
///
///  24  path id of the way that the tracer found from the reflector to the sender
///
///  28  routers on that path
///
///  29  of a request: routers on the way back, as the TTL of replies says; 0: not known
///      of a reply: which of the routers stands at byte 32, from 1; 0: none
///
///  32  its address, 4 or 16 bytes; 0 where none is known
///
///  48  4 or 6: the version of that address; 0: none. The rest is 0
///
/// A sender leaves everything else from byte 3 on 0. With the bitmap the sender knows of each of its last 64 requests
/// whether it arrived, whatever became of the replies; with the count, how many of those before were lost on the way
/// there.
struct OwnTlv {
  std::uint32_t epoch = 0;    ///< of the reflector's memory of this session: another one after a restart or a pause
  std::uint32_t highest = 0;  ///< S
  std::uint64_t arrived = 0;
  std::uint32_t received = 0;
  struct Path {
    std::uint32_t id = 0;
    std::uint8_t hops = 0;  ///< routers
    std::uint8_t hop = 0;   ///< of these, the one with `address`, from 1; 0: none is reported
    IpAddress address = {};
    friend bool operator==(const Path&, const Path&) = default;
  };
  std::optional<Path> back;
  std::uint8_t routers = 0;  ///< of a request: on the way back; 0: not known

  /// Whether the request with this number arrived; nullopt: the bitmap does not reach it.
  [[nodiscard]] std::optional<bool> has(std::uint32_t sequence) const;
  /// Takes note of a request; false if one with its number had arrived before, or it is too old for that to be known.
  bool note(std::uint32_t sequence);

  friend bool operator==(const OwnTlv&, const OwnTlv&) = default;
};

inline constexpr std::size_t kOwnTlvSize = 32;
inline constexpr std::size_t kOwnTlvLong = 52;  ///< with room for a router

/// Over all of `value`, which has one of the two sizes.
void write(const OwnTlv& own, MutableBytes value);
/// nullopt: another length, or somebody else's experiment.
std::optional<OwnTlv> read_own_tlv(ByteView value);

}  // namespace ecmp::stamp
