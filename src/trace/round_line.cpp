#include "trace/round_line.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <utility>

#include "agent/http/paths_query.hpp"
#include "config/json_document.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/json/oneway_json.hpp"

namespace ecmp {
namespace {

using config::Node;

constexpr std::size_t kLongestName = 255;
constexpr std::int64_t kMostTtl = 255;
/// No timeout is as long.
constexpr std::int64_t kMostRtt = std::chrono::duration_cast<Duration>(std::chrono::hours(1)).count();

/// Of a stream, or seconds: more than a thousand years of a packet each microsecond have less.
constexpr std::int64_t kMostPackets = std::int64_t{1} << 55;

/// Said inside this file only.
struct Wrong {
  std::string what;
};

[[noreturn]] void wrong(std::string_view key, std::string_view what) {
  throw Wrong{fmt::format("\"{}\" {}", key, what)};
}

/// The members of an object. What is missing is an error, unless another value stands for it.
class Members {
 public:
  explicit Members(const Node& node, std::string_view what) : table_(std::get_if<Node::Table>(&node.value)) {
    if (table_ == nullptr) throw Wrong{fmt::format("{} is not an object", what)};
  }

  [[nodiscard]] const Node* find(std::string_view key) const {
    const auto found = std::ranges::find(*table_, key, &config::Entry::key);
    return found == table_->end() ? nullptr : &found->node;
  }
  template <typename T>
  [[nodiscard]] const T& get(std::string_view key, std::string_view wanted) const {
    const Node* const node = find(key);
    const T* const value = node == nullptr ? nullptr : std::get_if<T>(&node->value);
    if (value == nullptr) wrong(key, node == nullptr ? "is missing" : wanted);
    return *value;
  }
  [[nodiscard]] const std::string& text(std::string_view key) const { return get<std::string>(key, "is not a string"); }
  [[nodiscard]] std::string text_or_none(std::string_view key) const {
    return find(key) == nullptr ? std::string() : text(key);
  }
  [[nodiscard]] bool flag(std::string_view key) const { return get<bool>(key, "is neither true nor false"); }
  [[nodiscard]] bool flag_or(std::string_view key, bool otherwise) const {
    return find(key) == nullptr ? otherwise : flag(key);
  }
  template <typename T>
  [[nodiscard]] T number(std::string_view key, std::int64_t most = std::numeric_limits<T>::max()) const {
    const auto value = get<std::int64_t>(key, "is not a whole number");
    if (value < 0 || value > most) wrong(key, fmt::format("is not from 0 to {}", most));
    return static_cast<T>(value);
  }
  [[nodiscard]] const Node::Array& array(std::string_view key) const {
    return get<Node::Array>(key, "is not an array");
  }
  [[nodiscard]] Members object(std::string_view key) const {
    const Node* const node = find(key);
    if (node == nullptr) wrong(key, "is missing");
    return Members(*node, fmt::format("\"{}\"", key));
  }
  /// Null: it is null.
  [[nodiscard]] const Node* present(std::string_view key) const {
    const Node* const node = find(key);
    if (node == nullptr) wrong(key, "is missing");
    return std::holds_alternative<config::Foreign>(node->value) ? nullptr : node;
  }
  /// False also where lines of earlier versions have no such member.
  [[nodiscard]] bool is_known(std::string_view key) const { return find(key) != nullptr && present(key) != nullptr; }
  /// Unspecified where the string is empty.
  [[nodiscard]] IpAddress address(std::string_view key) const {
    const std::string& written = text(key);
    if (written.empty()) return {};
    const auto address = IpAddress::parse(written);
    if (!address) wrong(key, "is not an address");
    return *address;
  }
  [[nodiscard]] std::optional<WallTime> time(std::string_view key) const {
    const std::string& written = text(key);
    if (written.empty()) return std::nullopt;
    const auto time = parse_time(written);
    if (!time) wrong(key, "is not a time");
    return time;
  }
  /// One of an enumeration that render writes by to_string().
  template <typename Kind>
  [[nodiscard]] Kind word(std::string_view key, Kind last, std::string_view written) const {
    for (int value = 0; value <= static_cast<int>(last); ++value)
      if (to_string(static_cast<Kind>(value)) == written) return static_cast<Kind>(value);
    wrong(key, "is a word that is not known");
  }
  template <typename Kind>
  [[nodiscard]] Kind word(std::string_view key, Kind last) const {
    return word(key, last, text(key));
  }

