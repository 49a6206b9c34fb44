#include "render/json/event_json.hpp"

#include <algorithm>
#include <vector>

#include "render/append.hpp"
#include "render/json/json_parts.hpp"
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

void append_addresses(std::string& out, std::string_view key, const Addresses& addresses) {
  out.append(key);
  out.push_back('[');
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_known_address(out, addresses[i]);
  }
  out.push_back(']');
}

void append_ports(std::string& out, std::string_view key, const std::vector<std::uint16_t>& ports) {
  out.append(key);
  out.push_back('[');
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_number(out, ports[i]);
  }
  out.push_back(']');
}

void append_path(std::string& out, std::string_view key, std::uint32_t id) {
  out.append(key);
  out.push_back('"');
  if (id != 0) append_hex8(out, id);
  out.push_back('"');
}

void append_move(std::string& out, const EventMove& move) {
  out.append(R"({"before":)");
  append_known_address(out, move.before);
  out.append(R"(,"after":)");
  append_known_address(out, move.after);
  append_path(out, R"(,"path_before":)", move.path_before);
  append_path(out, R"(,"path_after":)", move.path_after);
  append_ports(out, R"(,"flows":)", move.flows);
  out.push_back('}');
}

void append_finding(std::string& out, const PathEvent& event) {
  out.append(event.ended ? R"(,"phase":"end")" : R"(,"phase":"begin")");
  if (event.loss != nullptr) {
    out.append(R"(,"loss":)");
    append_link_verdict(out, *event.loss);
  }
  if (event.delay != nullptr) {
    out.append(R"(,"delay":)");
    append_delay_verdict(out, *event.delay);
  }
  if (event.branching != nullptr) {
    out.append(R"(,"branching":)");
    append_branching(out, *event.branching);
  }
  if (event.polarisation != nullptr) {
    out.append(R"(,"polarisation":)");
    append_polarisation(out, *event.polarisation);
  }
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
  out.append(R"({"id":)");
  append_number(out, id);
  out.append(R"(,"time":")");
  append_time(out, event.time);
  out.append(R"(","settled":")");
  append_time(out, event.settled);
  out.append(R"(","destination":)");
  append_string(out, event.destination != nullptr ? event.destination->name : std::string());
  out.append(R"(,"kind":")").append(to_string(event.kind));
  out.append(R"(","ttl":)");
  append_number(out, static_cast<unsigned>(event.ttl));
  append_addresses(out, R"(,"before":)", before);
  append_addresses(out, R"(,"after":)", after);
  append_ports(out, R"(,"flows":)", flows);
  out.append(R"(,"moves":[)");
  for (std::size_t i = 0; i < event.moves.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_move(out, event.moves[i]);
  }
  out.append(R"(],"names":{)");
  bool first = true;
  for (const IpAddress& address : all) {
    const std::string_view name = names.name(address);
    if (name.empty()) continue;
    if (!first) out.push_back(',');
    first = false;
    append_known_address(out, address);
    out.push_back(':');
    append_string(out, name);
  }
  out.push_back('}');
  if (is_finding(event.kind)) append_finding(out, event);
  if (event.reflector != nullptr) {
    append_reflector(out, R"(,"reflector_before":)", event.reflector->before);
    append_reflector(out, R"(,"reflector":)", event.reflector->after);
  }
  out.append("}\n");
}

}  // namespace ecmp::render
