#include "render/json/verdict_json.hpp"

namespace ecmp::render {
namespace {

/// null where it is not known, or has not come.
void append_moment(JsonWriter& json, WallTime time) {
  time == WallTime{} ? json.null() : json.time(time);
}

}  // namespace

void FieldsJson::state(const LinkVerdict& verdict) {
  json_.key("blamed").boolean(verdict.blamed);
  append_moment(json_.key("since"), verdict.began);
  append_moment(json_.key("until"), verdict.ended);
  json_.key("uneven").boolean(verdict.uneven).key("forward_consistent").boolean(verdict.forward_consistent);
  json_.key("direction");
  verdict.direction ? json_.text(to_string(*verdict.direction)) : json_.null();
}

void FieldsJson::witnesses(std::string_view name, const std::vector<WitnessFlow>& flows) {
  json_.key(name).list(flows, [this](const WitnessFlow& flow) {
    json_.begin('{').key("destination").text(flow.destination->name).key("source_port").number(flow.source_port);
    json_.key("probes").number(flow.probes).key("losses").number(flow.losses).end('}');
  });
}

void append_crosswise(std::string& out, const Crosswise& crosswise) {
  JsonWriter json(out);
  json.begin('{').key("ttl").number(crosswise.ttl).key("at").address(crosswise.at);
  json.key("first_ttl").number(crosswise.first_ttl).key("last_ttl").number(crosswise.last_ttl);
  json.key("width").number(crosswise.width).key("flows").number(crosswise.flows);
  json.key("pairs").number(crosswise.pairs).key("p_value").ratio(crosswise.p_value).end('}');
}

}  // namespace ecmp::render