 private:
  const Node::Table* table_;
};

packet::KeptMpls read_labels(const Members& hop) {
  packet::MplsStack stack;
  for (const Node& node : hop.array("mpls")) {
    if (stack.depth == packet::MplsStack::kMaximum) break;
    const Members label(node, "a label");
    stack.labels[stack.depth++] = {label.number<std::uint32_t>("label", 0xfffff), label.number<std::uint8_t>("tc", 7),
                                   label.flag("s"), label.number<std::uint8_t>("ttl")};
  }
  return stack.depth == 0 ? packet::KeptMpls() : packet::KeptMpls(stack);
}

/// The fate, from the members that say parts of it.
HopOutcome outcome_of(const Members& hop, std::string_view reply) {
  if (!hop.flag_or("probed", true)) return HopOutcome::left_out;
  if (hop.flag("silent")) return HopOutcome::silent;
  if (!hop.flag("timeout")) return HopOutcome::replied;
  if (reply == "send_failed") return HopOutcome::send_failed;
  if (reply == "unobserved") return HopOutcome::unobserved;
  return reply.empty() ? HopOutcome::lost : HopOutcome::unreachable;
}

HopResult read_hop(const Node& node, std::size_t place, RecordedNames& names) {
  const Members hop(node, "a hop");
  HopResult result;
  result.ttl = hop.number<std::uint8_t>("ttl");
  if (result.ttl != place + 1) wrong("ttl", fmt::format("is {}, of hop {}", result.ttl, place + 1));
  const std::string& reply = hop.text("reply");
  result.outcome = outcome_of(hop, reply);
  const bool answered = result.outcome == HopOutcome::replied || result.outcome == HopOutcome::unreachable;
  if (answered) {
    result.reply = hop.word("reply", packet::ReplyKind::challenge_ack);
    result.rtt = Duration(hop.number<std::int64_t>("rtt_ns", kMostRtt));
    result.responder = hop.address("ip");
    const auto received = hop.time("recv_time");
    if (!received) wrong("recv_time", "is missing, though the hop answered");
    result.received = Instant(received->time_since_epoch());
    names.set_name(result.responder, hop.text("ptr"));
    names.set_origin(result.responder, hop.text_or_none("asn"));
    names.set_city(result.responder, hop.text_or_none("city"));
    names.set_country(result.responder, hop.text_or_none("country"));
  }
  if (hop.find("missed") != nullptr) {
    result.again = true;
    const std::string& missed = hop.text("missed");
    if (missed != "silent" && missed != "lost") wrong("missed", "is neither silent nor lost");
    result.missed = missed == "silent" ? HopOutcome::silent : HopOutcome::lost;
  }
  result.reply_ttl = hop.number<std::uint8_t>("reply_ttl");
  result.mpls = read_labels(hop);
  if (hop.flag_or("limited", false)) result.limiting = Limiting::confirmed;
  return result;
}

std::shared_ptr<DestinationFacts> read_facts(const Members& line, RecordedNames& names) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = line.text("destination");
  if (facts->name.empty() || facts->name.size() > kLongestName) wrong("destination", "is not the name of one");
  facts->host = facts->name;
  facts->address = line.address("destination_ip");
  facts->port = line.number<std::uint16_t>("destination_port");
  const std::string& protocol = line.text("protocol");
  const auto known = std::ranges::find(kProtocols, protocol, &ProtocolTraits::upper_name);
  if (known == kProtocols.end()) wrong("protocol", "is none of UDP, TCP and ICMP");
  facts->protocol = static_cast<Protocol>(known - kProtocols.begin());
  names.set_name(facts->address, line.text("destination_ptr"));
  return facts;
}

/// 0 where the string is empty.
std::uint32_t read_path_id(const Members& of, std::string_view key) {
  const std::string& written = of.text(key);
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), id, 16);
  if (!written.empty() && (written.size() != 8 || error != std::errc{} || end != written.data() + written.size()))
    wrong(key, "is not the id of one");
  return id;
}

void read_verdict(const Members& line, PathVerdict& verdict) {
  verdict.path = read_path_id(line, "path");
  verdict.ordinal = line.number<std::uint32_t>("path_ordinal");
  verdict.changed = line.word("changed", ChangeKind::per_packet);
  verdict.unconfirmed = line.flag_or("unconfirmed", false);
}

struct Share {
  std::uint64_t packets = 0;
  std::uint64_t losses = 0;
};

Share read_share(const Members& of) {
  const Share share{of.number<std::uint64_t>("packets", kMostPackets),
                    of.number<std::uint64_t>("losses", kMostPackets)};
  if (share.losses > share.packets) wrong("losses", "are more than the packets");
  return share;
}

