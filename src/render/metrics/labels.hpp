#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/ip_address.hpp"
#include "render/append.hpp"
#include "render/metrics/wire.hpp"

namespace ecmp::render {

/// How a label set stands in a scrape: `a="b",c="d"` in both text formats, one field `label` of the message Metric
/// after the other in protobuf. A set is written once and copied into every sample it belongs to.
enum class LabelForm : std::uint8_t { text, protobuf };

/// Appends labels to a set. Values of any bytes are made valid UTF-8, and escaped where the form asks for it; names
/// are taken as they are.
class LabelWriter {
 public:
  /// `first`: the set is still empty.
  LabelWriter(std::string& out, LabelForm form, bool first) : out_(out), form_(form), first_(first) {}

  void add(std::string_view name, std::string_view value) {
    if (form_ == LabelForm::text) {
      add_text(name, [value](std::string& out) { append_label_value(out, value); });
    } else {
      value_.clear();
      append_utf8(value_, value);
      add_pair(name);
    }
  }

  void add_address(std::string_view name, const IpAddress& address) {
    add_plain(name, [&address](std::string& out) { append_address(out, address); });
  }

  template <std::integral T>
  void add_number(std::string_view name, T value) {
    add_plain(name, [value](std::string& out) { append_number(out, value); });
  }

  void add_path(std::uint32_t path) {
    add_plain("path", [path](std::string& out) { append_hex8(out, path); });
  }

  /// `write` appends the value, in ASCII with nothing in it to be escaped.
  template <typename Write>
  void add_plain(std::string_view name, const Write& write) {
    if (form_ == LabelForm::text) {
      add_text(name, write);
    } else {
      value_.clear();
      write(value_);
      add_pair(name);
    }
  }

 private:
  template <typename Write>
  void add_text(std::string_view name, const Write& write) {
    if (!std::exchange(first_, false)) out_.push_back(',');
    out_.append(name).append("=\"");
    write(out_);
    out_.push_back('"');
  }

  /// Metric.label = 1; LabelPair.name = 1, .value = 2.
  void add_pair(std::string_view name) {
    wire::append_tag(out_, 1, wire::length_delimited);
    wire::append_varint(out_, wire::bytes_size(name.size()) + wire::bytes_size(value_.size()));
    wire::append_bytes(out_, 1, name);
    wire::append_bytes(out_, 2, value_);
  }

  std::string& out_;
  LabelForm form_;
  bool first_;
  std::string value_;
};

}  // namespace ecmp::render
