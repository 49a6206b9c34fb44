#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "stamp/hmac.hpp"

/// The test packets of STAMP (RFC 8762 with the session identifier of RFC 8972 section 3): the payload of UDP
/// datagrams. TLVs behind them are tlv.hpp's.
namespace ecmp::stamp {

/// Of a Session-Reflector (RFC 8762 section 4.1).
inline constexpr std::uint16_t kPort = 862;

/// Which of the two formats the ends agreed on; nothing in a packet says it.
enum class Mode : std::uint8_t { open, authenticated };

/// Bytes before the first TLV (RFC 8762 sections 4.2 and 4.3).
inline constexpr std::size_t kOpenSize = 44;
inline constexpr std::size_t kAuthenticatedSize = 112;
constexpr std::size_t base_size(Mode mode) {
  return mode == Mode::open ? kOpenSize : kAuthenticatedSize;
}
/// Of what a TWAMP Light reflector answers (RFC 5357 section 4.2.1): the same fields as an open reply, and no zeros
/// behind the TTL.
inline constexpr std::size_t kTwampReplySize = 41;

/// How far a clock may be off (RFC 4656 section 4.1.2; Z is RFC 8186's): multiplier * 2^(scale-32) seconds.
struct ErrorEstimate {
  bool synchronised = false;    ///< S: to UTC, by something outside
  bool ptp = false;             ///< Z: the times beside it are PTP's, not NTP's
  std::uint8_t scale = 0;       ///< 6 bits
  std::uint8_t multiplier = 1;  ///< 0: a packet that must be taken for corrupt

  [[nodiscard]] std::uint16_t bits() const;
  static ErrorEstimate from_bits(std::uint16_t bits);
  /// The smallest estimate that is not below `error`; the largest there is when none is.
  static ErrorEstimate of(Duration error, bool synchronised, bool ptp = false);
  /// Rounded up to nanoseconds, at most Duration::max().
  [[nodiscard]] Duration error() const;

  friend bool operator==(const ErrorEstimate&, const ErrorEstimate&) = default;
};

/// Of a clock that nothing outside keeps: 2^31 s, any error at all.
inline constexpr ErrorEstimate kUnsynchronised{.scale = 63, .multiplier = 1};

/// A time as packets carry it: 32 bits of seconds, then 32 of a fraction of 2^-32 s (NTP, from 1900) or of nanoseconds
/// (PTP, from 1970). Both wrap: NTP's in 2036.
std::uint64_t to_wire(WallTime time, bool ptp);
/// The time with these bits that is nearest to `near`. Nanoseconds of PTP beyond a second count as they are.
WallTime from_wire(std::uint64_t bits, bool ptp, WallTime near);

/// What a Session-Sender sends. Times are as on the wire: whoever compares them with a clock calls from_wire().
struct Request {
  std::uint32_t sequence = 0;  ///< S
  std::uint64_t sent = 0;      ///< T1
  ErrorEstimate error;
  std::uint16_t ssid = 0;  ///< 0: a sender that knows no RFC 8972

  friend bool operator==(const Request&, const Request&) = default;
};

/// What a Session-Reflector answers.
struct Reply {
  std::uint32_t sequence = 0;  ///< R: the request's, or the number of replies that this session had before
  std::uint64_t sent = 0;      ///< T3
  ErrorEstimate error;         ///< of T2 and T3
  std::uint16_t ssid = 0;
  std::uint64_t received = 0;          ///< T2
  std::uint32_t request_sequence = 0;  ///< S
  std::uint64_t request_sent = 0;      ///< T1
  ErrorEstimate request_error;         ///< of T1
  std::uint8_t request_ttl = 0;        ///< as the request arrived; 255 may also mean that it could not be read

  friend bool operator==(const Reply&, const Reply&) = default;
};

/// Whether T2 and T3 are times: neither is 0, which says that there is no clock, and they are of the format that Z
/// says. It is wrong where PTP's nanoseconds are more than a second, and where only the other format makes them times
/// of today. `near`: this host's time.
bool has_times(const Reply& reply, WallTime near);

/// Writes the base of a packet over the first base_size(mode) bytes of `bytes`, which are there; what must be zero is
/// zero, and so is the HMAC until seal() is called.
void write(Mode mode, const Request& request, MutableBytes bytes);
void write(Mode mode, const Reply& reply, MutableBytes bytes);

/// nullopt: too short. A request of TWAMP Light may have 14 bytes in open mode (RFC 8762 section 4.6); its SSID is then
/// 0, for what would be one is padding. Whether a multiplier is 0 is left to the caller.
std::optional<Request> read_request(Mode mode, ByteView bytes);
/// nullopt: too short. In open mode 41 bytes are enough: RFC 5357's reply.
std::optional<Reply> read_reply(Mode mode, ByteView bytes);

/// Authenticated mode: puts the HMAC of the first 96 bytes behind them (RFC 8762 section 4.4). 112 bytes are there.
void seal(ByteView key, MutableBytes bytes);
/// Whether that HMAC is right; in constant time. False for fewer than 112 bytes.
bool is_sealed(ByteView key, ByteView bytes);

/// Whether sequence number a comes after b: serial arithmetic (RFC 1982), so that a wrap is no restart.
constexpr bool is_after(std::uint32_t a, std::uint32_t b) {
  return a != b && a - b < 0x80000000u;
}

}  // namespace ecmp::stamp
