#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "packet/five_tuple.hpp"

namespace ecmp::packet {

/// One entry of an MPLS label stack (RFC 3032 section 2.1), as RFC 4950 carries it.
struct MplsLabel {
  std::uint32_t label = 0;  ///< 20 bits
  std::uint8_t traffic_class = 0;
  bool bottom = false;
  std::uint8_t ttl = 0;

  friend bool operator==(const MplsLabel&, const MplsLabel&) = default;
};

/// A label stack, top first; deeper stacks than 8 are cut.
struct MplsStack {
  static constexpr std::size_t kMaximum = 8;
  std::array<MplsLabel, kMaximum> labels{};
  std::uint8_t depth = 0;

  [[nodiscard]] std::span<const MplsLabel> view() const { return {labels.data(), depth}; }
  friend bool operator==(const MplsStack& a, const MplsStack& b) {
    return a.depth == b.depth && std::equal(a.labels.begin(), a.labels.begin() + a.depth, b.labels.begin());
  }
};

/// What RFC 5837 lets a router tell of one of its interfaces, or of the next hop.
struct InterfaceInfo {
  enum class Role : std::uint8_t { incoming, sub_ip, outgoing, next_hop };
  static constexpr std::size_t kLongestName = 63;

  Role role = Role::incoming;
  std::optional<std::uint32_t> index;  ///< ifIndex (RFC 2863)
  std::optional<std::uint32_t> mtu;
  IpAddress address;  ///< unspecified: not told
  std::string name;   ///< empty: not told. Printable ASCII: whatever else came stands as '?'

  friend bool operator==(const InterfaceInfo&, const InterfaceInfo&) = default;
};
/// "incoming", "sub_ip", "outgoing", "next_hop".
std::string_view to_string(InterfaceInfo::Role role);

/// What hardly any reply tells: labels, interfaces, and how our datagram had come to differ from what was sent by the
/// time it was quoted.
struct ReplyNotes {
  static constexpr std::size_t kMostInterfaces = 4;

  MplsStack mpls;
  std::vector<InterfaceInfo> interfaces;  ///< kMostInterfaces at most
  std::uint8_t sent_traffic_class = 0;    ///< DSCP and ECN; both are 0 in replies without a quote
  std::uint8_t quoted_traffic_class = 0;
  IpAddress quoted_source;        ///< when it was not ours any more, else unspecified
  bool checksum_shifted = false;  ///< UDP and ICMP: off by what it was off before at this TTL, as behind a NAT
  bool sequence_shifted = false;  ///< TCP: the same of the sequence number
  std::uint32_t mtu = 0;          ///< of "fragmentation needed" and "packet too big"; 0: not told

  [[nodiscard]] bool empty() const { return *this == ReplyNotes(); }
  friend bool operator==(const ReplyNotes&, const ReplyNotes&) = default;
};

/// Notes where there are hardly ever any: a pointer, and memory only when there is something noted, which whoever holds
/// the same notes shares. Probes under way, finished rounds and hops are there by the hundred thousand, and 150 bytes
/// of room each would be more than all the rest of them. Labels were all it held once: hence the name, and view().
class KeptMpls {
 public:
  KeptMpls() = default;
  KeptMpls(const MplsStack& stack);  // NOLINT(google-explicit-constructor): it is the same, kept elsewhere
  explicit KeptMpls(ReplyNotes notes);
  KeptMpls(const KeptMpls& other) noexcept : kept_(other.kept_) {
    if (kept_ != nullptr) kept_->holders.fetch_add(1, std::memory_order_relaxed);
  }
  KeptMpls(KeptMpls&& other) noexcept : kept_(std::exchange(other.kept_, nullptr)) {}
  KeptMpls& operator=(KeptMpls&& other) noexcept {
    std::swap(kept_, other.kept_);
    return *this;
  }
  KeptMpls& operator=(const KeptMpls& other) noexcept {
    if (kept_ != other.kept_) *this = KeptMpls(other);
    return *this;
  }
  ~KeptMpls() {
    if (kept_ != nullptr) let_go();
  }

  /// Whether there are no labels.
  [[nodiscard]] bool empty() const { return view().empty(); }
  /// Labels, top first; empty if there is none.
  [[nodiscard]] std::span<const MplsLabel> view() const {
    return kept_ == nullptr ? std::span<const MplsLabel>() : kept_->notes.mpls.view();
  }
  /// Labels and all the rest; null if there is nothing of either.
  [[nodiscard]] const ReplyNotes* notes() const { return kept_ == nullptr ? nullptr : &kept_->notes; }
  friend bool operator==(const KeptMpls& a, const KeptMpls& b) {
    return a.kept_ == b.kept_ || (a.kept_ != nullptr && b.kept_ != nullptr && a.kept_->notes == b.kept_->notes);
  }

