#include "render/json/event_json.hpp"

#include <algorithm>
#include <vector>

#include "render/json/json_writer.hpp"
#include "render/json/oneway_json.hpp"
#include "render/json/verdict_json.hpp"

namespace ecmp::render {
namespace {

using Addresses = std::vector<IpAddress>;

void note(Addresses& addresses, const IpAddress& address) {
  if (address.is_unspecified()) return;
  const auto at = std::ranges::lower_bound(addresses, address);
  if (at == addresses.end() || *at != address) addresses.insert(at, address);
}

void append_finding(std::string& out, const PathEvent& event) {
  JsonWriter json(out);
  json.key("phase").text(event.ended ? "end" : "begin");
  if (event.loss != nullptr) append_link_verdict(json.key("loss").next(), *event.loss);
  if (event.delay != nullptr) append_delay_verdict(json.key("delay").next(), *event.delay);
  if (event.branching != nullptr) append_branching(json.key("branching").next(), *event.branching);
  if (event.polarisation != nullptr) append_polarisation(json.key("polarisation").next(), *event.polarisation);
  if (event.oneway != nullptr) append_oneway_verdict(out, R"(,"oneway":)", *event.oneway);
}

/// Links come first to whoever looks at addresses: what a finding is about stands in `before` and `after` as well.
void note_finding(const PathEvent& event, Addresses& before, Addresses& after) {
  if (event.loss != nullptr) {
    for (const LinkEnds& link : event.loss->links) {
      note(before, link.from);
      note(after, link.to);
    }
  }
  if (event.delay != nullptr) {
    note(before, event.delay->link.from);
    note(after, event.delay->link.to);
  }
  if (event.branching != nullptr) note(before, event.branching->at);
  if (event.polarisation != nullptr) {
    note(before, event.polarisation->first);
    note(after, event.polarisation->second);
  }
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
  note_finding(event, before, after);
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
  if (is_finding(event.kind)) append_finding(out, event);
  if (event.reflector != nullptr) {
    append_reflector(out, R"(,"reflector_before":)", event.reflector->before);
    append_reflector(out, R"(,"reflector":)", event.reflector->after);
  }
  out.append("}\n");
}

}  // namespace ecmp::render