ReflectorSnapshot read_reflector(const Members& from) {
  ReflectorSnapshot reflector;
  if (from.present("up") != nullptr) reflector.up = from.flag("up");
  const std::string& mode = from.text("mode");
  for (const auto known :
       {stamp::ReflectorMode::unknown, stamp::ReflectorMode::stateless, stamp::ReflectorMode::stateful})
    if (render::mode_name(known) == mode) reflector.mode = known;
  if (render::mode_name(reflector.mode) != mode) wrong("mode", "is a word that is not known");
  reflector.synchronised = from.text("clock") == "synchronised";
  reflector.restarts = from.number<std::uint64_t>("restarts", kMostPackets);
  if (from.is_known("clock_error_ns"))
    reflector.clock_error = Duration(from.number<std::int64_t>("clock_error_ns", kMostRtt));
  return reflector;
}

OnewayFlowSnapshot read_oneway_flow(const Members& from) {
  OnewayFlowSnapshot flow;
  const auto read = [&](std::string_view key, std::uint64_t& reordered, std::uint64_t& duplicates) {
    const Members way = from.object(key);
    reordered = way.number<std::uint64_t>("reordered", kMostPackets);
    duplicates = way.number<std::uint64_t>("duplicates", kMostPackets);
    return read_share(way);
  };
  const Share forward = read("forward", flow.counts.reordered_forward, flow.duplicates_forward);
  const Share reverse = read("reverse", flow.counts.reordered_reverse, flow.duplicates_reverse);
  const Share unresolved = read_share(from.object("unresolved"));
  if (reverse.packets != forward.packets - forward.losses) wrong("reverse", "has not the packets that were reflected");
  flow.counts.resolved = forward.packets;
  flow.counts.forward = forward.losses;
  flow.counts.reverse = reverse.losses;
  flow.counts.round_trips = unresolved.packets;
  flow.counts.unresolved = unresolved.losses;
  flow.reverse_path = read_path_id(from, "reverse_path");
  if (from.present("reverse_routers") == nullptr) return flow;
  std::vector<IpAddress> routers;
  for (const Node& node : from.array("reverse_routers")) {
    const auto* const text = std::get_if<std::string>(&node.value);
    const auto address = text == nullptr || text->empty() ? std::nullopt : IpAddress::parse(*text);
    if (text == nullptr || (!text->empty() && !address)) wrong("reverse_routers", "has something that is no address");
    routers.push_back(address.value_or(IpAddress()));
  }
  flow.reverse_routers = std::make_shared<const std::vector<IpAddress>>(std::move(routers));
  return flow;
}

/// What a direction of a path says, or round trips over it, which have no delays.
struct Direction {
  Share all, window;
  LossSecondsSum seconds;
  bool delays = false;
  Quantiles variation;
  std::optional<Quantiles> delay;
  std::optional<Duration> relative;
};

Quantiles read_quantiles(const Members& from) {
  Quantiles made;
  for (const auto& [name, to] : {std::pair{"p50", &Quantiles::p50}, {"p95", &Quantiles::p95}, {"p99", &Quantiles::p99}})
    made.*to = Duration(from.number<std::int64_t>(name, kMostRtt));
  return made;
}

std::optional<Direction> read_direction(const Members& path, std::string_view key, bool with_delays) {
  if (path.present(key) == nullptr) return std::nullopt;
  const Members from = path.object(key);
  const Members window = from.object("window");
  Direction made{.all = read_share(from), .window = read_share(window)};
  if (from.find("severe_seconds") != nullptr) {  // earlier versions have not counted them
    made.seconds = {from.number<std::uint64_t>("severe_seconds", kMostPackets),
                    from.number<std::uint64_t>("unavailable_seconds", kMostPackets)};
  }
  if (!with_delays) return made;
  if (from.present("relative_delay_ns") != nullptr)
    made.relative = Duration(from.number<std::int64_t>("relative_delay_ns", kMostRtt));
  made.delays = window.present("delay_variation_ns") != nullptr;
  if (made.delays) made.variation = read_quantiles(window.object("delay_variation_ns"));
  if (window.is_known("delay_ns")) made.delay = read_quantiles(window.object("delay_ns"));
  return made;
}