 private:
  /// Counted by hand: a std::shared_ptr is twice as large. Records are let go by whichever thread read them last.
  struct Kept {
    explicit Kept(ReplyNotes all) : notes(std::move(all)) {}
    const ReplyNotes notes;
    std::atomic<std::uint32_t> holders = 1;
  };
  void let_go() noexcept;

  Kept* kept_ = nullptr;
};

/// The start of a datagram of ours: inside an ICMP error, or as it left the host. At least 8 transport bytes were
/// there.
struct Quote {
  FiveTuple tuple;
  std::uint8_t ttl = 0;            ///< as quoted: 1 at an honest router, what was left of it at the destination
  std::uint8_t traffic_class = 0;  ///< DSCP and ECN, as quoted
  std::uint32_t flow_label = 0;    ///< IPv6
  std::uint16_t ip_id = 0;         ///< IPv4
  std::uint16_t total_size = 0;    ///< IP length as its header says, not what was quoted of it
  std::uint16_t checksum = 0;      ///< UDP and ICMP
  std::uint32_t sequence = 0;      ///< TCP sequence; ICMP echo sequence
  ByteView payload;                ///< what is there of the payload behind the 8 bytes of UDP or ICMP; empty for TCP
};

/// An ICMP or ICMPv6 error: time exceeded, destination unreachable, packet too big, parameter problem.
struct IcmpError {
  IpAddress from;
  IpAddress to;
  std::uint8_t reply_ttl = 0;  ///< TTL the ICMP message itself arrived with
  std::uint8_t type = 0;
  std::uint8_t code = 0;
  std::uint32_t mtu = 0;  ///< of "fragmentation needed" and "packet too big", else 0
  Quote quote;
  MplsStack mpls;                         ///< RFC 4950 extension, empty if there is none
  std::vector<InterfaceInfo> interfaces;  ///< RFC 5837 extension, the first ReplyNotes::kMostInterfaces of them
};

struct EchoReply {
  IpAddress from;
  IpAddress to;
  std::uint8_t reply_ttl = 0;
  std::uint16_t identifier = 0;
  std::uint16_t sequence = 0;
  ByteView payload;
};

struct TcpSegment {
  IpAddress from;
  IpAddress to;
  std::uint8_t reply_ttl = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgement = 0;
  std::uint16_t payload_size = 0;
  bool syn = false, ack = false, rst = false, fin = false;
};

struct UdpDatagram {
  IpAddress from;
  IpAddress to;
  std::uint8_t reply_ttl = 0;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  ByteView payload;
};

/// Why a datagram could not be understood. Nothing of it is trusted then.
enum class ParseError : std::uint8_t {
  truncated,     ///< a header says more than there is
  malformed,     ///< a header contradicts itself (lengths, version, a fragment that is not the first)
  bad_checksum,  ///< of an IPv4 header or of a complete ICMP message
  irrelevant,    ///< well formed, but nothing that can answer a probe
};
std::string_view to_string(ParseError error);

using Message = std::variant<ParseError, IcmpError, EchoReply, TcpSegment, UdpDatagram>;

/// Understands a received IP datagram, IP header first. Views in the result point into `datagram`. Checksums of TCP and
/// UDP are not checked: network cards and virtual links fill them in late. Never reads outside `datagram`.
Message parse(ByteView datagram);

/// Understands a datagram of ours as it left the host (IP header first), by the same rules as a quote.
std::variant<ParseError, Quote> parse_probe(ByteView datagram);

/// What a reply says, independent of the IP version.
enum class ReplyKind : std::uint8_t {
  none,
  time_exceeded,
  echo_reply,
  syn_ack,
  rst,
  udp,
  port_unreachable,
  host_unreachable,
  net_unreachable,
  protocol_unreachable,
  fragmentation_needed,  ///< IPv6: packet too big
  source_route_failed,
  admin_prohibited,  ///< IPv4 codes 9, 10, 13; IPv6 codes 1, 5
  reject_route,      ///< IPv6 code 6
  parameter_problem,
  other_unreachable,
  challenge_ack,  ///< RFC 5961 section 4: a bare ACK for a SYN that met a connection which is not over
};

/// An ICMP error, which whoever answers limits (RFC 1812 section 4.3.2.8, RFC 4443 section 2.4 (f)).
constexpr bool is_error(ReplyKind kind) {
  return kind == ReplyKind::time_exceeded ||
         (kind >= ReplyKind::port_unreachable && kind <= ReplyKind::other_unreachable);
}

/// As it stands in JSON, metrics and on screen: "time_exceeded", "port_unreachable", ...; "" for none.
std::string_view to_string(ReplyKind kind);

/// What an ICMP error's type and code mean (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1, RFC 4443).
ReplyKind reply_kind(Family family, std::uint8_t type, std::uint8_t code);

}  // namespace ecmp::packet
