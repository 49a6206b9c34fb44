#pragma once

#include <string>

#include "path/localisation/crosswise.hpp"
#include "path/model/event.hpp"
#include "render/json/json_writer.hpp"
#include "render/json/oneway_json.hpp"

namespace ecmp::render {

/// Fields of details of events as members of a JSON object; docs/http.md has them.
class FieldsJson {
 public:
  explicit FieldsJson(std::string& out) : json_(out) {}

  void number(std::string_view name, std::integral auto value) { json_.key(name).number(value); }
  void real(std::string_view name, double value) { json_.key(name).ratio(value); }
  void address(std::string_view name, const IpAddress& value) { json_.key(name).address(value); }
  void duration(std::string_view name, Duration value) { json_.key(name).number(value.count()); }
  void path(std::string_view name, std::uint32_t id) { json_.key(name).hex8(id); }
  void way(std::string_view name, OneWay value) { json_.key(name).text(to_string(value)); }
  void reflector(std::string_view name, const ReflectorSnapshot& value) {
    append_reflector(json_.key(name).next(), value);
  }
  void flags(std::string_view name, bool value, const auto&... more) {
    json_.key(name).boolean(value);
    if constexpr (sizeof...(more) > 0) flags(more...);
  }
  void link(std::string_view name, const LinkEnds& value) { ends(json_.key(name), value); }
  void links(std::string_view name, const std::vector<LinkEnds>& values) {
    json_.key(name).list(values, [this](const LinkEnds& value) { ends(json_, value); });
  }
  void list(std::string_view name, const auto& values) {
    json_.key(name).list(values, [this](const auto& value) { object(value); });
  }
  void state(const LinkVerdict& verdict);
  void witnesses(std::string_view name, const std::vector<WitnessFlow>& flows);

  void object(const auto& value) {
    json_.begin('{');
    each_field(*this, value);
    json_.end('}');
  }

 private:
  static void ends(JsonWriter& json, const LinkEnds& link) {
    json.begin('{').key("from").address(link.from).key("to").address(link.to).end('}');
  }

  JsonWriter json_;
};

/// A detail as a JSON object.
template <typename Detail>
void append_detail(std::string& out, const Detail& detail) {
  FieldsJson(out).object(detail);
}

void append_crosswise(std::string& out, const Crosswise& crosswise);

}  // namespace ecmp::render
