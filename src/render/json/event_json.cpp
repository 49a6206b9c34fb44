#include "render/json/event_json.hpp"

#include <algorithm>
#include <variant>
#include <vector>

#include "render/json/json_writer.hpp"
#include "render/json/verdict_json.hpp"

namespace ecmp::render {
namespace {

using Addresses = std::vector<IpAddress>;

void note(Addresses& addresses, const IpAddress& address) {
  if (address.is_unspecified()) return;
  const auto at = std::ranges::lower_bound(addresses, address);
  if (at == addresses.end() || *at != address) addresses.insert(at, address);
}

/// Links come first to whoever looks at addresses: what a finding is about stands in `before` and `after` as well. The
/// first address of a detail is where it begins, and its second where it ends.
class EventEnds {
 public:
  EventEnds(Addresses& before, Addresses& after) : before_(before), after_(after) {}

  void address(std::string_view /*name*/, const IpAddress& value) {
    note(first_ ? before_ : after_, value);
    first_ = false;
  }
  void link(std::string_view /*name*/, const LinkEnds& value) {
    note(before_, value.from);
    note(after_, value.to);
  }
  void links(std::string_view name, const std::vector<LinkEnds>& values) {
    for (const LinkEnds& value : values)
      link(name, value);
  }

  void number(std::string_view, const auto&) {}
  void real(std::string_view, const auto&) {}
  void duration(std::string_view, const auto&) {}
  void path(std::string_view, const auto&) {}
  void way(std::string_view, const auto&) {}
  void reflector(std::string_view, const auto&) {}
  void flags(const auto&...) {}
  void list(std::string_view, const auto&) {}
  void state(const auto&) {}
  void witnesses(std::string_view, const auto&) {}

 private:
  Addresses& before_;
  Addresses& after_;
  bool first_ = true;
};

void append_detail_of(std::string& out, const PathEvent& event) {
  JsonWriter json(out);
  FieldsJson fields(out);
  const std::string_view key = kDetailKeys[event.detail->index()];
  if (!key.empty()) json.key(key).next();
  std::visit(
      [&](const auto& detail) {
        if (key.empty()) {
          each_field(fields, detail);
        } else {
          fields.object(detail);
        }
      },
      *event.detail);
}

}  // namespace

void append_event(std::string& out, const PathEvent& event, std::uint64_t id, const HopNames& names) {
  Addresses before;
  Addresses after;
  Addresses all;
  std::vector<std::uint16_t> flows;
  for (const EventMove& move : event.moves) {
    note(before, move.before);
    note(after, move.after);
    note(all, move.before);
    note(all, move.after);
    flows.insert(flows.end(), move.flows.begin(), move.flows.end());
  }
  std::ranges::sort(flows);
  if (event.detail != nullptr) {
    EventEnds ends(before, after);
    std::visit([&](const auto& detail) { each_field(ends, detail); }, *event.detail);
  }
  for (const Addresses* const more : {&before, &after}) {
    for (const IpAddress& address : *more)
      note(all, address);
  }
  JsonWriter json(out);
  out.push_back('{');  // behind whatever the stream began with
  json.key("id").number(id).key("time").time(event.time).key("settled").time(event.settled);
  json.key("destination").text(event.destination != nullptr ? event.destination->name : std::string());
  json.key("kind").text(to_string(event.kind)).key("ttl").number(event.ttl).key("before").list(before);
  json.key("after").list(after).key("flows").list(flows).key("moves").list(event.moves, [&](const EventMove& move) {
    json.begin('{').key("before").address(move.before).key("after").address(move.after);
    json.key("path_before").path_id(move.path_before).key("path_after").path_id(move.path_after);
    json.key("flows").list(move.flows).end('}');
  });
  json.key("names").begin('{');
  for (const IpAddress& address : all) {
    const std::string_view name = names.name(address);
    if (name.empty()) continue;
    json.address(address);
    out.push_back(':');
    json.text(name);
  }
  json.end('}');
  if (is_finding(event.kind)) json.key("phase").text(event.ended ? "end" : "begin");
  if (event.detail != nullptr) append_detail_of(out, event);
  out.append("}\n");
}

}  // namespace ecmp::render
