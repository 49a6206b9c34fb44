#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net/http/http_socket.hpp"

namespace ecmp::test {

constexpr std::uint16_t kTypeA = 1;
constexpr std::uint16_t kTypeCname = 5;
constexpr std::uint16_t kTypePtr = 12;
constexpr std::uint16_t kTypeAaaa = 28;

/// A name as it goes over the wire; labels are split at dots.
std::string wire_name(std::string_view name);
/// One label of any bytes.
std::string wire_label(std::string_view bytes);

struct Question {
  std::string packet;  ///< all of it
  std::string name;    ///< lower case, without the final dot
  std::uint16_t type = 0;
};

/// A reply in the making.
class Reply {
 public:
  explicit Reply(const Question& question, int code = 0);
  /// Owner: the question's name.
  Reply& add(std::uint16_t type, std::uint32_t ttl, std::string_view data);
  Reply& a(std::string_view address, std::uint32_t ttl);
  Reply& aaaa(std::string_view address, std::uint32_t ttl);
  Reply& with_id(std::uint16_t id);
  [[nodiscard]] std::string bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

/// Answers DNS queries on a UDP port of 127.0.0.1 as a test says: any number of packets for each.
class DnsServer {
 public:
  using Script = std::function<std::vector<std::string>(const Question&)>;
  explicit DnsServer(Script script);
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;
  ~DnsServer();

  /// "127.0.0.1:PORT"
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void run();

  Script script_;
  net::OwnedSocket socket_;
  std::string address_;
  net::StopSignal stop_;
  std::thread thread_;
};

}  // namespace ecmp::test
