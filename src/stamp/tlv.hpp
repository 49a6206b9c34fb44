#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "stamp/hmac.hpp"

/// The extensions behind a test packet (RFC 8972 section 4): flags, type, length of the value, value.
namespace ecmp::stamp {

inline constexpr std::size_t kTlvHeader = 4;

/// Flags (RFC 8972 section 4). A sender sets kUnrecognised and nothing else; the reflector that understood a TLV clears
/// it.
inline constexpr std::uint8_t kUnrecognised = 0x80;  ///< U
inline constexpr std::uint8_t kMalformed = 0x40;  ///< M: its length is not one that this type has, or reaches too far
inline constexpr std::uint8_t kIntegrity = 0x20;  ///< I: the HMAC of the extensions was wrong

/// Types (RFC 8972 section 5.1; 9 and 10 RFC 9503, 11 RFC 9534, 12 RFC 10052).
namespace tlv {
inline constexpr std::uint8_t kPadding = 1;
inline constexpr std::uint8_t kLocation = 2;
inline constexpr std::uint8_t kTimestamps = 3;
inline constexpr std::uint8_t kClassOfService = 4;
inline constexpr std::uint8_t kDirectMeasurement = 5;
inline constexpr std::uint8_t kAccessReport = 6;
inline constexpr std::uint8_t kFollowUp = 7;
inline constexpr std::uint8_t kHmac = 8;
inline constexpr std::uint8_t kDestinationNode = 9;
inline constexpr std::uint8_t kReturnPath = 10;
inline constexpr std::uint8_t kMicroSession = 11;
inline constexpr std::uint8_t kReflectedControl = 12;
inline constexpr std::uint8_t kOwn = 250;  ///< ours, of the range for experiments: own_tlv.hpp
}  // namespace tlv

/// Lengths of values that have one length only.
inline constexpr std::size_t kTimestampsSize = 4;
inline constexpr std::size_t kClassOfServiceSize = 4;
inline constexpr std::size_t kDirectMeasurementSize = 12;
inline constexpr std::size_t kAccessReportSize = 4;
inline constexpr std::size_t kFollowUpSize = 16;
inline constexpr std::size_t kHmacSize = 16;

struct Tlv {
  std::size_t at = 0;  ///< of its header, in the bytes that were read
  std::uint8_t flags = 0;
  std::uint8_t type = 0;
  ByteView value;

  [[nodiscard]] std::size_t size() const { return kTlvHeader + value.size(); }
};

/// Reads one TLV after the other out of the bytes behind a packet's base. Stops for good where none fits any more.
class TlvReader {
 public:
  explicit TlvReader(ByteView bytes) : bytes_(bytes) {}

  /// nullopt: the end, or bytes that are no TLV (see cut()).
  std::optional<Tlv> next();
  /// Whether reading ended at bytes that are too few for a header or for the length that a header says.
  [[nodiscard]] bool cut() const { return cut_; }
  /// Where reading stands.
  [[nodiscard]] std::size_t at() const { return at_; }

 private:
  ByteView bytes_;
  std::size_t at_ = 0;
  bool cut_ = false;
};

/// The first TLV of this type that is whole and carries none of the flags U, M and I: what a sender may believe of a
/// reply's. `bytes` are those behind the base.
std::optional<Tlv> find_answered(ByteView bytes, std::uint8_t type);

/// Writes TLVs one behind the other into bytes that are there already.
class TlvWriter {
 public:
  explicit TlvWriter(MutableBytes bytes) : bytes_(bytes) {}

  /// The header, and room for the value, which is zeroed and returned. Empty and nothing written when it does not fit;
  /// a value of no bytes is empty as well.
  MutableBytes add(std::uint8_t type, std::size_t size, std::uint8_t flags = kUnrecognised);
  /// What was written so far.
  [[nodiscard]] std::size_t size() const { return at_; }
  [[nodiscard]] std::size_t room() const { return bytes_.size() - at_; }

 private:
  MutableBytes bytes_;
  std::size_t at_ = 0;
};

/// What the HMAC TLV of extensions says (RFC 8972 section 4.8): it covers the packet's sequence number and every TLV
/// before it, and nothing but one padding may stand behind it.
enum class Extensions : std::uint8_t {
  none,  ///< no TLV but padding
  bare,  ///< TLVs, and no HMAC among them
  right,
  wrong,  ///< another HMAC, one in a wrong place, of a wrong length, or bytes that are no TLV
};
/// `packet` is the whole payload, `tlvs` how many bytes of it come before the TLVs.
Extensions check_extensions(ByteView key, ByteView packet, std::size_t tlvs);
/// Writes the HMAC over the value of the HMAC TLV whose header stands at `at` in `packet`; the value is there.
void seal_extensions(ByteView key, MutableBytes packet, std::size_t tlvs, std::size_t at);

}  // namespace ecmp::stamp
