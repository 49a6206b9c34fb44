#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>

#include "path/model/destination_model.hpp"
#include "probe/round.hpp"

/// Rounds written as text, for tests of what is made of them.
namespace ecmp::round_builder {

/// "D" is the destination, 192.0.2.1; "b3" is 10.98.0.3 ('b' is 98): a letter for the place, a number for the router.
inline IpAddress address(std::string_view name) {
  if (name == "D") return IpAddress::v4(0xc0000201);
  const auto place = static_cast<std::uint32_t>(static_cast<unsigned char>(name.front()));
  const auto number = name.size() > 1 ? static_cast<std::uint32_t>(std::stoul(std::string(name.substr(1)))) : 0u;
  return IpAddress::v4((10u << 24) | (place << 16) | number);
}

inline Instant at(double seconds) {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
}

/// Hops from TTL 1, separated by blanks: a name answered, "*" did not, "-" could not be sent, "!b2" refused, "." was
/// left out. "D" in the end means that the destination was reached. `distance` is what the engine knew of it, if this
/// round did not reach it.
inline Round round(std::string_view hops, double started, std::uint8_t distance = 0) {
  Round result;
  result.number = static_cast<std::uint32_t>(started);
  result.started = at(started);
  result.finished = at(started + 2);
  result.distance = distance;
  std::istringstream words{std::string(hops)};
  std::string word;
  std::size_t last_answer = 0;
  while (words >> word) {
    HopResult hop;
    hop.ttl = static_cast<std::uint8_t>(result.hops.size() + 1);
    if (word == "-") {
      hop.outcome = HopOutcome::send_failed;
    } else if (word == ".") {
      hop.outcome = HopOutcome::left_out;
    } else if (word.front() == '!') {
      hop.outcome = HopOutcome::unreachable;
      hop.reply = packet::ReplyKind::admin_prohibited;
      hop.responder = address(word.substr(1));
    } else if (word != "*") {
      hop.outcome = HopOutcome::replied;
      hop.reply = word == "D" ? packet::ReplyKind::port_unreachable : packet::ReplyKind::time_exceeded;
      hop.responder = address(word);
      last_answer = hop.ttl;
    }
    result.hops.push_back(hop);
  }
  for (HopResult& hop : result.hops)
    if (hop.outcome == HopOutcome::lost && hop.ttl < last_answer) hop.outcome = HopOutcome::silent;
  if (word == "D") {
    result.end_to_end = EndToEnd::reached;
    result.distance = static_cast<std::uint8_t>(result.hops.size());
  } else if (word == "-") {
    result.end_to_end = EndToEnd::send_failed;
  } else if (word == ".") {
    result.end_to_end = EndToEnd::left_out;
  }
  return result;
}

inline std::shared_ptr<const DestinationFacts> facts(std::uint16_t flows) {
  DestinationFacts made;
  made.name = "fra-edge";
  made.host = "192.0.2.1";
  made.address = address("D");
  made.port = 33434;
  made.source_ports = 50000;
  made.flows = flows;
  made.interval = std::chrono::seconds(10);
  return std::make_shared<const DestinationFacts>(made);
}

/// A destination under measurement, one round of every flow each 10 s.
class Measured {
 public:
  explicit Measured(std::uint16_t flows, ModelOptions options = {}) : model(facts(flows), options), flows_(flows) {}

  /// One round of all flows: what flow i sees is `hops(i)`. Verdicts in the order of the flows.
  template <typename Hops>
  std::vector<PathVerdict> sweep(Hops hops, std::uint8_t distance = 0) {
    std::vector<PathVerdict> verdicts;
    for (std::uint32_t flow = 0; flow < flows_; ++flow)
      verdicts.push_back(
          model.on_round(flow, round(hops(flow), now + 10.0 * flow / static_cast<double>(flows_), distance)));
    now += 10;
    return verdicts;
  }

  /// The same for a single flow.
  PathVerdict one(std::string_view hops, std::uint8_t distance = 0) {
    return sweep([hops](std::uint32_t) { return hops; }, distance).front();
  }

  std::shared_ptr<const DestinationSnapshot> told() { return model.snapshot(at(now)); }

  DestinationModel model;
  double now = 1000;

 private:
  std::uint16_t flows_;
};

}  // namespace ecmp::round_builder
