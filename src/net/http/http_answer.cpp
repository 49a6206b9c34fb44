#include "net/http/http_answer.hpp"

#include <algorithm>
#include <charconv>

namespace ecmp::net {
namespace {

/// Of all lines: the head, and between chunks.
constexpr std::size_t kLargestHead = 64u << 10;

std::string lower(std::string_view text) {
  std::string made(text);
  std::ranges::transform(made, made.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  });
  return made;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
    text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

/// A whole number and nothing else.
std::optional<std::uint64_t> number(std::string_view text, int base) {
  std::uint64_t value = 0;
  const auto [stopped, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || stopped != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool HttpAnswer::fail(std::string error) {
  if (error_.empty()) error_ = std::move(error);
  return false;
}

bool HttpAnswer::add(std::string_view bytes) {
  while (!bytes.empty() && error_.empty() && state_ != State::complete) {
    if (state_ == State::fixed || state_ == State::to_end || state_ == State::chunk) {
      if (!take(bytes)) return false;
      continue;
    }
    const std::size_t end = bytes.find('\n');
    const std::string_view part = bytes.substr(0, end);
    head_ += part.size() + 1;
    if (head_ > kLargestHead) return fail("the head of the answer is too large");
    line_ += part;
    if (end == std::string_view::npos) return true;
    bytes.remove_prefix(end + 1);
    std::string line;
    line.swap(line_);
    if (line.ends_with('\r')) line.pop_back();
    if (!read_line(line)) return false;
  }
  return error_.empty();
}

bool HttpAnswer::end() {
  if (state_ == State::to_end) state_ = State::complete;
  if (state_ != State::complete) return fail("the answer was cut off");
  return error_.empty();
}

bool HttpAnswer::take(std::string_view& bytes) {
  const std::size_t size =
      state_ == State::to_end ? bytes.size() : static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  if (body_.size() + size > largest_) return fail("the answer is larger than " + std::to_string(largest_) + " bytes");
  body_ += bytes.substr(0, size);
  bytes.remove_prefix(size);
  if (state_ == State::to_end) return true;
  left_ -= size;
  if (left_ == 0) state_ = state_ == State::fixed ? State::complete : State::chunk_end;
  return true;
}

bool HttpAnswer::read_line(std::string_view line) {
  switch (state_) {
    case State::head:
      if (status_ == 0) return read_status(line);
      return line.empty() ? begin_body() : read_field(line);
    case State::chunk_size:
      return read_chunk_size(line);
    case State::chunk_end:
      if (!line.empty()) return fail("a chunk of the answer does not end where it should");
      state_ = State::chunk_size;
      head_ = 0;
      return true;
    case State::trailer:
      if (line.empty()) state_ = State::complete;
      return true;
    default:
      return true;
  }
}

bool HttpAnswer::read_status(std::string_view line) {
  // "HTTP/1.1 200 OK"
  const auto code = line.size() >= 12 ? number(line.substr(9, 3), 10) : std::nullopt;
  if (!line.starts_with("HTTP/1.") || line[8] != ' ' || !code || *code < 100) return fail("the answer is not HTTP");
  status_ = static_cast<int>(*code);
  return true;
}

bool HttpAnswer::read_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail("a line of the answer's head is no header");
  const std::string name = lower(line.substr(0, colon));
  const std::string_view value = trimmed(line.substr(colon + 1));
  if (name == "content-length") {
    const auto length = number(value, 10);
    if (!length || (length_ && *length_ != *length)) return fail("the answer has a bad Content-Length");
    length_ = length;
  } else if (name == "transfer-encoding") {
    if (lower(value) != "chunked") return fail("the answer has a Transfer-Encoding other than chunked");
    chunked_ = true;
  } else if (name == "content-type") {
    content_type_ = lower(trimmed(value.substr(0, value.find(';'))));
  } else if (name == "content-encoding") {
    content_encoding_ = lower(value);
  }
  return true;
}

bool HttpAnswer::begin_body() {
  if (status_ < 200) {  // the true one follows
    status_ = 0;
    length_.reset();
    chunked_ = false;
    return true;
  }
  if (status_ == 204 || status_ == 304) {
    state_ = State::complete;
  } else if (chunked_) {
    state_ = State::chunk_size;
  } else if (!length_) {
    state_ = State::to_end;
  } else {
    if (*length_ > largest_) return fail("the answer is larger than " + std::to_string(largest_) + " bytes");
    left_ = *length_;
    state_ = left_ == 0 ? State::complete : State::fixed;
  }
  return true;
}

bool HttpAnswer::read_chunk_size(std::string_view line) {
  const auto size = number(trimmed(line.substr(0, line.find(';'))), 16);
  if (!size) return fail("a chunk of the answer has no size");
  left_ = *size;
  state_ = left_ == 0 ? State::trailer : State::chunk;
  return true;
}

}  // namespace ecmp::net
