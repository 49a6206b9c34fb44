#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "render/append.hpp"
#include "render/json/json_parts.hpp"

namespace ecmp::render {

/// Appends JSON and puts the commas where they belong: before a key or a value of a list that follows another value.
/// What is appended to the same text beside it may be mixed in, for the comma is found by the last character.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  /// Names of ours: not escaped.
  JsonWriter& key(std::string_view name) {
    separate();
    out_.push_back('"');
    out_.append(name).append("\":");
    return *this;
  }
  /// '{' or '['.
  JsonWriter& begin(char bracket) {
    separate();
    out_.push_back(bracket);
    return *this;
  }
  JsonWriter& end(char bracket) {
    out_.push_back(bracket);
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    separate();
    append_string(out_, value);
    return *this;
  }
  JsonWriter& number(std::integral auto value) {
    separate();
    append_number(out_, +value);
    return *this;
  }
  JsonWriter& ratio(double value) {
    separate();
    append_ratio(out_, value);
    return *this;
  }
  JsonWriter& boolean(bool value) { return word(value ? "true" : "false"); }
  JsonWriter& null() { return word("null"); }
  /// "" where none is known.
  JsonWriter& address(const IpAddress& value) {
    separate();
    append_known_address(out_, value);
    return *this;
  }
  /// A path's id: "" for 0.
  JsonWriter& path_id(std::uint32_t id) {
    separate();
    out_.push_back('"');
    if (id != 0) append_hex8(out_, id);
    out_.push_back('"');
    return *this;
  }
  /// Eight hex digits, also of 0.
  JsonWriter& hex8(std::uint32_t value) {
    separate();
    out_.push_back('"');
    append_hex8(out_, value);
    out_.push_back('"');
    return *this;
  }
  /// A node's name within its destination: a responder may stand at several TTLs.
  JsonWriter& node_id(unsigned ttl, const IpAddress& address) {
    separate();
    out_.push_back('"');
    append_number(out_, ttl);
    out_.push_back('/');
    if (!address.is_unspecified()) append_address(out_, address);
    out_.push_back('"');
    return *this;
  }
  JsonWriter& time(WallTime value) {
    separate();
    out_.push_back('"');
    append_time(out_, value);
    out_.push_back('"');
    return *this;
  }
  /// Of so many values; null without any.
  JsonWriter& quantiles(const Quantiles& value, std::uint64_t values) {
    if (values == 0) return null();
    append_quantiles(out_, value);
    return *this;
  }
  JsonWriter& known(const std::optional<Duration>& value) { return value ? number(value->count()) : null(); }
  /// null without probes.
  JsonWriter& loss(std::uint64_t losses, std::uint64_t probes) {
    return probes > 0 ? ratio(static_cast<double>(losses) / static_cast<double>(probes)) : null();
  }
  /// For a value that is appended otherwise: the text, with a comma where one is needed.
  std::string& next() {
    separate();
    return out_;
  }
  /// Of numbers or addresses, or of what `write(value)` writes.
  template <typename Values>
  JsonWriter& list(const Values& values) {
    return list(values, [this](const auto& value) {
      if constexpr (std::is_same_v<std::decay_t<decltype(value)>, IpAddress>) {
        address(value);
      } else {
        number(value);
      }
    });
  }
  template <typename Values, typename Write>
  JsonWriter& list(const Values& values, const Write& write) {
    begin('[');
    for (const auto& value : values)
      write(value);
    return end(']');
  }

 private:
  JsonWriter& word(std::string_view value) {
    separate();
    out_.append(value);
    return *this;
  }
  void separate() {
    if (!out_.empty() && std::string_view("{[:,\n").find(out_.back()) == std::string_view::npos) out_.push_back(',');
  }

  std::string& out_;
};

}  // namespace ecmp::render
