#include "path/model/origin_table.hpp"

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "base/bytes.hpp"

namespace ecmp {
namespace {

using Wide = std::array<std::uint64_t, 2>;

std::uint32_t narrow(const IpAddress& address) {
  return load32(address.bytes(), 0);
}

Wide wide(const IpAddress& address) {
  const ByteView bytes = address.bytes();
  return {std::uint64_t{load32(bytes, 0)} << 32 | load32(bytes, 4),
          std::uint64_t{load32(bytes, 8)} << 32 | load32(bytes, 12)};
}

/// The number after this one; nullopt after the last.
std::optional<std::uint32_t> next(std::uint32_t number) {
  if (number == 0xffffffffu) return std::nullopt;
  return number + 1;
}
std::optional<Wide> next(const Wide& number) {
  if (number[1] != ~std::uint64_t{0}) return Wide{number[0], number[1] + 1};
  if (number[0] != ~std::uint64_t{0}) return Wide{number[0] + 1, 0};
  return std::nullopt;
}

std::string_view take_field(std::string_view& line) {
  const std::size_t end = line.find('\t');
  const std::string_view field = line.substr(0, end);
  line.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
  return field;
}

bool is_number(std::string_view text, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() && value <= most;
}

/// "64500", "64500_64501", "64500,64501", "64500_{64501,64502}".
bool is_origin(std::string_view text) {
  if (text.empty() || text.size() > OriginTableBuilder::kLongestOrigin) return false;
  constexpr std::uint64_t kMostAs = 0xffffffff;
  for (;;) {
    const std::size_t end = text.find_first_of("_,");
    if (!is_number(text.substr(0, end), kMostAs)) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

/// The last address of a prefix; nullopt if the address has bits behind it, or it is longer than an address.
std::optional<IpAddress> last_of(const IpAddress& network, unsigned length) {
  const ByteView bytes = network.bytes();
  if (length > bytes.size() * 8) return std::nullopt;
  std::array<std::uint8_t, 16> last{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const unsigned kept = std::clamp<unsigned>(length, static_cast<unsigned>(i) * 8, static_cast<unsigned>(i + 1) * 8) -
                          static_cast<unsigned>(i) * 8;
    const auto open = static_cast<std::uint8_t>(0xffu >> kept);
    if ((bytes[i] & open) != 0) return std::nullopt;
    last[i] = static_cast<std::uint8_t>(bytes[i] | open);
  }
  return network.is_v4() ? IpAddress::v4(std::span(last).first<4>()) : IpAddress::v6(last);
}

}  // namespace

template <typename Number>
std::string_view OriginTable::find(const Ranges<Number>& ranges, const Number& address) const {
  const auto after = std::upper_bound(ranges.starts.begin(), ranges.starts.end(), address);
  if (after == ranges.starts.begin()) return {};
  return names_[ranges.origins[static_cast<std::size_t>(after - ranges.starts.begin()) - 1]];
}

std::string_view OriginTable::origin(const IpAddress& address) const {
  return address.is_v4() ? find(v4_, narrow(address)) : find(v6_, wide(address));
}

std::size_t OriginTable::bytes() const {
  std::size_t sum = v4_.starts.capacity() * sizeof(std::uint32_t) + v6_.starts.capacity() * sizeof(Wide) +
                    (v4_.origins.capacity() + v6_.origins.capacity()) * sizeof(std::uint32_t) +
                    names_.capacity() * sizeof(std::string);
  for (const std::string& name : names_)
    if (name.capacity() > std::string().capacity()) sum += name.capacity() + 1;
  return sum;
}

std::optional<Error> OriginTableBuilder::feed(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const bool whole = end != std::string_view::npos;
    const std::string_view part = piece.substr(0, end);
    if (rest_.size() + part.size() > kLongestLine) {
      ++line_;
      return at_line("a line of more than " + std::to_string(kLongestLine) + " bytes");
    }
    piece.remove_prefix(whole ? end + 1 : piece.size());
    if (!whole) {
      rest_ += part;
      return std::nullopt;
    }
    ++line_;
    std::optional<Error> error;
    if (rest_.empty()) {
      error = take_line(part);
    } else {
      rest_ += part;
      error = take_line(rest_);
      rest_.clear();
    }
    if (error) return error;
  }
  return std::nullopt;
}

Error OriginTableBuilder::at_line(std::string_view what) const {
  return {std::to_string(line_) + ": " + std::string(what)};
}

std::optional<Error> OriginTableBuilder::take_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty() || line.front() == '#') return std::nullopt;
  const auto network = IpAddress::parse(take_field(line));
  if (!network) return at_line("does not begin with an address and a tab");
  const std::string_view second = take_field(line);
  const std::string_view origin = take_field(line);
  // The second field of a pfx2as line is a length, that of an IPtoASN line an address.
  return is_number(second, 128) ? take_prefix(*network, second, origin) : take_range(*network, second, origin);
}

