#include "config/json_document.hpp"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

// Without it the header brings streams and files, which the core does not know.
#define JSON_NO_IO
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/text.hpp"

namespace ecmp::config {

namespace {

using Json = nlohmann::json;

constexpr std::size_t kDeepest = 8;
constexpr std::size_t kMostValues = 2'000'000;

/// Reads the text and leaves behind how far: the parser itself does not say where its values stand.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(std::string_view text, std::size_t at, std::size_t* reached)
      : text_(text), at_(at), reached_(reached) {}

  reference operator*() const { return text_[at_]; }
  CountingIterator& operator++() {
    ++at_;
    *reached_ = at_;
    return *this;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  std::string_view text_;
  std::size_t at_;
  std::size_t* reached_;
};

/// Lines and columns of offsets that only grow.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {}

  Position of(std::size_t offset) {
    for (; at_ < std::min(offset, text_.size()); ++at_) {
      if (text_[at_] == '\n') {
        ++where_.line;
        where_.column = 1;
      } else if ((static_cast<unsigned char>(text_[at_]) & 0xc0) != 0x80) {
        ++where_.column;
      }
    }
    return where_;
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  Position where_;
};

bool is_number_byte(char byte) {
  return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' || byte == 'e' || byte == 'E';
}

/// Builds the tree. The names of its functions are those that the parser calls.
class Builder {
 public:
  Builder(std::string_view text, const std::size_t& reached) : text_(text), reached_(reached), places_(text) {}

  bool null() { return leaf(Foreign{}); }
  bool boolean(bool value) { return leaf(value); }
  bool number_integer(std::int64_t value) { return leaf(value); }
  bool number_unsigned(std::uint64_t value) {
    if (!std::in_range<std::int64_t>(value)) return leaf(static_cast<double>(value));
    return leaf(static_cast<std::int64_t>(value));
  }
  bool number_float(double value, const std::string&) { return leaf(value); }
  bool string(std::string& value) { return leaf(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Node::Table{}); }
  bool start_array(std::size_t) { return open(Node::Array{}); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    const auto [where, text] = token();
    std::get<Node::Table>(open_.back().value).push_back({std::move(name), where, {}});
    return true;
  }
  bool end_object() {
    const auto& entries = std::get<Node::Table>(open_.back().value);
    std::vector<const Entry*> sorted;
    sorted.reserve(entries.size());
    for (const Entry& entry : entries)
      sorted.push_back(&entry);
    std::ranges::stable_sort(sorted, {}, [](const Entry* entry) -> const std::string& { return entry->key; });
    const auto twice =
        std::ranges::adjacent_find(sorted, {}, [](const Entry* entry) -> const std::string& { return entry->key; });
    if (twice != sorted.end()) {
      const Entry& second = **std::next(twice);
      return fail(second.where, fmt::format("{} stands there twice", config::in_quotes(second.key)));
    }
    return close();
  }

  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception& error) {
    // Of an empty text each version of the library says something else.
    if (text_.empty()) return fail({1, 1}, "not JSON: nothing is there");
    // "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while ...": the place is ours.
    std::string_view reason = error.what();
    if (const auto colon = reason.find(": "); colon != std::string_view::npos) reason.remove_prefix(colon + 2);
    const std::size_t begin = std::min(next_token(), std::max<std::size_t>(reached_, 1) - 1);
    return fail(places_.of(begin), fmt::format("not JSON: {}", printable(reason, 200)));
  }

  std::variant<Node, Problem> result(bool read) {
    if (problem_) return *std::move(problem_);
    if (!read || !root_) return Problem{1, 1, "not JSON"};
    return *std::move(root_);
  }

 private:
  struct Token {
    Position where;
    std::string_view text;
  };

  /// Where what was read since the last token begins.
  [[nodiscard]] std::size_t next_token() const {
    constexpr std::string_view kBetween = " \t\r\n,:";
    return std::min(text_.find_first_not_of(kBetween, end_), reached_);
  }

  /// What was read since the token before.
  Token token() {
    const std::size_t begin = next_token();
    end_ = std::min(reached_, text_.size());
    // To see where a number ends, the parser reads one byte more.
    if (begin < end_ && is_number_byte(text_[begin])) {
      while (end_ > begin && !is_number_byte(text_[end_ - 1]))
        --end_;
    }
    return {places_.of(begin), text_.substr(begin, end_ - begin)};
  }

  bool fail(Position where, std::string message) {
    if (!problem_) problem_ = Problem{where.line, where.column, std::move(message)};
    return false;
  }

  template <typename T>
  bool leaf(T value) {
    const auto [where, text] = token();
    return put({where, text, std::move(value)});
  }

  template <typename T>
  bool open(T value) {
    const auto [where, text] = token();
    if (open_.size() >= kDeepest) return fail(where, "nested too deep");
    open_.push_back({where, text, std::move(value)});
    return true;
  }

  bool close() {
    token();
    Node node = std::move(open_.back());
    open_.pop_back();
    return put(std::move(node));
  }

  bool put(Node node) {
    if (++values_ > kMostValues) return fail(node.where, fmt::format("more than {} values", kMostValues));
    if (open_.empty()) {
      root_ = std::move(node);
    } else if (auto* array = std::get_if<Node::Array>(&open_.back().value)) {
      array->push_back(std::move(node));
    } else {
      std::get<Node::Table>(open_.back().value).back().node = std::move(node);
    }
    return true;
  }

  std::string_view text_;
  const std::size_t& reached_;
  std::size_t end_ = 0;  ///< of the last token
  Places places_;
  std::size_t values_ = 0;
  std::vector<Node> open_;
  std::optional<Node> root_;
  std::optional<Problem> problem_;
};

}  // namespace

std::variant<Node, Problem> read_json(std::string_view text) {
  // Windows editors put a byte order mark there.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::size_t reached = 0;
  Builder builder(text, reached);
  const bool read = Json::sax_parse(CountingIterator(text, 0, &reached), CountingIterator(text, text.size(), &reached),
                                    &builder, Json::input_format_t::json, true, false);
  return builder.result(read);
}

}  // namespace ecmp::config
