#include "render/json/verdict_json.hpp"

#include "render/json/json_writer.hpp"

namespace ecmp::render {
namespace {

/// null where it is not known, or has not come.
void append_moment(JsonWriter& json, WallTime time) {
  time == WallTime{} ? json.null() : json.time(time);
}

void append_ends(JsonWriter& json, const LinkEnds& link) {
  json.begin('{').key("from").address(link.from).key("to").address(link.to).end('}');
}

void append_witness(JsonWriter& json, const WitnessFlow& flow) {
  json.begin('{').key("destination").text(flow.destination->name).key("source_port").number(flow.source_port);
  json.key("probes").number(flow.probes).key("losses").number(flow.losses).end('}');
}

}  // namespace

void append_link_verdict(std::string& out, const LinkVerdict& verdict) {
  JsonWriter json(out);
  const auto ends = [&](const LinkEnds& link) { append_ends(json, link); };
  const auto witness = [&](const WitnessFlow& flow) { append_witness(json, flow); };
  json.begin('{').key("links").list(verdict.links, ends).key("loss_ratio").ratio(verdict.loss);
  json.key("loss_ratio_low").ratio(verdict.interval.low).key("loss_ratio_high").ratio(verdict.interval.high);
  json.key("suspicion").ratio(verdict.suspicion).key("blamed").boolean(verdict.blamed);
  append_moment(json.key("since"), verdict.began);
  append_moment(json.key("until"), verdict.ended);
  json.key("uneven").boolean(verdict.uneven).key("forward_consistent").boolean(verdict.forward_consistent);
  json.key("direction");
  verdict.direction ? json.text(to_string(*verdict.direction)) : json.null();
  json.key("probes").number(verdict.probes).key("losses").number(verdict.losses);
  json.key("lossy_flows").number(verdict.lossy_flows).key("clean_flows").number(verdict.clean_flows);
  json.key("reproduced_by").list(verdict.reproduced_by, witness);
  json.key("not_reproduced_by").list(verdict.not_reproduced_by, witness).end('}');
}

void append_delay_verdict(std::string& out, const DelayVerdict& verdict) {
  JsonWriter json(out);
  append_ends(json.begin('{').key("link"), verdict.link);
  json.key("before_ns").number(verdict.before.count()).key("now_ns").number(verdict.now.count());
  json.key("now_low_ns").number(verdict.low.count()).key("now_high_ns").number(verdict.high.count());
  json.key("samples").number(verdict.samples).end('}');
}

void append_branching(std::string& out, const Branching& branching) {
  JsonWriter json(out);
  json.begin('{').key("ttl").number(branching.ttl).key("address").address(branching.at);
  json.key("next_hops").list(branching.next_hops, [&](const Branching::NextHop& next) {
    json.begin('{').key("address").address(next.address).key("flows").number(next.flows).end('}');
  });
  json.key("chi_square").ratio(branching.chi_square).key("p_value").ratio(branching.p_value);
  json.key("decided").boolean(branching.decided).key("uneven").boolean(branching.uneven).end('}');
}

void append_polarisation(std::string& out, const Polarisation& pair) {
  JsonWriter json(out);
  json.begin('{').key("first_ttl").number(pair.first_ttl).key("first").address(pair.first);
  json.key("second_ttl").number(pair.second_ttl).key("second").address(pair.second).key("flows").number(pair.flows);
  json.key("pairs").number(pair.pairs).key("possible").number(pair.possible).key("expected").ratio(pair.expected);
  json.key("p_value").ratio(pair.p_value).key("polarised").boolean(pair.polarised).end('}');
}

void append_crosswise(std::string& out, const Crosswise& crosswise) {
  JsonWriter json(out);
  json.begin('{').key("ttl").number(crosswise.ttl).key("at").address(crosswise.at);
  json.key("first_ttl").number(crosswise.first_ttl).key("last_ttl").number(crosswise.last_ttl);
  json.key("width").number(crosswise.width).key("flows").number(crosswise.flows);
  json.key("pairs").number(crosswise.pairs).key("p_value").ratio(crosswise.p_value).end('}');
}

}  // namespace ecmp::render
