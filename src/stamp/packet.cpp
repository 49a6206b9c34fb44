#include "stamp/packet.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace ecmp::stamp {

namespace {

/// Where the fields of a packet stand. Between them are zeros.
struct Places {
  std::size_t sequence, sent, error, ssid, received, request_sequence, request_sent, request_error, request_ttl;
};
/// RFC 8762 figures 3 and 6 with the SSID of RFC 8972 figure 1, then figures 5 and 7.
constexpr Places kOpen = {0, 4, 12, 14, 16, 24, 28, 36, 40};
constexpr Places kAuthenticated = {0, 16, 24, 26, 32, 48, 64, 72, 80};
constexpr const Places& places(Mode mode) {
  return mode == Mode::open ? kOpen : kAuthenticated;
}

constexpr std::size_t kHmacAt = 96;
/// Sequence number, time and error estimate: what every request has.
constexpr std::size_t kTwampRequestSize = 14;

constexpr std::int64_t kSecond = 1'000'000'000;
/// Between 1900 and 1970 (RFC 5905 section 6).
constexpr std::int64_t kNtpToUnix = 2'208'988'800;

std::uint64_t load64(ByteView bytes, std::size_t at) {
  return (std::uint64_t{load32(bytes, at)} << 32) | load32(bytes, at + 4);
}
void store64(MutableBytes bytes, std::size_t at, std::uint64_t value) {
  store32(bytes, at, static_cast<std::uint32_t>(value >> 32));
  store32(bytes, at + 4, static_cast<std::uint32_t>(value));
}

}  // namespace

std::uint16_t ErrorEstimate::bits() const {
  return static_cast<std::uint16_t>((synchronised ? 0x8000 : 0) | (ptp ? 0x4000 : 0) | ((scale & 0x3f) << 8) |
                                    multiplier);
}

ErrorEstimate ErrorEstimate::from_bits(std::uint16_t bits) {
  return {(bits & 0x8000) != 0, (bits & 0x4000) != 0, static_cast<std::uint8_t>((bits >> 8) & 0x3f),
          static_cast<std::uint8_t>(bits)};
}

ErrorEstimate ErrorEstimate::of(Duration error, bool synchronised, bool ptp) {
  for (std::uint8_t scale = 0; scale < 64; ++scale) {
    const ErrorEstimate largest{synchronised, ptp, scale, 255};
    if (largest.error() < error) continue;
    ErrorEstimate fitting{synchronised, ptp, scale, 1};
    while (fitting.error() < error)
      ++fitting.multiplier;
    return fitting;
  }
  return {synchronised, ptp, 63, 255};
}

Duration ErrorEstimate::error() const {
  // multiplier * 2^(scale-32) s * 10^9 ns/s, at most 255 * 2^31 * 10^9: 69 bits, hence the division of the large ones.
  if (scale >= 32) {
    const std::uint64_t seconds = std::uint64_t{multiplier} << (scale - 32);
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<Duration::rep>::max() / kSecond);
    return seconds > kMost ? Duration::max() : Duration(static_cast<Duration::rep>(seconds) * kSecond);
  }
  const std::uint64_t scaled = std::uint64_t{multiplier} * kSecond;  // 38 bits
  const unsigned shift = 32 - scale;
  return Duration(static_cast<Duration::rep>((scaled + (std::uint64_t{1} << shift) - 1) >> shift));
}

std::uint64_t to_wire(WallTime time, bool ptp) {
  const std::int64_t whole = time.time_since_epoch().count();
  std::int64_t seconds = whole / kSecond;
  std::int64_t rest = whole % kSecond;
  if (rest < 0) {
    --seconds;
    rest += kSecond;
  }
  if (ptp) return (static_cast<std::uint64_t>(seconds) << 32) | static_cast<std::uint64_t>(rest);
  // Rounded up: cut off, a time would come back one nanosecond early.
  const std::uint64_t fraction = ((static_cast<std::uint64_t>(rest) << 32) + kSecond - 1) / kSecond;
  return (static_cast<std::uint64_t>(seconds + kNtpToUnix) << 32) | fraction;
}

