#include "unit/net/dns_test_server.hpp"

#include <arpa/inet.h>
#include <array>
#include <netinet/in.h>
#include <optional>
#include <poll.h>
#include <stdexcept>

#include "base/ip_address.hpp"

namespace ecmp::test {

namespace {

std::string number16(std::size_t number) {
  return {static_cast<char>((number >> 8) & 255u), static_cast<char>(number & 255u)};
}

std::optional<Question> read_question(std::string packet) {
  Question question;
  std::size_t at = 12;
  while (at < packet.size() && packet[at] != 0) {
    const auto length = static_cast<unsigned char>(packet[at]);
    if (at + 1 + length >= packet.size()) return std::nullopt;
    if (!question.name.empty()) question.name += '.';
    question.name += packet.substr(at + 1, length);
    at += 1u + length;
  }
  if (at + 5 > packet.size()) return std::nullopt;
  question.type = static_cast<std::uint16_t>((static_cast<unsigned char>(packet[at + 1]) << 8) |
                                             static_cast<unsigned char>(packet[at + 2]));
  for (char& character : question.name) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character + 32);
  }
  packet.resize(at + 5);
  question.packet = std::move(packet);
  return question;
}

}  // namespace

std::string wire_label(std::string_view bytes) {
  return std::string(1, static_cast<char>(bytes.size())) + std::string(bytes);
}

std::string wire_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const std::size_t dot = name.find('.');
    wire += wire_label(name.substr(0, dot));
    name = dot == std::string_view::npos ? std::string_view() : name.substr(dot + 1);
  }
  return wire + std::string(1, '\0');
}

Reply::Reply(const Question& question, int code) : bytes_(question.packet) {
  bytes_[2] = static_cast<char>(0x81);  // a response, recursion desired
  bytes_[3] = static_cast<char>(0x80 | code);
  for (std::size_t at = 6; at < 12; ++at) {
    bytes_[at] = 0;
  }
}

Reply& Reply::add(std::uint16_t type, std::uint32_t ttl, std::string_view data) {
  bytes_ += number16(0xc00c) + number16(type) + number16(1) + number16(ttl >> 16) + number16(ttl & 0xffffu) +
            number16(data.size());
  bytes_ += data;
  bytes_[7] = static_cast<char>(bytes_[7] + 1);
  return *this;
}

Reply& Reply::a(std::string_view address, std::uint32_t ttl) {
  const IpAddress parsed = *IpAddress::parse(address);
  return add(kTypeA, ttl, std::string(parsed.bytes().begin(), parsed.bytes().end()));
}

Reply& Reply::aaaa(std::string_view address, std::uint32_t ttl) {
  const IpAddress parsed = *IpAddress::parse(address);
  return add(kTypeAaaa, ttl, std::string(parsed.bytes().begin(), parsed.bytes().end()));
}

Reply& Reply::with_id(std::uint16_t id) {
  bytes_.replace(0, 2, number16(id));
  return *this;
}

DnsServer::DnsServer(Script script)
    : script_(std::move(script)), socket_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no UDP port");
  }
  address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  thread_ = std::thread([this] { run(); });
}

DnsServer::~DnsServer() {
  stop_.raise();
  thread_.join();
}

void DnsServer::run() {
  while (!stop_.raised()) {
    std::array<pollfd, 2> waiting{{{socket_.get(), POLLIN, 0}, {stop_.descriptor(), POLLIN, 0}}};
    poll(waiting.data(), waiting.size(), -1);
    std::string packet(1500, '\0');
    sockaddr_in from{};
    socklen_t from_size = sizeof from;
    const ssize_t size =
        recvfrom(socket_.get(), packet.data(), packet.size(), 0, reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 12) continue;
    packet.resize(static_cast<std::size_t>(size));
    const auto question = read_question(std::move(packet));
    if (!question) continue;
    for (const std::string& reply : script_(*question)) {
      sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<const sockaddr*>(&from), from_size);
    }
  }
}

}  // namespace ecmp::test