std::optional<Error> OriginTableBuilder::take_prefix(const IpAddress& network, std::string_view length,
                                                     std::string_view origin) {
  unsigned bits = 0;
  std::from_chars(length.data(), length.data() + length.size(), bits);
  const auto last = last_of(network, bits);
  if (!last) return at_line("the prefix has bits behind its length, or is longer than an address");
  return add(network, *last, origin);
}

std::optional<Error> OriginTableBuilder::take_range(const IpAddress& first, std::string_view last,
                                                    std::string_view origin) {
  const auto end = IpAddress::parse(last);
  if (!end) return at_line("the second field is neither a prefix length nor an address");
  if (end->family() != first.family() || *end < first) return at_line("the range ends before it begins");
  return add(first, *end, origin);
}

std::optional<Error> OriginTableBuilder::add(const IpAddress& first, const IpAddress& last, std::string_view origin) {
  if (!is_origin(origin)) return at_line("the third field is no AS number, nor several");
  if (v4_.size() + v6_.size() >= kMostPrefixes)
    return at_line("more than " + std::to_string(kMostPrefixes) + " prefixes");
  std::uint32_t number = 0;
  if (origin != "0") {
    const auto [known, is_new] = numbers_.try_emplace(std::string(origin), static_cast<std::uint32_t>(names_.size()));
    if (is_new) names_.emplace_back(origin);
    number = known->second;
  }
  if (first.is_v4()) {
    v4_.push_back({narrow(first), narrow(last), number});
  } else {
    v6_.push_back({wide(first), wide(last), number});
  }
  return std::nullopt;
}

/// Cuts spans that lie within each other into ranges that follow each other. Of spans that overlap without that, the
/// one that begins later holds.
template <typename Number>
void OriginTableBuilder::lay(std::vector<Span<Number>>& spans, OriginTable::Ranges<Number>& ranges) {
  std::stable_sort(spans.begin(), spans.end(), [](const Span<Number>& a, const Span<Number>& b) {
    return a.first != b.first ? a.first < b.first : b.last < a.last;
  });
  std::vector<const Span<Number>*> open;
  const auto begin = [&ranges](const Number& start, std::uint32_t origin) {
    if (!ranges.starts.empty() && ranges.starts.back() == start) {
      ranges.origins.back() = origin;
    } else if (ranges.origins.empty() ? origin != 0 : ranges.origins.back() != origin) {
      ranges.starts.push_back(start);
      ranges.origins.push_back(origin);
    }
  };
  /// Ends what ends before `limit`, or everything.
  const auto close = [&](const Number* limit) {
    while (!open.empty() && (limit == nullptr || open.back()->last < *limit)) {
      const Number last = open.back()->last;
      while (!open.empty() && !(last < open.back()->last))
        open.pop_back();
      const auto after = next(last);
      if (after) begin(*after, open.empty() ? 0 : open.back()->origin);
    }
  };
  for (const Span<Number>& span : spans) {
    close(&span.first);
    begin(span.first, span.origin);
    open.push_back(&span);
  }
  close(nullptr);
  ranges.starts.shrink_to_fit();
  ranges.origins.shrink_to_fit();
}

Result<OriginTable> OriginTableBuilder::finish() {
  if (!rest_.empty()) {
    ++line_;
    if (const auto error = take_line(rest_)) return *error;
  }
  OriginTable table;
  table.prefixes_ = v4_.size() + v6_.size();
  lay(v4_, table.v4_);
  v4_ = {};
  lay(v6_, table.v6_);
  v6_ = {};
  numbers_.clear();
  table.names_ = std::move(names_);
  return table;
}

Result<OriginTable> parse_origins(std::string_view text) {
  OriginTableBuilder builder;
  if (const auto error = builder.feed(text)) return *error;
  return builder.finish();
}

}  // namespace ecmp
