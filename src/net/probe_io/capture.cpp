#include "net/probe_io/capture.hpp"

#include <cerrno>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pcap/sll.h>

#include "net/host/privilege.hpp"

namespace ecmp::net {
namespace {

struct Reading {
  const std::function<void(const CapturedFrame&)>& sink;
};

void on_packet(unsigned char* user, const pcap_pkthdr* header, const unsigned char* bytes) {
  CapturedFrame frame;
  if (!read_sll2({bytes, header->caplen}, frame)) return;
  // With nanosecond precision libpcap puts nanoseconds where its name says microseconds.
  frame.stamp = WallTime(std::chrono::seconds(header->ts.tv_sec) + std::chrono::nanoseconds(header->ts.tv_usec));
  reinterpret_cast<Reading*>(user)->sink(frame);
}

Error capture_error(pcap_t* handle, int status) {
  const std::string what = "cannot capture replies";
  if (status == PCAP_ERROR_PERM_DENIED) return Error{open_failure(what, EPERM)};
  std::string detail = pcap_geterr(handle);
  if (detail.empty()) detail = pcap_statustostr(status);
  return Error{what + ": " + detail};
}

}  // namespace

bool read_sll2(ByteView packet, CapturedFrame& frame) {
  constexpr std::size_t kProtocol = 0, kInterface = 4, kHardware = 8, kType = 10;
  if (packet.size() < SLL2_HDR_LEN) return false;
  const std::uint16_t protocol = load16(packet, kProtocol);
  if (protocol != ETH_P_IP && protocol != ETH_P_IPV6) return false;
  const std::uint8_t type = packet[kType];
  if (type != LINUX_SLL_OUTGOING && type != LINUX_SLL_HOST) return false;
  frame.outgoing = type == LINUX_SLL_OUTGOING;
  frame.loopback = load16(packet, kHardware) == ARPHRD_LOOPBACK;
  frame.interface = load32(packet, kInterface);
  frame.datagram = packet.subspan(SLL2_HDR_LEN);
  return true;
}

Capture::Capture(std::unique_ptr<pcap_t, Close> handle)
    : handle_(std::move(handle)), descriptor_(pcap_get_selectable_fd(handle_.get())) {}

Result<Capture> Capture::open(const CaptureOptions& options) {
  std::array<char, PCAP_ERRBUF_SIZE> text{};
  std::unique_ptr<pcap_t, Close> handle(pcap_create("any", text.data()));
  if (!handle) return Error{std::string("cannot capture replies: ") + text.data()};
  pcap_set_snaplen(handle.get(), options.snapshot_length);
  pcap_set_promisc(handle.get(), 0);
  pcap_set_immediate_mode(handle.get(), 0);
  pcap_set_timeout(handle.get(), static_cast<int>(options.block_timeout.count()));
  pcap_set_buffer_size(handle.get(), static_cast<int>(options.buffer_bytes));
  pcap_set_tstamp_precision(handle.get(), PCAP_TSTAMP_PRECISION_NANO);
  // A positive status is a warning only (no promiscuous mode on "any").
  const int status = pcap_activate(handle.get());
  if (status < 0) return capture_error(handle.get(), status);
  if (pcap_set_datalink(handle.get(), DLT_LINUX_SLL2) < 0) return capture_error(handle.get(), PCAP_ERROR);
  if (pcap_setnonblock(handle.get(), 1, text.data()) < 0)
    return Error{std::string("cannot capture replies: ") + text.data()};
  Capture capture(std::move(handle));
  const Result<bool> filtered = capture.set_filter("");
  if (!filtered) return Error{filtered.error()};
  return capture;
}

Result<bool> Capture::set_filter(const std::string& expression) {
  // An expression that nothing can match is an error to libpcap: say "return 0" ourselves.
  bpf_insn nothing{BPF_RET | BPF_K, 0, 0, 0};
  bpf_program program{1, &nothing};
  if (!expression.empty() && pcap_compile(handle_.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) < 0)
    return Error{std::string("cannot compile the capture filter: ") + pcap_geterr(handle_.get())};
  const int status = pcap_setfilter(handle_.get(), &program);
  if (!expression.empty()) pcap_freecode(&program);
  if (status < 0) return Error{std::string("cannot set the capture filter: ") + pcap_geterr(handle_.get())};
  return true;
}

std::optional<std::size_t> Capture::read(std::size_t maximum, const std::function<void(const CapturedFrame&)>& sink) {
  Reading reading{sink};
  const int count =
      pcap_dispatch(handle_.get(), static_cast<int>(maximum), on_packet, reinterpret_cast<unsigned char*>(&reading));
  if (count < 0) return std::nullopt;
  return static_cast<std::size_t>(count);
}

CaptureStatistics Capture::statistics() {
  pcap_stat raw{};
  if (pcap_stats(handle_.get(), &raw) == 0) {
    // 32 bits, cumulative since the handle was opened: differences survive the wrap.
    statistics_.received += raw.ps_recv - last_received_;
    statistics_.dropped += raw.ps_drop - last_dropped_;
    last_received_ = raw.ps_recv;
    last_dropped_ = raw.ps_drop;
  }
  return statistics_;
}

}  // namespace ecmp::net
