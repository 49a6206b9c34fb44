#include "render/metrics/accept.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace ecmp::render {

namespace {

constexpr std::size_t kMostElements = 64;
constexpr unsigned kFullQuality = 1000;

struct Parameter {
  std::string name;  ///< in lower case
  std::string value;
};

struct MediaRange {
  std::string type;  ///< in lower case
  std::string subtype;
  std::vector<Parameter> parameters;  ///< without q
  unsigned quality = kFullQuality;    ///< in thousandths
};

constexpr bool is_space(char character) {
  return character == ' ' || character == '\t';
}

/// RFC 9110 section 5.6.2.
constexpr bool is_token_character(char character) {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
         (character >= '0' && character <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(character) != std::string_view::npos;
}

std::string lower(std::string_view text) {
  std::string lowered(text);
  for (char& character : lowered) {
    if (character >= 'A' && character <= 'Z') character = static_cast<char>(character - 'A' + 'a');
  }
  return lowered;
}

/// "0", "0.5", "1.000": RFC 9110 section 12.4.2.
std::optional<unsigned> parse_quality(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  unsigned quality = text[0] == '1' ? kFullQuality : 0;
  unsigned unit = 100;
  for (const char digit : text.substr(std::min<std::size_t>(text.size(), 2))) {
    if (digit < '0' || digit > '9') return std::nullopt;
    quality += static_cast<unsigned>(digit - '0') * unit;
    unit /= 10;
  }
  if (quality > kFullQuality) return std::nullopt;
  return quality;
}

/// Reads a header from front to back; every character is looked at a few times at most.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }

  bool take(char wanted) {
    skip_space();
    if (at_end() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  std::optional<std::string> token() {
    skip_space();
    const std::size_t begin = at_;
    while (!at_end() && is_token_character(text_[at_]))
      ++at_;
    if (at_ == begin) return std::nullopt;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::optional<std::string> token_or_quoted() {
    if (!take('"')) return token();
    std::string value;
    for (; !at_end(); ++at_) {
      if (text_[at_] == '"') {
        ++at_;
        return value;
      }
      if (text_[at_] == '\\' && ++at_ == text_.size()) break;
      value.push_back(text_[at_]);
    }
    return std::nullopt;
  }

  /// Behind the next comma that is not within quotes.
  void next_element() {
    for (bool quoted = false; !at_end(); ++at_) {
      if (text_[at_] == '"') quoted = !quoted;
      if (quoted && text_[at_] == '\\' && at_ + 1 < text_.size()) ++at_;
      if (!quoted && text_[at_] == ',') break;
    }
    if (!at_end()) ++at_;
  }

  /// At the end of an element, of which all was understood.
  bool element_ends() {
    skip_space();
    return at_end() || text_[at_] == ',';
  }

 private:
  void skip_space() {
    while (!at_end() && is_space(text_[at_]))
      ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<MediaRange> read_range(Reader& reader) {
  MediaRange range;
  const auto type = reader.token();
  if (!type || !reader.take('/')) return std::nullopt;
  const auto subtype = reader.token();
  if (!subtype) return std::nullopt;
  range.type = lower(*type);
  range.subtype = lower(*subtype);
  while (reader.take(';')) {
    const auto name = reader.token();
    if (!name) continue;  // an empty parameter is allowed (RFC 9110 section 5.6.6)
    if (!reader.take('=')) return std::nullopt;
    const auto value = reader.token_or_quoted();
    if (!value) return std::nullopt;
    if (lower(*name) == "q") {
      const auto quality = parse_quality(*value);
      if (!quality) return std::nullopt;
      range.quality = *quality;
    } else {
      range.parameters.push_back({lower(*name), *value});
    }
  }
  if (!reader.element_ends()) return std::nullopt;
  return range;
}

/// A representation that there is.
struct Offer {
  NegotiatedFormat answer;
  std::string_view type;
  std::string_view subtype;
  /// What a range may say of it. What else it says (charset, escaping: names that need none) is no matter.
  std::span<const std::pair<std::string_view, std::string_view>> parameters;
  bool by_wildcard = false;
};

using Named = std::pair<std::string_view, std::string_view>;
constexpr std::array<Named, 2> kProtobuf = {Named{"proto", "io.prometheus.client.MetricFamily"},
                                            Named{"encoding", "delimited"}};
constexpr std::array<Named, 1> kOpenMetrics1 = {Named{"version", "1.0.0"}};
constexpr std::array<Named, 1> kOpenMetrics0 = {Named{"version", "0.0.1"}};
constexpr std::array<Named, 1> kText = {Named{"version", "0.0.4"}};

/// In the order in which they are preferred.
constexpr std::array<Offer, 4> kOffers = {{
    {{Format::protobuf, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"},
     "application",
     "vnd.google.protobuf",
     kProtobuf},
    {{Format::openmetrics, "application/openmetrics-text; version=1.0.0; charset=utf-8"},
     "application",
     "openmetrics-text",
     kOpenMetrics1},
    // The draft that became 1.0.0; the same text.
    {{Format::openmetrics, "application/openmetrics-text; version=0.0.1; charset=utf-8"},
     "application",
     "openmetrics-text",
     kOpenMetrics0},
    {{Format::text, "text/plain; version=0.0.4; charset=utf-8"}, "text", "plain", kText, true},
}};

/// How exactly a range names an offer: 0 not at all, 1 "*/*", 2 "text/*", 3 by its name, and 1 more for each parameter.
unsigned exactness(const MediaRange& range, const Offer& offer) {
  if (range.type == "*" && range.subtype == "*") return offer.by_wildcard ? 1 : 0;
  if (range.type != offer.type) return 0;
  if (range.subtype == "*") return offer.by_wildcard ? 2 : 0;
  if (range.subtype != offer.subtype) return 0;
  unsigned exact = 3;
  for (const Parameter& parameter : range.parameters) {
    for (const auto& [name, value] : offer.parameters) {
      if (parameter.name != name) continue;
      if (parameter.value != value) return 0;
      ++exact;
    }
  }
  return exact;
}

}  // namespace

NegotiatedFormat negotiate_format(std::string_view accept) {
  std::vector<MediaRange> ranges;
  Reader reader(accept);
  for (std::size_t i = 0; i < kMostElements && !reader.at_end(); ++i) {
    if (auto range = read_range(reader)) ranges.push_back(std::move(*range));
    reader.next_element();
  }
  const Offer* best = &kOffers.back();
  std::tuple<unsigned, unsigned> best_score{0, 0};
  for (const Offer& offer : kOffers) {
    // What the most exact of the ranges says of it, holds.
    std::tuple<unsigned, unsigned> score{0, 0};
    for (const MediaRange& range : ranges) {
      const unsigned exact = exactness(range, offer);
      if (exact > std::get<1>(score)) score = {range.quality, exact};
    }
    if (std::get<0>(score) > 0 && score > best_score) {
      best = &offer;
      best_score = score;
    }
  }
  return best->answer;
}

}  // namespace ecmp::render
