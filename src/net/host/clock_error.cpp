#include "net/host/clock_error.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <charconv>
#include <cstdlib>
#include <netinet/in.h>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/socket.h>

#include "net/host/file_descriptor.hpp"
#include "net/host/regular_file.hpp"

namespace ecmp::net {
namespace {

constexpr std::uint16_t kNtpPort = 123;
constexpr int kPatienceMilliseconds = 200;
constexpr std::size_t kLongestAnswer = 512;
/// 128 bytes a socket.
constexpr std::size_t kLargestTable = std::size_t{64} << 20;
/// NTP_PHASE_LIMIT of the kernel, where it calls the clock unsynchronised.
constexpr Duration kWorst = std::chrono::seconds(16);

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

}  // namespace

std::optional<Duration> clock_error_of(const timex& state, int returned) {
  if (returned < 0 || returned == TIME_ERROR || (state.status & (STA_UNSYNC | STA_CLOCKERR)) != 0) return std::nullopt;
  if (state.esterror <= 0) return std::nullopt;
  const Duration error = std::chrono::microseconds(std::max(state.maxerror, state.esterror));
  // What the kernel has still to add to the clock, or to take away.
  const std::int64_t left = std::abs(std::int64_t{state.offset});
  const Duration correction = (state.status & STA_NANO) != 0 ? Duration(left) : std::chrono::microseconds(left);
  if (error >= kWorst || correction >= kWorst - error) return std::nullopt;
  return error + correction;
}

std::optional<Duration> kernel_clock_error() {
  timex state{};
  const int returned = ::adjtimex(&state);
  return clock_error_of(state, returned);
}

bool has_ntp_server(std::string_view table) {
  // "  sl  local_address rem_address   st ...", addresses as the kernel has them in memory: "0100007F:007B".
  std::istringstream lines{std::string(table)};
  std::string line, slot, local;
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    if (!(words >> slot >> local) || local.size() != 13 || local[8] != ':') continue;
    std::uint32_t address = 0;
    std::uint32_t port = 0;
    const char* const begin = local.data();
    if (std::from_chars(begin, begin + 8, address, 16).ptr != begin + 8) continue;
    if (std::from_chars(begin + 9, begin + 13, port, 16).ptr != begin + 13) continue;
    if (port == kNtpPort && (address == htonl(INADDR_ANY) || address == htonl(INADDR_LOOPBACK))) return true;
  }
  return false;
}

std::optional<NtpExchange> ask_local_ntp(ByteView question) {
  const auto udp_sockets = read_file_or_pipe("/proc/self/net/udp", kLargestTable);
  if (!udp_sockets.ok() || !has_ntp_server(*udp_sockets)) return std::nullopt;
  const FileDescriptor socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return std::nullopt;
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(kNtpPort);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) return std::nullopt;
  NtpExchange made;
  made.sent = wall_now();
  if (::send(socket.get(), question.data(), question.size(), 0) < 0) return std::nullopt;
  pollfd waiting{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kPatienceMilliseconds) <= 0) return std::nullopt;
  made.answer.resize(kLongestAnswer);
  const ssize_t size = ::recv(socket.get(), made.answer.data(), made.answer.size(), MSG_DONTWAIT);
  made.received = wall_now();
  if (size < 0) return std::nullopt;
  made.answer.resize(static_cast<std::size_t>(size));
  return made;
}

}  // namespace ecmp::net
