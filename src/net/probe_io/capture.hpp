#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <pcap/pcap.h>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace ecmp::net {

struct CaptureOptions {
  /// The kernel hands packets over in blocks, when one is full or after this time: the fewer wake-ups the cheaper, and
  /// stamps are the kernel's, so that it costs no accuracy (docs/adr/0003).
  std::chrono::milliseconds block_timeout{10};
  /// Ring of blocks of 256 KiB. A block is used up by the timeout too, however few packets are in it: 64 blocks bridge
  /// 640 ms in which nobody reads.
  std::size_t buffer_bytes = 16u << 20;
  /// Bytes kept of a datagram: an ICMPv4 error has 576 bytes at most (RFC 1812 section 4.3.2.3), and so whole ICMP
  /// errors can have their checksum verified; the rest is for link header and IP options.
  int snapshot_length = 640;
};

/// A captured datagram, IP header first.
struct CapturedFrame {
  ByteView datagram;
  WallTime stamp;
  std::uint32_t interface = 0;  ///< index
  bool outgoing = false;        ///< sent by this host; else received, and for this host
  bool loopback = false;        ///< at the loopback interface, where libpcap shows packets only as received
};

struct CaptureStatistics {
  std::uint64_t received = 0;  ///< passed the filter, since open()
  std::uint64_t dropped = 0;   ///< passed the filter, but the ring was full
};

/// Everything this host sends and receives on all interfaces, by libpcap's "any" device with cooked headers
/// (LINKTYPE_LINUX_SLL2), through a filter.
class Capture {
 public:
  /// Fails with a line for the user if CAP_NET_RAW is missing. Nothing is let through before set_filter().
  static Result<Capture> open(const CaptureOptions& options);

  /// Replaces the filter; "" lets nothing pass. False, with the old filter still there, if libpcap cannot compile it
  /// or the kernel does not take it.
  [[nodiscard]] Result<bool> set_filter(const std::string& expression);

  /// Hands over what has arrived, `maximum` packets at most; never waits. Returns how many that were, nothing if the
  /// capture failed.
  std::optional<std::size_t> read(std::size_t maximum, const std::function<void(const CapturedFrame&)>& sink);

  /// Readable when packets wait.
  [[nodiscard]] int descriptor() const { return descriptor_; }
  CaptureStatistics statistics();

 private:
  struct Close {
    void operator()(pcap_t* handle) const { pcap_close(handle); }
  };
  explicit Capture(std::unique_ptr<pcap_t, Close> handle);

  std::unique_ptr<pcap_t, Close> handle_;
  int descriptor_ = -1;
  CaptureStatistics statistics_;
  std::uint32_t last_received_ = 0, last_dropped_ = 0;
};

/// Reads LINKTYPE_LINUX_SLL2 (tcpdump.org/linktypes/LINKTYPE_LINUX_SLL2.html). False for what is neither sent by this
/// host nor to it (broadcast, multicast, other hosts' traffic), and for what is not IP. Does not fill in the stamp.
bool read_sll2(ByteView packet, CapturedFrame& frame);

}  // namespace ecmp::net
