#pragma once

#include <cstdint>
#include <optional>

#include "base/siphash.hpp"
#include "packet/message.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp {

/// Which probe of a flow a datagram is.
struct ProbeIdentity {
  /// Rounds are told apart modulo this: far more than can be under way at once.
  static constexpr std::uint32_t kRounds = 63;
  static constexpr std::uint8_t kAttempts = 4;

  std::uint8_t ttl = 0;      ///< 1..255
  std::uint8_t round = 0;    ///< round number modulo kRounds
  std::uint8_t attempt = 0;  ///< below kAttempts: a TTL may be probed again within its round

  friend bool operator==(const ProbeIdentity&, const ProbeIdentity&) = default;
};

/// What a probe carries that tells it from the others of its flow. Kept while the probe is under way: to look for it is
/// several times as quick as to work out the identity anew.
struct ProbeMark {
  std::uint64_t tag = 0;
  std::uint32_t word = 0;   ///< UDP: the checksum; ICMP: the sequence; TCP: the sequence number. 0: it never left
  std::uint16_t ip_id = 0;  ///< IPv4
};

/// A key-dependent permutation of the numbers 1..65534: what goes into 16-bit header fields. 0 and 65535 are left out,
/// since a UDP checksum of 0 means "none" and one's complement arithmetic cannot tell the two apart (RFC 768, RFC
/// 1071).
class Permutation16 {
 public:
  explicit Permutation16(std::uint64_t key) : key_(key) {}
  [[nodiscard]] std::uint16_t forward(std::uint16_t number) const;
  [[nodiscard]] std::uint16_t backward(std::uint16_t number) const;

 private:
  template <bool backward>
  [[nodiscard]] std::uint16_t feistel(std::uint16_t number) const;
  std::uint64_t key_;
};

/// Where the identity of a flow's probes hides. Three places, none of which routers hash, each of them keyed with the
/// process' secret, so that who cannot see our packets cannot forge an answer to one (docs/adr/0006):
///
///   16 bits  UDP: the checksum, made true by two payload bytes. ICMP: the sequence (the checksum, which routers do
///   hash,
///            stays constant by the same two bytes). TCP: the upper half of the sequence number. In the 8 bytes of
///            transport header that every quote has (RFC 792).
///   16 bits  IPv4: IP-ID, the same identity under another permutation. IPv6 has the flow label instead: constant, as
///            routers do hash it, but secret all the same.
///   64 bits  the tag: payload bytes of UDP and ICMP, which longer quotes (RFC 1812 section 4.3.2.3, RFC 4443) carry;
///            16 bits of it are the lower half of the TCP sequence number.
class FlowCodec {
 public:
  /// `flow_secret` must differ between flows; see derive_flow_secret().
  /// `tag_at`: where the tag stands in the payload of UDP, if the probes are datagrams of STAMP.
  FlowCodec(Protocol protocol, const SipKey& flow_secret, std::size_t tag_at = kTagAt);

  /// Flow label that all probes of the flow carry, 20 bits, never 0 (RFC 6437 section 3).
  [[nodiscard]] std::uint32_t flow_label() const { return flow_label_; }

  /// Fills in checksum, sequence, ip_id, flow_label, tag and ttl.
  ProbeMark encode(const ProbeIdentity& identity, packet::ProbeDatagram& probe) const;

  /// What a quote says. `full`: two independent places agree. `rewritten`: only IP-ID can be right, and the transport
  /// header's word is off by `offset`, since a NAT has adapted the checksum, or a firewall the sequence number. Such a
  /// device is off by the same for every probe of a flow (RFC 1624), which a forger cannot foretell: the caller
  /// believes an offset that it sees again.
  struct Decoded {
    enum class Match : std::uint8_t { none, rewritten, full };
    Match match = Match::none;
    ProbeIdentity identity;
    /// How far what a NAT adapts is off, also of a `full` match: the checksum, or for TCP the sequence number. 0: not
    /// at all, or the quote has no checksum.
    std::uint32_t offset = 0;
  };
  [[nodiscard]] Decoded decode(const packet::Quote& quote) const;

  /// The word of the transport header in which a quote says which probe it is of.
  [[nodiscard]] std::uint32_t word_of(const packet::Quote& quote) const {
    return protocol_ == Protocol::udp ? quote.checksum : quote.sequence;
  }
  /// Whether decode() would find the probe of this mark, a full match with nothing off. False also where that takes a
  /// closer look: the caller asks decode() then.
  [[nodiscard]] bool shows(const packet::Quote& quote, const ProbeMark& mark) const;

  /// Identity in an echo reply, which returns the whole payload: nullopt unless the tag is right.
  [[nodiscard]] std::optional<ProbeIdentity> decode_echo(const packet::EchoReply& reply) const;

  /// The sequence number of a probe that is a datagram of STAMP: its highest bit tells it from packets of the flow's
  /// stream. Below stand 15 bits of the tag and the identity, which every reflector returns, whatever TLVs it knows.
  [[nodiscard]] std::uint32_t stamp_sequence(const ProbeIdentity& identity) const;
  static constexpr std::uint32_t kOfTrace = 0x80000000u;
  /// Identity in the sender's sequence number of a reply to it: nullopt unless the 15 bits are right.
  [[nodiscard]] std::optional<ProbeIdentity> decode_stamp(std::uint32_t sequence) const;
  /// Session identifiers of the flow's stream and of its trace; never 0.
  [[nodiscard]] std::uint16_t stream_ssid() const { return static_cast<std::uint16_t>(siphash(secret_, 6) | 1); }
  [[nodiscard]] std::uint16_t trace_ssid() const { return static_cast<std::uint16_t>(stream_ssid() ^ 2); }

  /// Identity in what a TCP segment acknowledges, minus one: nullopt unless the tag's 16 bits are right.
  [[nodiscard]] std::optional<ProbeIdentity> decode_sequence(std::uint32_t sequence) const;

 private:
  /// UDP: the checksum; ICMP: the sequence; TCP: the sequence number.
  [[nodiscard]] std::uint32_t transport_word(const ProbeIdentity& identity) const;
  /// Of UDP and ICMP, in one's complement arithmetic.
  [[nodiscard]] std::uint32_t checksum_offset(const ProbeIdentity& identity, const packet::Quote& quote) const;
  [[nodiscard]] std::uint64_t tag(const ProbeIdentity& identity) const;
  [[nodiscard]] bool tag_matches(const ProbeIdentity& identity, ByteView payload) const;

  static constexpr std::size_t kTagAt = 2;  ///< behind the steering bytes

  Protocol protocol_;
  std::size_t tag_at_;
  SipKey secret_;
  Permutation16 primary_;
  Permutation16 secondary_;
  std::uint32_t flow_label_;
  std::uint16_t icmp_checksum_;
};

/// The secret of one flow, from the process' secret and what names the flow.
SipKey derive_flow_secret(const SipKey& process_secret, const FiveTuple& tuple);

}  // namespace ecmp
