#include "render/json/ndjson.hpp"

#include <span>
#include <string_view>
#include <vector>

#include "packet/message.hpp"
#include "path/model/quote_findings.hpp"
#include "render/json/json_writer.hpp"
#include "render/json/oneway_json.hpp"
#include "render/json/path_hash.hpp"
#include "render/report/search_text.hpp"

namespace ecmp::render {

namespace {

/// The rolling window of the path; all 0 while there is none.
void append_path_window(std::string& out, const PathVerdict& verdict) {
  static const PathWindow none;
  const PathWindow& window = verdict.window != nullptr ? *verdict.window : none;
  JsonWriter json(out);
  json.begin('{').key("loss_ratio").ratio(window.figures.loss_ratio());
  append_quantiles(json.key("rtt_ns").next(), window.figures.rtt);
  append_quantiles(json.key("jitter_ns").next(), window.figures.jitter);
  json.key("jitter_rfc3550_ns").number(verdict.smoothed_jitter.count());
  append_quantiles(json.key("pdv_ns").next(), window.delay_variation);
  json.end('}');
}

std::string_view reply_text(const HopResult& hop) {
  if (hop.outcome == HopOutcome::send_failed) return "send_failed";
  return hop.outcome == HopOutcome::unobserved ? "unobserved" : packet::to_string(hop.reply);
}

void append_hop(std::string& out, const RoundRecord& record, std::size_t index, const HopNames& names,
                std::span<const Finding> findings) {
  const HopResult& hop = record.round.hops[index];
  const bool answered = hop.outcome == HopOutcome::replied || hop.outcome == HopOutcome::unreachable;
  const bool known = answered && !hop.responder.is_unspecified();
  const std::int64_t rtt = answered ? hop.rtt.count() : 0;
  JsonWriter json(out);
  json.begin('{').key("ttl").number(hop.ttl).key("ip").address(known ? hop.responder : IpAddress());
  json.key("rtt").number(rtt / 1000);
  json.key("timeout").boolean(hop.outcome != HopOutcome::replied && hop.outcome != HopOutcome::left_out);
  if (hop.outcome == HopOutcome::left_out) json.key("probed").boolean(false);
  json.key("ptr").text(known ? names.name(hop.responder) : "").key("recv_time");
  answered ? json.time(record.wall(hop.received)) : json.text("");
  json.key("rtt_ns").number(rtt).key("silent").boolean(hop.outcome == HopOutcome::silent);
  json.key("reply_ttl").number(hop.reply_ttl).key("reply").text(reply_text(hop));
  append_mpls(json.key("mpls").next(), hop.mpls);
  // Most hops have nothing of what follows.
  if (!hop.responder.is_unspecified()) append_place(out, hop.responder, names);
  append_findings(out, index, findings);
  if (hop.again) json.key("missed").text(hop.missed == HopOutcome::silent ? "silent" : "lost");
  if (hop.limiting != Limiting::none) json.key("limited").boolean(true);
  json.end('}');
}

void append_flow(JsonWriter& json, const RoundRecord& record, const HopNames& names, PathHash hash) {
  const DestinationFacts& facts = *record.destination;
  json.key("probe_id").number(record.flow_index).key("probe_num").number(record.round.number).key("path_hash");
  std::string hashed;
  const auto& responders = record.verdict.responders;
  append_path_hash(hashed, responders == nullptr ? std::span<const IpAddress>{} : *responders, hash);
  json.text(hashed).key("source_ip").address(record.source).key("source_port").number(record.source_port);
  json.key("destination_ip").address(facts.address);
  json.key("destination_port").number(port_of(facts.protocol, facts.port));
  json.key("destination_ptr").text(names.name(facts.address));
  json.key("protocol").text(traits(facts.protocol).upper_name).key("reached_dest").boolean(record.round.reached());
}

}  // namespace

void append_round(std::string& out, const RoundRecord& record, const HopNames& names, PathHash hash) {
  const Round& round = record.round;
  const PathVerdict& verdict = record.verdict;
  JsonWriter json(out);
  append_flow(json.begin('{'), record, names, hash);
  json.key("hops").begin('[');
  const std::vector<Finding> findings = findings_of(round);
  for (std::size_t i = 0; i < round.hops.size(); ++i)
    append_hop(out, record, i, names, findings);
  json.end(']').key("timestamp").time(record.wall(round.started)).key("destination").text(record.destination->name);
  json.key("path").path_id(verdict.path).key("path_ordinal").number(verdict.ordinal);
  json.key("changed").text(to_string(verdict.changed)).key("outcome").text(to_string(round.end_to_end));
  json.key("loss").boolean(round.end_to_end == EndToEnd::lost);
  if (verdict.unconfirmed) json.key("unconfirmed").boolean(true);
  if (const IpAddress alias = alias_of(round, record.destination->address); !alias.is_unspecified())
    json.key("alias").address(alias);
  if (round.unobserved != Unobserved::none) json.key("unobserved").text(to_string(round.unobserved));
  append_path_window(json.key("window").next(), verdict);
  if (record.search != nullptr) append_search(json.key("search").next(), *record.search);
  if (record.oneway != nullptr) append_oneway_round(json.key("oneway").next(), *record.oneway);
  out.append("}\n");
}

}  // namespace ecmp::render