/// A line has the way there and the way back, each with what is said of it in its direction.
void read_oneway_paths(const Members& path, std::uint32_t there, OnewayRound& round) {
  const auto forward = read_direction(path, "forward", true);
  const auto reverse = read_direction(path, "reverse", true);
  const auto unresolved = read_direction(path, "unresolved", false);
  std::shared_ptr<OnewayPathSnapshot> on_way_there;
  if (forward && unresolved) {
    on_way_there = std::make_shared<OnewayPathSnapshot>();
    on_way_there->path = there;
    on_way_there->counts = {.resolved = forward->all.packets,
                            .forward = forward->all.losses,
                            .round_trips = unresolved->all.packets,
                            .unresolved = unresolved->all.losses};
    on_way_there->window = {.resolved = forward->window.packets,
                            .forward = forward->window.losses,
                            .round_trips = unresolved->window.packets,
                            .unresolved = unresolved->window.losses};
    on_way_there->forward_seconds = forward->seconds;
    on_way_there->unresolved_seconds = unresolved->seconds;
    on_way_there->exchanges = forward->delays ? 1 : 0;  // how many is not in a line
    on_way_there->forward_window = forward->variation;
    if (forward->delay) on_way_there->forward_delay = {.window = 1, .quantiles = *forward->delay};
    on_way_there->relative_forward = forward->relative;
    round.there = on_way_there;
  }
  if (!reverse) return;
  const std::uint32_t back = round.flow.reverse_path != 0 ? round.flow.reverse_path : there;
  const bool same = on_way_there != nullptr && back == there;
  const auto on_way_back = same ? on_way_there : std::make_shared<OnewayPathSnapshot>();
  on_way_back->path = back;
  on_way_back->back = {.resolved = reverse->all.packets, .reverse = reverse->all.losses};
  on_way_back->back_window = {.resolved = reverse->window.packets, .reverse = reverse->window.losses};
  on_way_back->reverse_seconds = reverse->seconds;
  on_way_back->back_exchanges = reverse->delays ? 1 : 0;
  on_way_back->reverse_window = reverse->variation;
  if (reverse->delay) on_way_back->reverse_delay = {.window = 1, .quantiles = *reverse->delay};
  on_way_back->relative_reverse = reverse->relative;
  round.back = on_way_back;
}

std::shared_ptr<const OnewayRound> read_oneway(const Members& from, std::uint32_t path) {
  auto round = std::make_shared<OnewayRound>();
  round->reflector = read_reflector(from.object("reflector"));
  round->flow = read_oneway_flow(from.object("flow"));
  read_oneway_paths(from.object("path"), path, *round);
  return round;
}

std::shared_ptr<RoundRecord> read_record(const Node& root, RecordedNames& names) {
  const Members line(root, "the line");
  auto record = std::make_shared<RoundRecord>();
  record->flow_index = line.number<std::uint32_t>("probe_id", DestinationTally::kMaximumFlows - 1);
  record->source_port = line.number<std::uint16_t>("source_port");
  record->source = line.address("source_ip");
  Round& round = record->round;
  round.flow = record->flow_index;
  round.number = line.number<std::uint32_t>("probe_num");
  const auto started = line.time("timestamp");
  if (!started) wrong("timestamp", "is missing");
  round.started = round.finished = Instant(started->time_since_epoch());
  round.end_to_end = line.word("outcome", EndToEnd::undecided);
  if (line.find("unobserved") != nullptr) round.unobserved = line.word("unobserved", Unobserved::tcp_state);
  const Node::Array& hops = line.array("hops");
  if (hops.size() > static_cast<std::size_t>(kMostTtl)) wrong("hops", "are more than 255");
  round.hops.reserve(hops.size());
  for (const Node& hop : hops) {
    round.hops.push_back(read_hop(hop, round.hops.size(), names));
    round.finished = std::max(round.finished, round.hops.back().received);
  }
  const bool reached = line.flag("reached_dest");
  if (reached) round.distance = static_cast<std::uint8_t>(round.hops.size());
  if (!reached && round.end_to_end == EndToEnd::reached) wrong("outcome", "is reached, and \"reached_dest\" is false");
  auto facts = read_facts(line, names);
  read_verdict(line, record->verdict);
  if (line.find("oneway") != nullptr) {
    facts->stamp = true;
    record->oneway = read_oneway(line.object("oneway"), record->verdict.path);
  }
  record->destination = std::move(facts);
  return record;
}

}  // namespace

void RecordedNames::set(Texts& texts, const IpAddress& address, std::string_view text) {
  if (text.empty() || text.size() > kLongestName || address.is_unspecified()) return;
  const auto known = texts.find(address);
  if (known != texts.end()) {
    known->second = text;
  } else if (texts.size() < kMost) {
    texts.emplace(address, text);
  }
}

Result<std::shared_ptr<RoundRecord>> read_round_line(std::string_view line, RecordedNames& names) {
  if (line.size() > kLongestRoundLine) return Error{"longer than any round is"};
  auto read = config::read_json(line);
  if (const auto* problem = std::get_if<config::Problem>(&read)) return Error{problem->message};
  try {
    return read_record(std::get<Node>(read), names);
  } catch (const Wrong& found) {
    return Error{found.what};
  }
}

}  // namespace ecmp
