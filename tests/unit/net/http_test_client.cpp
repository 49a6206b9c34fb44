#include "unit/net/http_test_client.hpp"

#include <arpa/inet.h>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <utility>
#include <zlib.h>

namespace ecmp::test {

namespace {

/// Whether the stream was complete, and what it held.
std::pair<bool, std::string> inflate_all(std::string_view compressed) {
  z_stream stream{};
  if (inflateInit2(&stream, 31) != Z_OK) throw std::runtime_error("inflateInit2");
  std::string copy(compressed);
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  std::string plain;
  int state = Z_OK;
  while (state == Z_OK) {
    std::array<char, 65536> buffer{};
    stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream.avail_out = buffer.size();
    state = inflate(&stream, Z_SYNC_FLUSH);
    plain.append(buffer.data(), buffer.size() - stream.avail_out);
    if (state == Z_OK && stream.avail_out == buffer.size()) break;
  }
  inflateEnd(&stream);
  if (state == Z_DATA_ERROR) throw std::runtime_error("not gzip");
  return {state == Z_STREAM_END, plain};
}

std::string lower(std::string text) {
  for (char& character : text) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character + ('a' - 'A'));
  }
  return text;
}

}  // namespace

std::string gunzip(std::string_view compressed) {
  auto [complete, plain] = inflate_all(compressed);
  if (!complete) throw std::runtime_error("gzip stream cut off");
  return plain;
}

std::string gunzip_available(std::string_view compressed) {
  return inflate_all(compressed).second;
}

RawClient::RawClient(std::uint16_t port, int receive_buffer, const char* from)
    : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval patience{20, 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (receive_buffer > 0) setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (from != nullptr) {
    address.sin_addr.s_addr = inet_addr(from);
    bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    close(socket_);
    throw std::runtime_error("cannot connect");
  }
}

RawClient::~RawClient() {
  close(socket_);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size < 0 && errno == EAGAIN) throw std::runtime_error("sending hangs");
    if (size < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

bool RawClient::readable(std::chrono::milliseconds patience) {
  pollfd waiting{socket_, POLLIN, 0};
  return poll(&waiting, 1, static_cast<int>(patience.count())) > 0;
}

bool RawClient::read_more() {
  std::array<char, 65536> buffer{};
  const ssize_t size = recv(socket_, buffer.data(), buffer.size(), 0);
  if (size < 0 && errno == EAGAIN) throw std::runtime_error("the server sends nothing");
  if (size <= 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

std::optional<std::string> RawClient::line() {
  std::size_t end = 0;
  while ((end = received_.find("\r\n")) == std::string::npos) {
    if (!read_more()) return std::nullopt;
  }
  std::string text = received_.substr(0, end);
  received_.erase(0, end + 2);
  return text;
}

std::optional<std::string> RawClient::exactly(std::size_t size) {
  while (received_.size() < size) {
    if (!read_more()) return std::nullopt;
  }
  std::string bytes = received_.substr(0, size);
  received_.erase(0, size);
  return bytes;
}

Answer RawClient::answer_head() {
  Answer answer;
  const auto status = line();
  if (!status) return answer;
  if (!status->starts_with("HTTP/1.1 ")) throw std::runtime_error("not an answer: " + *status);
  answer.status = std::stoi(status->substr(9, 3));
  for (auto header = line(); header && !header->empty(); header = line()) {
    const std::size_t colon = header->find(": ");
    if (colon == std::string::npos) throw std::runtime_error("not a header: " + *header);
    if (!answer.headers.emplace(lower(header->substr(0, colon)), header->substr(colon + 2)).second) {
      throw std::runtime_error("header twice: " + *header);
    }
  }
  return answer;
}

std::optional<std::string> RawClient::chunk() {
  const auto size = line();
  if (!size) return std::nullopt;
  auto bytes = exactly(std::stoul(*size, nullptr, 16) + 2);
  if (!bytes) return std::nullopt;
  bytes->resize(bytes->size() - 2);
  return bytes;
}

Answer RawClient::answer(bool to_head) {
  Answer answer = answer_head();
  if (to_head || answer.status == 100) {
    answer.complete = answer.status != 0;
  } else if (answer.header("transfer-encoding") == "chunked") {
    auto piece = chunk();
    for (; piece && !piece->empty(); piece = chunk())
      answer.body += *piece;
    answer.complete = piece.has_value();
  } else if (answer.headers.contains("content-length")) {
    auto body = exactly(std::stoul(answer.header("content-length")));
    answer.complete = body.has_value();
    if (body) answer.body = std::move(*body);
  } else if (answer.status != 0) {
    answer.body = rest();
    answer.complete = true;
  }
  return answer;
}

std::string RawClient::rest() {
  while (read_more()) {
  }
  return std::exchange(received_, {});
}

Answer RawClient::get(const std::string& target, const std::string& headers) {
  send("GET " + target + " HTTP/1.1\r\nHost: test\r\n" + headers + "\r\n");
  return answer();
}

}  // namespace ecmp::test
