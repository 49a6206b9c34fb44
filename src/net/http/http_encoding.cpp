#include "net/http/http_encoding.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>
#include <vector>
#include <zlib.h>

#include "net/http/http_head.hpp"

namespace ecmp::net {

namespace {

/// "0", "0.123", "1", "1.000" in thousandths (RFC 9110 section 12.4.2).
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int weight = (text[0] - '0') * 1000;
  int unit = 100;
  for (const char digit : text.substr(std::min<std::size_t>(2, text.size()))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    weight += (digit - '0') * unit;
    unit /= 10;
  }
  return weight > 1000 ? std::nullopt : std::optional(weight);
}

struct Coding {
  std::string_view name;
  int weight = 1000;
};

std::optional<Coding> parse_coding(std::string_view element) {
  const auto blank_to_end = [](std::string_view text) {
    while (text.ends_with(' ') || text.ends_with('\t'))
      text.remove_suffix(1);
    while (text.starts_with(' ') || text.starts_with('\t'))
      text.remove_prefix(1);
    return text;
  };
  const std::size_t semicolon = element.find(';');
  Coding coding{blank_to_end(element.substr(0, semicolon))};
  if (semicolon == std::string_view::npos) return coding;
  const std::string_view parameter = blank_to_end(element.substr(semicolon + 1));
  if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) return std::nullopt;
  const auto weight = parse_weight(parameter.substr(2));
  if (!weight) return std::nullopt;
  coding.weight = *weight;
  return coding;
}

}  // namespace

bool prefers_gzip(std::string_view accept_encoding) {
  std::optional<int> gzip_weight;
  std::optional<int> any_weight;
  int identity_weight = 0;
  for (const std::string_view element : split_list(accept_encoding)) {
    const auto coding = parse_coding(element);
    if (!coding) continue;
    if (equals_ignoring_case(coding->name, "gzip") || equals_ignoring_case(coding->name, "x-gzip")) {
      gzip_weight = coding->weight;
    } else if (coding->name == "*") {
      any_weight = coding->weight;
    } else if (equals_ignoring_case(coding->name, "identity")) {
      identity_weight = coding->weight;
    }
  }
  const int weight = gzip_weight.value_or(any_weight.value_or(0));
  return weight > 0 && weight >= identity_weight;
}

struct GzipEncoder::State {
  z_stream stream{};
};

GzipEncoder::GzipEncoder() : state_(std::make_unique<State>()) {
  constexpr int kLevel = 1;        // 29 ms for 12 MB of exposition text, level 6 takes 72
  constexpr int kGzipWindow = 31;  // 32 KiB, and zlib's sign for a gzip header
  constexpr int kMemoryLevel = 8;  // zlib's default
  if (deflateInit2(&state_->stream, kLevel, Z_DEFLATED, kGzipWindow, kMemoryLevel, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}

GzipEncoder::~GzipEncoder() {
  deflateEnd(&state_->stream);
}

void GzipEncoder::append(std::string_view plain, Flush flush, std::string& out) {
  z_stream& stream = state_->stream;
  const int mode = flush == Flush::end ? Z_FINISH : flush == Flush::sync ? Z_SYNC_FLUSH : Z_NO_FLUSH;
  constexpr std::size_t kLargestInput = std::numeric_limits<uInt>::max();
  // zlib counts in 32 bits: a longer body goes in by parts, and only the last of them is flushed.
  do {
    const std::string_view part = plain.substr(0, kLargestInput);
    plain.remove_prefix(part.size());
    // zlib's interface takes a non-const pointer and never writes through it.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream.avail_in = static_cast<uInt>(part.size());
    do {
      constexpr std::size_t kStep = std::size_t{64} << 10;
      const std::size_t before = out.size();
      out.resize(before + kStep);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream.avail_out = kStep;
      deflate(&stream, plain.empty() ? mode : Z_NO_FLUSH);
      out.resize(before + kStep - stream.avail_out);
    } while (stream.avail_out == 0);
  } while (!plain.empty());
}

std::string gzip(std::string_view plain) {
  std::string out;
  GzipEncoder().append(plain, GzipEncoder::Flush::end, out);
  return out;
}

}  // namespace ecmp::net
