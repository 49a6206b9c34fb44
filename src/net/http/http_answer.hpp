#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ecmp::net {

/// Puts together the answer to one GET as its bytes come in (RFC 9112): a body of known length, in chunks, or up to the
/// end of the connection. Interim answers (1xx) are passed over. Bounded, whatever comes.
class HttpAnswer {
 public:
  explicit HttpAnswer(std::size_t largest_body) : largest_(largest_body) {}

  /// Takes in what came next. False: it cannot become an answer any more, see error().
  bool add(std::string_view bytes);
  /// The server has ended the connection. False: in the middle of the answer.
  bool end();

  [[nodiscard]] bool complete() const { return state_ == State::complete; }
  [[nodiscard]] const std::string& error() const { return error_; }

  [[nodiscard]] int status() const { return status_; }
  [[nodiscard]] const std::string& content_type() const { return content_type_; }
  [[nodiscard]] const std::string& content_encoding() const { return content_encoding_; }
  [[nodiscard]] std::string take_body() { return std::move(body_); }

 private:
  enum class State : std::uint8_t { head, fixed, to_end, chunk_size, chunk, chunk_end, trailer, complete };

  bool fail(std::string error);
  bool read_line(std::string_view line);
  bool read_status(std::string_view line);
  bool read_field(std::string_view line);
  bool begin_body();
  bool read_chunk_size(std::string_view line);
  bool take(std::string_view& bytes);

  std::size_t largest_;
  State state_ = State::head;
  std::string line_;      ///< not complete yet
  std::size_t head_ = 0;  ///< bytes of all lines so far
  int status_ = 0;
  bool chunked_ = false;
  std::optional<std::uint64_t> length_;
  std::uint64_t left_ = 0;  ///< of the body, or of the chunk
  std::string content_type_, content_encoding_;
  std::string body_;
  std::string error_;
};

}  // namespace ecmp::net
