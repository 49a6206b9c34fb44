#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ecmp::test {

/// Decompresses a complete gzip stream; throws when it is broken or cut off.
std::string gunzip(std::string_view compressed);
/// What can be read of one that goes on.
std::string gunzip_available(std::string_view compressed);

struct Answer {
  int status = 0;
  std::map<std::string, std::string> headers;  ///< names in lower case
  std::string body;                            ///< chunks put together
  bool complete = false;                       ///< as far as its headers tell

  [[nodiscard]] std::string header(const std::string& name) const {
    const auto found = headers.find(name);
    return found == headers.end() ? "" : found->second;
  }
};

/// A client as rude as a test wants it: it sends and reads bytes. Every wait ends after 20 s by throwing, so that a
/// server that hangs fails a test instead of hanging it.
class RawClient {
 public:
  /// From an address of 127.0.0.0/8, if one is given.
  explicit RawClient(std::uint16_t port, int receive_buffer = 0, const char* from = nullptr);
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient();

  /// False when the server has closed.
  bool send(std::string_view bytes);
  /// Waits for something to read, or the server's closing.
  bool readable(std::chrono::milliseconds patience);

  /// Reads one answer; bytes behind it are kept for the next call. `to_head`: of a HEAD request, without body.
  Answer answer(bool to_head = false);
  /// The head of an answer alone.
  Answer answer_head();
  /// The next chunk of a chunked body; empty at the end, nullopt when cut off.
  std::optional<std::string> chunk();
  /// Waits until the server closes; everything that came until then.
  std::string rest();

  /// GET over this connection.
  Answer get(const std::string& target, const std::string& headers = "");

 private:
  /// False at the end of the stream.
  bool read_more();
  std::optional<std::string> line();
  std::optional<std::string> exactly(std::size_t size);

  int socket_ = -1;
  std::string received_;
};

}  // namespace ecmp::test