WallTime from_wire(std::uint64_t bits, bool ptp, WallTime near) {
  const auto near_seconds = std::chrono::floor<std::chrono::seconds>(near).time_since_epoch().count();
  const auto first = static_cast<std::uint32_t>(bits >> 32);
  // The distance in 32 bits with a sign is the one to the nearest of all eras.
  const auto near_first = static_cast<std::uint32_t>(near_seconds + (ptp ? 0 : kNtpToUnix));
  const std::int64_t seconds = near_seconds + static_cast<std::int32_t>(first - near_first);
  const std::uint64_t low = bits & 0xffffffffu;
  const auto rest = static_cast<std::int64_t>(ptp ? low : (low * kSecond) >> 32);
  return WallTime(Duration(seconds * kSecond + rest));
}

bool has_times(const Reply& reply, WallTime near) {
  constexpr auto kToday = std::chrono::hours(24);
  constexpr auto kOther = std::chrono::years(1);
  const bool ptp = reply.error.ptp;
  return std::ranges::all_of(std::array{reply.received, reply.sent}, [&](std::uint64_t bits) {
    if (bits == 0 || (ptp && (bits & 0xffffffffu) >= kSecond)) return false;
    const auto away = [&](bool as_ptp) { return std::chrono::abs(from_wire(bits, as_ptp, near) - near); };
    return away(ptp) <= kOther || away(!ptp) > kToday;
  });
}

void write(Mode mode, const Request& request, MutableBytes bytes) {
  const Places& at = places(mode);
  std::fill_n(bytes.begin(), base_size(mode), std::uint8_t{0});
  store32(bytes, at.sequence, request.sequence);
  store64(bytes, at.sent, request.sent);
  store16(bytes, at.error, request.error.bits());
  store16(bytes, at.ssid, request.ssid);
}

void write(Mode mode, const Reply& reply, MutableBytes bytes) {
  const Places& at = places(mode);
  std::fill_n(bytes.begin(), base_size(mode), std::uint8_t{0});
  store32(bytes, at.sequence, reply.sequence);
  store64(bytes, at.sent, reply.sent);
  store16(bytes, at.error, reply.error.bits());
  store16(bytes, at.ssid, reply.ssid);
  store64(bytes, at.received, reply.received);
  store32(bytes, at.request_sequence, reply.request_sequence);
  store64(bytes, at.request_sent, reply.request_sent);
  store16(bytes, at.request_error, reply.request_error.bits());
  bytes[at.request_ttl] = reply.request_ttl;
}

std::optional<Request> read_request(Mode mode, ByteView bytes) {
  const Places& at = places(mode);
  if (bytes.size() < (mode == Mode::open ? kTwampRequestSize : base_size(mode))) return std::nullopt;
  Request request;
  request.sequence = load32(bytes, at.sequence);
  request.sent = load64(bytes, at.sent);
  request.error = ErrorEstimate::from_bits(load16(bytes, at.error));
  if (bytes.size() >= base_size(mode)) request.ssid = load16(bytes, at.ssid);
  return request;
}

std::optional<Reply> read_reply(Mode mode, ByteView bytes) {
  const Places& at = places(mode);
  if (bytes.size() < (mode == Mode::open ? kTwampReplySize : base_size(mode))) return std::nullopt;
  Reply reply;
  reply.sequence = load32(bytes, at.sequence);
  reply.sent = load64(bytes, at.sent);
  reply.error = ErrorEstimate::from_bits(load16(bytes, at.error));
  reply.ssid = load16(bytes, at.ssid);
  reply.received = load64(bytes, at.received);
  reply.request_sequence = load32(bytes, at.request_sequence);
  reply.request_sent = load64(bytes, at.request_sent);
  reply.request_error = ErrorEstimate::from_bits(load16(bytes, at.request_error));
  reply.request_ttl = bytes[at.request_ttl];
  return reply;
}

void seal(ByteView key, MutableBytes bytes) {
  const Tag tag = hmac_tag(key, {bytes.first(kHmacAt)});
  std::copy(tag.begin(), tag.end(), bytes.begin() + kHmacAt);
}

bool is_sealed(ByteView key, ByteView bytes) {
  if (bytes.size() < kAuthenticatedSize) return false;
  return same_in_constant_time(hmac_tag(key, {bytes.first(kHmacAt)}), bytes.subspan(kHmacAt, sizeof(Tag)));
}

}  // namespace ecmp::stamp
