#include "render/json/ndjson.hpp"

#include <span>
#include <string_view>
#include <vector>

#include "packet/message.hpp"
#include "path/model/quote_findings.hpp"
#include "render/append.hpp"
#include "render/json/json_parts.hpp"
#include "render/json/oneway_json.hpp"
#include "render/json/path_hash.hpp"
#include "render/report/search_text.hpp"

namespace ecmp::render {

namespace {

/// The address, or nothing where none is known.
void append_known(std::string& out, const IpAddress& address) {
  if (!address.is_unspecified()) append_address(out, address);
}

/// The rolling window of the path; all 0 while there is none.
void append_path_window(std::string& out, const PathVerdict& verdict) {
  static const PathWindow none;
  const PathWindow& window = verdict.window != nullptr ? *verdict.window : none;
  out.append(R"(,"window":{"loss_ratio":)");
  append_ratio(out, window.figures.loss_ratio());
  append_quantiles(out, R"(,"rtt_ns":)", window.figures.rtt);
  append_quantiles(out, R"(,"jitter_ns":)", window.figures.jitter);
  out.append(R"(,"jitter_rfc3550_ns":)");
  append_number(out, verdict.smoothed_jitter.count());
  append_quantiles(out, R"(,"pdv_ns":)", window.delay_variation);
  out.push_back('}');
}

std::string_view reply_text(const HopResult& hop) {
  if (hop.outcome == HopOutcome::send_failed) return "send_failed";
  return hop.outcome == HopOutcome::unobserved ? "unobserved" : packet::to_string(hop.reply);
}

/// What is there only when there is something to tell: most hops have nothing of it.
void append_told(std::string& out, const HopResult& hop, std::size_t index, const HopNames& names,
                 std::span<const Finding> findings) {
  if (!hop.responder.is_unspecified()) append_place(out, hop.responder, names);
  append_findings(out, R"(,"findings":)", index, findings);
}

void append_hop(std::string& out, const RoundRecord& record, std::size_t index, const HopNames& names,
                std::span<const Finding> findings) {
  const HopResult& hop = record.round.hops[index];
  const bool answered = hop.outcome == HopOutcome::replied || hop.outcome == HopOutcome::unreachable;
  const bool known = answered && !hop.responder.is_unspecified();
  const std::int64_t rtt = answered ? hop.rtt.count() : 0;
  out.append(R"({"ttl":)");
  append_number(out, static_cast<unsigned>(hop.ttl));
  out.append(R"(,"ip":")");
  if (known) append_address(out, hop.responder);
  out.append(R"(","rtt":)");
  append_number(out, rtt / 1000);
  out.append(R"(,"timeout":)");
  append_bool(out, hop.outcome != HopOutcome::replied && hop.outcome != HopOutcome::left_out);
  if (hop.outcome == HopOutcome::left_out) out.append(R"(,"probed":false)");
  out.append(R"(,"ptr":")");
  if (known) append_json(out, names.name(hop.responder));
  out.append(R"(","recv_time":")");
  if (answered) append_time(out, record.wall(hop.received));
  out.append(R"(","rtt_ns":)");
  append_number(out, rtt);
  out.append(R"(,"silent":)");
  append_bool(out, hop.outcome == HopOutcome::silent);
  out.append(R"(,"reply_ttl":)");
  append_number(out, static_cast<unsigned>(hop.reply_ttl));
  out.append(R"(,"reply":")");
  out.append(reply_text(hop));
  out.push_back('"');
  append_mpls(out, R"(,"mpls":)", hop.mpls);
  append_told(out, hop, index, names, findings);
  if (hop.again) out.append(hop.missed == HopOutcome::silent ? R"(,"missed":"silent")" : R"(,"missed":"lost")");
  if (hop.limiting != Limiting::none) out.append(R"(,"limited":true)");
  out.push_back('}');
}

void append_flow(std::string& out, const RoundRecord& record, const HopNames& names, PathHash hash) {
  const DestinationFacts& facts = *record.destination;
  out.append(R"({"probe_id":)");
  append_number(out, record.flow_index);
  out.append(R"(,"probe_num":)");
  append_number(out, record.round.number);
  out.append(R"(,"path_hash":")");
  const auto& responders = record.verdict.responders;
  append_path_hash(out, responders == nullptr ? std::span<const IpAddress>{} : *responders, hash);
  out.append(R"(","source_ip":")");
  append_known(out, record.source);
  out.append(R"(","source_port":)");
  append_number(out, record.source_port);
  out.append(R"(,"destination_ip":")");
  append_known(out, facts.address);
  out.append(R"(","destination_port":)");
  append_number(out, port_of(facts.protocol, facts.port));
  out.append(R"(,"destination_ptr":")");
  append_json(out, names.name(facts.address));
  out.append(R"(","protocol":")");
  out.append(traits(facts.protocol).upper_name);
  out.append(R"(","reached_dest":)");
  append_bool(out, record.round.reached());
}

}  // namespace

void append_round(std::string& out, const RoundRecord& record, const HopNames& names, PathHash hash) {
  const Round& round = record.round;
  const PathVerdict& verdict = record.verdict;
  append_flow(out, record, names, hash);
  out.append(R"(,"hops":[)");
  const std::vector<Finding> findings = findings_of(round);
  for (std::size_t i = 0; i < round.hops.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_hop(out, record, i, names, findings);
  }
  out.append(R"(],"timestamp":")");
  append_time(out, record.wall(round.started));
  out.append(R"(","destination":")");
  append_json(out, record.destination->name);
  out.append(R"(","path":")");
  if (verdict.path != 0) append_hex8(out, verdict.path);
  out.append(R"(","path_ordinal":)");
  append_number(out, verdict.ordinal);
  out.append(R"(,"changed":")");
  out.append(to_string(verdict.changed));
  out.append(R"(","outcome":")");
  out.append(to_string(round.end_to_end));
  out.append(R"(","loss":)");
  append_bool(out, round.end_to_end == EndToEnd::lost);
  if (verdict.unconfirmed) out.append(R"(,"unconfirmed":true)");
  if (const IpAddress alias = alias_of(round, record.destination->address); !alias.is_unspecified()) {
    out.append(R"(,"alias":)");
    append_known_address(out, alias);
  }
  if (round.unobserved != Unobserved::none) {
    out.append(R"(,"unobserved":")");
    out.append(to_string(round.unobserved));
    out.push_back('"');
  }
  append_path_window(out, verdict);
  if (record.search != nullptr) {
    out.append(R"(,"search":)");
    append_search(out, *record.search);
  }
  if (record.oneway != nullptr) append_oneway_round(out, R"(,"oneway":)", *record.oneway);
  out.append("}\n");
}

}  // namespace ecmp::render
