#include "render/json/verdict_json.hpp"

#include "render/append.hpp"
#include "render/json/json_parts.hpp"

namespace ecmp::render {
namespace {

void append_count(std::string& out, std::string_view key, std::uint64_t count) {
  out.append(key);
  append_number(out, count);
}

/// null where it is not known, or has not come.
void append_moment(std::string& out, std::string_view key, WallTime time) {
  out.append(key);
  if (time == WallTime{}) {
    out.append("null");
    return;
  }
  out.push_back('"');
  append_time(out, time);
  out.push_back('"');
}

void append_ends(std::string& out, const LinkEnds& link) {
  out.append(R"({"from":)");
  append_known_address(out, link.from);
  out.append(R"(,"to":)");
  append_known_address(out, link.to);
  out.push_back('}');
}

template <typename Items, typename Append>
void append_list(std::string& out, std::string_view key, const Items& items, const Append& append) {
  out.append(key);
  out.push_back('[');
  bool first = true;
  for (const auto& item : items) {
    if (!first) out.push_back(',');
    first = false;
    append(out, item);
  }
  out.push_back(']');
}

void append_witness(std::string& out, const WitnessFlow& flow) {
  out.append(R"({"destination":)");
  append_string(out, flow.destination->name);
  append_count(out, R"(,"source_port":)", flow.source_port);
  append_count(out, R"(,"probes":)", flow.probes);
  append_count(out, R"(,"losses":)", flow.losses);
  out.push_back('}');
}

}  // namespace

void append_link_verdict(std::string& out, const LinkVerdict& verdict) {
  append_list(out, R"({"links":)", verdict.links, append_ends);
  out.append(R"(,"loss_ratio":)");
  append_ratio(out, verdict.loss);
  out.append(R"(,"loss_ratio_low":)");
  append_ratio(out, verdict.interval.low);
  out.append(R"(,"loss_ratio_high":)");
  append_ratio(out, verdict.interval.high);
  out.append(R"(,"suspicion":)");
  append_ratio(out, verdict.suspicion);
  out.append(R"(,"blamed":)");
  append_bool(out, verdict.blamed);
  append_moment(out, R"(,"since":)", verdict.began);
  append_moment(out, R"(,"until":)", verdict.ended);
  out.append(R"(,"uneven":)");
  append_bool(out, verdict.uneven);
  out.append(R"(,"forward_consistent":)");
  append_bool(out, verdict.forward_consistent);
  out.append(R"(,"direction":)");
  if (verdict.direction) {
    append_string(out, to_string(*verdict.direction));
  } else {
    out.append("null");
  }
  append_count(out, R"(,"probes":)", verdict.probes);
  append_count(out, R"(,"losses":)", verdict.losses);
  append_count(out, R"(,"lossy_flows":)", verdict.lossy_flows);
  append_count(out, R"(,"clean_flows":)", verdict.clean_flows);
  append_list(out, R"(,"reproduced_by":)", verdict.reproduced_by, append_witness);
  append_list(out, R"(,"not_reproduced_by":)", verdict.not_reproduced_by, append_witness);
  out.push_back('}');
}

void append_delay_verdict(std::string& out, const DelayVerdict& verdict) {
  out.append(R"({"link":)");
  append_ends(out, verdict.link);
  const auto nanoseconds = [&](std::string_view key, Duration duration) {
    out.append(key);
    append_number(out, duration.count());
  };
  nanoseconds(R"(,"before_ns":)", verdict.before);
  nanoseconds(R"(,"now_ns":)", verdict.now);
  nanoseconds(R"(,"now_low_ns":)", verdict.low);
  nanoseconds(R"(,"now_high_ns":)", verdict.high);
  append_count(out, R"(,"samples":)", verdict.samples);
  out.push_back('}');
}

void append_branching(std::string& out, const Branching& branching) {
  append_count(out, R"({"ttl":)", branching.ttl);
  out.append(R"(,"address":)");
  append_known_address(out, branching.at);
  append_list(out, R"(,"next_hops":)", branching.next_hops, [](std::string& to, const Branching::NextHop& next) {
    to.append(R"({"address":)");
    append_known_address(to, next.address);
    append_count(to, R"(,"flows":)", next.flows);
    to.push_back('}');
  });
  out.append(R"(,"chi_square":)");
  append_ratio(out, branching.chi_square);
  out.append(R"(,"p_value":)");
  append_ratio(out, branching.p_value);
  out.append(R"(,"decided":)");
  append_bool(out, branching.decided);
  out.append(R"(,"uneven":)");
  append_bool(out, branching.uneven);
  out.push_back('}');
}

void append_polarisation(std::string& out, const Polarisation& pair) {
  append_count(out, R"({"first_ttl":)", pair.first_ttl);
  out.append(R"(,"first":)");
  append_known_address(out, pair.first);
  append_count(out, R"(,"second_ttl":)", pair.second_ttl);
  out.append(R"(,"second":)");
  append_known_address(out, pair.second);
  append_count(out, R"(,"flows":)", pair.flows);
  append_count(out, R"(,"pairs":)", pair.pairs);
  append_count(out, R"(,"possible":)", pair.possible);
  out.append(R"(,"expected":)");
  append_ratio(out, pair.expected);
  out.append(R"(,"p_value":)");
  append_ratio(out, pair.p_value);
  out.append(R"(,"polarised":)");
  append_bool(out, pair.polarised);
  out.push_back('}');
}

}  // namespace ecmp::render
