#include "config/yaml_document.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <set>
#include <sstream>
#include <vector>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/node/node.h>  // or parser.h declares a Node of its own beside ours
#include <yaml-cpp/parser.h>

#include "config/text.hpp"

namespace ecmp::config {

namespace {

/// Nothing of ours is nested deeper; it bounds the recursion of the parser, too, which asks us at every step.
constexpr std::size_t kDeepest = 8;
constexpr std::size_t kLargest = std::size_t{256} << 10;

struct Refusal {
  Problem problem;
};

/// Where lines begin: the parser tells columns in bytes, people count characters.
class Places {
 public:
  explicit Places(std::string_view text) : text_(text) {
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
      lines_.push_back(at + 1);
  }

  [[nodiscard]] Position at(const YAML::Mark& mark) const {
    if (mark.line < 0 || mark.column < 0) return {};
    const std::size_t line = std::min(static_cast<std::size_t>(mark.line), lines_.size() - 1);
    const std::string_view before = text_.substr(lines_[line], static_cast<std::size_t>(mark.column));
    const auto characters = std::ranges::count_if(before, [](char byte) { return (byte & 0xc0) != 0x80; });
    return {static_cast<std::uint32_t>(line + 1), static_cast<std::uint32_t>(characters + 1)};
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> lines_ = {0};
};

/// A word that was written without quotes; YAML 1.1 as Go reads it.
decltype(Node::value) plain_value(const std::string& word) {
  static constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                             "on",   "On",   "ON",   "y",   "Y"};
  static constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                              "off",   "Off",   "OFF",   "n",  "N"};
  if (std::ranges::find(kTrue, word) != kTrue.end()) return true;
  if (std::ranges::find(kFalse, word) != kFalse.end()) return false;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (!word.empty() && error == std::errc{} && end == word.data() + word.size()) return number;
  return word;
}

/// Builds the tree from what the parser sees, and breaks it off at the first thing that we do not read.
class Builder : public YAML::EventHandler {
 public:
  Builder(const Places& places, YamlDocument& document) : places_(places), document_(document) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    Node node{places_.at(mark), keep("null"), Foreign{}};
    node.absent = true;
    add(std::move(node), "null");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    refuse(mark, "aliases are not read here");
  }
  void OnAnchor(const YAML::Mark& mark, const std::string& /*name*/) override {
    refuse(mark, "anchors are not read here");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node{places_.at(mark), keep(value), value};
    if (tag == "?") node.value = plain_value(value);
    add(std::move(node), value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, Node::Array{}, "a list");
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, Node::Table{}, "a map");
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Node node;
    std::optional<Entry> entry;  ///< of a table: a key whose value comes next
    std::set<std::string> keys;
  };

  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message) const {
    const Position where = places_.at(mark);
    throw Refusal{{where.line, where.column, std::move(message)}};
  }

  /// "?" and "" say plain, "!" quoted: everything else was written by somebody.
  void check_tag(const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!") refuse(mark, "tags are not read here");
  }

  std::string_view keep(std::string text) { return document_.texts.emplace_back(std::move(text)); }

  void open(const YAML::Mark& mark, const std::string& tag, decltype(Node::value) empty, const char* what) {
    check_tag(mark, tag);
    if (!open_.empty() && !open_.back().entry && std::holds_alternative<Node::Table>(open_.back().node.value))
      refuse(mark, fmt::format("{} cannot be a key", what));
    if (open_.size() == kDeepest) refuse(mark, fmt::format("nested more than {} deep", kDeepest));
    open_.push_back({Node{places_.at(mark), keep(what), std::move(empty)}, std::nullopt, {}});
  }

  void close() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node), {});
  }

  /// Puts a finished value where it belongs. `text`: as it would stand as a key.
  void add(Node node, const std::string& text) {
    if (open_.empty()) {
      document_.root = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (auto* array = std::get_if<Node::Array>(&parent.node.value)) {
      array->push_back(std::move(node));
    } else if (!parent.entry) {
      if (!parent.keys.insert(text).second)
        throw Refusal{{node.where.line, node.where.column, fmt::format("key {} is there twice", in_quotes(text))}};
      parent.entry = Entry{text, node.where, {}};
    } else {
      parent.entry->node = std::move(node);
      std::get<Node::Table>(parent.node.value).push_back(*std::move(parent.entry));
      parent.entry.reset();
    }
  }

  const Places& places_;
  YamlDocument& document_;
  std::vector<Open> open_;
};

/// The parser's own ideas of other encodings and of control characters are not asked for.
void refuse_unreadable(std::string_view text) {
  if (text.size() > kLargest) throw Refusal{{1, 1, fmt::format("the file is larger than {} KiB", kLargest >> 10)}};
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  for (std::size_t at = 0; at < text.size(); ++column) {
    const auto point = decode_utf8(text, at);
    if (!point) throw Refusal{{line, column, "not UTF-8"}};
    if (*point == '\n') {
      ++line;
      column = 0;
    } else if (*point != '\t' && *point != '\r' && is_control(*point)) {
      throw Refusal{{line, column, "a control character"}};
    }
  }
}

}  // namespace

std::variant<YamlDocument, Problem> read_yaml(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const Places places(text);
  YamlDocument document;
  document.root.value = Node::Table{};
  try {
    refuse_unreadable(text);
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(places, document);
    parser.HandleNextDocument(builder);
    YamlDocument further;
    Builder second(places, further);
    if (parser.HandleNextDocument(second)) return Problem{1, 1, "more than one YAML document"};
  } catch (Refusal& refusal) {
    return std::move(refusal.problem);
  } catch (const YAML::Exception& error) {
    const Position where = places.at(error.mark);
    return Problem{where.line, where.column, fmt::format("not YAML: {}", printable(error.msg))};
  } catch (const std::exception& error) {
    return Problem{1, 1, fmt::format("not YAML: {}", printable(error.what()))};
  }
  if (document.root.absent) document.root = Node{{}, {}, Node::Table{}};
  if (!std::holds_alternative<Node::Table>(document.root.value))
    return Problem{document.root.where.line, document.root.where.column, "expected keys and values"};
  return document;
}

}  // namespace ecmp::config
