// Files that tell the origin AS of addresses: whatever stands there, pieces of any size make the same table as the
// whole text, and of all the lines that hold an address it is told what the one says that begins last, then ends first.
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "path/model/origin_table.hpp"

namespace {

using ecmp::IpAddress;

struct Span {
  IpAddress first;
  IpAddress last;
  std::string origin;
};

std::string_view take(std::string_view& text, char end) {
  const std::size_t length = text.find(end);
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
  return taken;
}

/// Bit by bit, as one would by hand.
IpAddress last_of(const IpAddress& network, unsigned length) {
  std::vector<std::uint8_t> bytes(network.bytes().begin(), network.bytes().end());
  for (std::size_t bit = length; bit < bytes.size() * 8; ++bit)
    bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] | 0x80u >> bit % 8);
  const std::span<const std::uint8_t> view(bytes);
  return network.is_v4() ? IpAddress::v4(view.first<4>()) : IpAddress::v6(view.first<16>());
}

/// Of a text that is known to be well-formed.
std::vector<Span> spans_of(std::string_view text) {
  std::vector<Span> spans;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.front() == '#') continue;
    const auto first = IpAddress::parse(take(line, '\t'));
    const std::string_view second = take(line, '\t');
    const std::string_view origin = take(line, '\t');
    if (!first) std::abort();
    unsigned length = 0;
    std::from_chars(second.data(), second.data() + second.size(), length);
    const auto last = IpAddress::parse(second);
    spans.push_back({*first, last ? *last : last_of(*first, length), origin == "0" ? "" : std::string(origin)});
  }
  return spans;
}

std::string expected(const std::vector<Span>& spans, const IpAddress& address) {
  const Span* best = nullptr;
  for (const Span& span : spans) {
    if (span.first.family() != address.family() || address < span.first || span.last < address) continue;
    if (best == nullptr || best->first < span.first || (best->first == span.first && !(best->last < span.last)))
      best = &span;
  }
  return best != nullptr ? best->origin : "";
}

ecmp::Result<ecmp::OriginTable> in_pieces(std::string_view text, std::size_t size) {
  ecmp::OriginTableBuilder builder;
  for (; !text.empty(); text.remove_prefix(std::min(size, text.size())))
    if (const auto error = builder.feed(text.substr(0, size))) return *error;
  return builder.finish();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const auto whole = ecmp::parse_origins(text);
  const auto pieces = in_pieces(text, data[0] % 32 + std::size_t{1});
  if (whole.ok() != pieces.ok()) std::abort();
  if (!whole.ok()) {
    if (whole.error() != pieces.error() || whole.error().empty()) std::abort();
    return 0;
  }
  const std::vector<Span> spans = spans_of(text);
  for (const Span& span : spans)
    for (const IpAddress& address : {span.first, span.last}) {
      const std::string wanted = expected(spans, address);
      if (whole->origin(address) != wanted || pieces->origin(address) != wanted) std::abort();
    }
  return 0;
}
