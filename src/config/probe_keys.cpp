#include "config/probe_keys.hpp"

#include <array>
#include <charconv>
#include <fmt/format.h>

#include "config/text.hpp"

namespace ecmp::config {

namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// What `protocol` can be: STAMP is UDP with streams.
enum class Probing : std::uint8_t { udp, tcp, icmp, stamp };
constexpr std::array kProbings = {Choice<Probing>{"udp", Probing::udp}, Choice<Probing>{"tcp", Probing::tcp},
                                  Choice<Probing>{"icmp", Probing::icmp}, Choice<Probing>{"stamp", Probing::stamp}};
constexpr std::array kFamilies = {Choice<FamilyChoice>{"any", FamilyChoice::any},
                                  Choice<FamilyChoice>{"ipv4", FamilyChoice::ipv4},
                                  Choice<FamilyChoice>{"ipv6", FamilyChoice::ipv6}};

constexpr Range<std::int64_t> kPort{1, 65535, "a whole number from 1 to 65535"};
constexpr Range<std::int64_t> kFlows{1, 65535, "a whole number from 1 to 65535, or \"auto\""};
constexpr Range<std::int64_t> kMaxFlows{1, 65535, "a whole number from 1 to 65535"};
constexpr Range<std::int64_t> kPerPath{1, 64, "a whole number from 1 to 64"};
constexpr Range<Duration> kRediscover{seconds(10), hours(24) * 30, "a duration from \"10s\" to \"30d\""};
constexpr Range<Duration> kInterval{milliseconds(10), hours(24), "a duration from \"10ms\" to \"24h\""};
constexpr Range<Duration> kPacketInterval{milliseconds(10), seconds(60), "a duration from \"10ms\" to \"60s\""};
constexpr Range<Duration> kTimeout{milliseconds(1), seconds(60), "a duration from \"1ms\" to \"60s\""};
constexpr Range<std::int64_t> kMaxTtl{1, 255, "a whole number from 1 to 255"};
constexpr Range<std::int64_t> kPacketSize{38, 9000, "a whole number of bytes from 38 to 9000"};
constexpr Range<std::int64_t> kDscp{0, 63, "a whole number from 0 to 63"};
constexpr Range<std::int64_t> kConfirmRounds{1, 100, "a whole number from 1 to 100"};
constexpr Range<std::int64_t> kExpectedPaths{0, 65535, "a whole number from 0 to 65535"};
constexpr std::string_view kSourceAddress = "an IPv4 or IPv6 address of this host, or \"\"";
constexpr std::string_view kSourcePorts = "a range of ports from 1 to 65535, such as \"32768-49151\"";
constexpr std::string_view kInterface = "the name of a network interface, of at most 127 characters, or \"\"";
constexpr Range<std::int64_t> kMark{0, 4294967295, "a whole number from 0 to 4294967295, such as 7 or 0x7"};

// How many intervals a probe may be waited for: rounds of a flow run beside each other until then.
constexpr int kMostIntervalsWaited = 10;

/// Flows that "auto" may ask where nothing is said: enough for some thirty paths.
constexpr std::int64_t kUsualMaxFlows = 512;

std::optional<Setting<std::int64_t>> read_count(TableReader& reader, std::string_view key,
                                                const Range<std::int64_t>& range, const Limits& limits) {
  auto flows = reader.integer(key, range);
  if (flows && flows->value > limits.max_flows_per_destination) {
    reader.refuse(key, *flows,
                  fmt::format("more than max_flows_per_destination of [limits], {}", limits.max_flows_per_destination));
    return std::nullopt;
  }
  return flows;
}

std::optional<Setting<std::int64_t>> read_flows(TableReader& reader, const Limits& limits) {
  const Entry* entry = reader.entry("flows");
  if (entry != nullptr) {
    const auto* word = std::get_if<std::string>(&entry->node.value);
    if (word != nullptr && *word == "auto") {
      return Setting<std::int64_t>{kAutoFlows, entry->node.where, entry->node.text};
    }
  }
  return read_count(reader, "flows", kFlows, limits);
}

std::optional<Setting<std::optional<IpAddress>>> read_source_address(TableReader& reader) {
  const auto text = reader.string("source_address", kSourceAddress);
  if (!text) return std::nullopt;
  const Setting<std::optional<IpAddress>> none{std::nullopt, text->where, text->text};
  if (text->value.empty()) return none;
  const auto address = IpAddress::parse(text->value);
  if (!address) {
    reader.refuse("source_address", *text, fmt::format("expected {}", kSourceAddress));
  } else if (address->is_unspecified() || address->is_multicast()) {
    reader.refuse("source_address", *text, "nothing can be sent from this address");
  } else {
    return Setting<std::optional<IpAddress>>{address, text->where, text->text};
  }
  return std::nullopt;
}

std::optional<Setting<PortBlock>> read_source_ports(TableReader& reader) {
  const auto text = reader.string("source_ports", kSourcePorts);
  if (!text) return std::nullopt;
  PortBlock block;
  const char* const end = text->value.data() + text->value.size();
  const auto [dash, wrong_first] = std::from_chars(text->value.data(), end, block.first);
  if (wrong_first == std::errc{} && dash != end && *dash == '-') {
    const auto [stopped, wrong_last] = std::from_chars(dash + 1, end, block.last);
    if (wrong_last == std::errc{} && stopped == end && block.first >= 1 && block.first <= block.last)
      return Setting<PortBlock>{block, text->where, text->text};
  }
  reader.refuse("source_ports", *text, fmt::format("expected {}", kSourcePorts));
  return std::nullopt;
}

/// What Linux takes for a name (dev_valid_name() of the kernel) or, longer, for an alternative name of an interface.
bool is_interface_name(std::string_view name) {
  constexpr std::string_view kForbidden = "/: \t\n\v\f\r";
  return name.size() <= 127 && name != "." && name != ".." &&
         name.find_first_of(kForbidden) == std::string_view::npos && !has_control(name);
}

std::optional<Setting<std::string>> read_interface(TableReader& reader) {
  auto name = reader.string("interface", kInterface);
  if (name && !name->value.empty() && !is_interface_name(name->value)) {
    reader.refuse("interface", *name, fmt::format("expected {}", kInterface));
    return std::nullopt;
  }
  return name;
}

}  // namespace

DestinationDefaults::DestinationDefaults(const ProbeKeys& keys) : keys_(keys) {
  const auto own = [this](auto& setting) {
    if (!setting) return;
    setting->text = texts_.emplace_back(setting->text);
    setting->where = {.line = 0, .column = 0};
  };
  own(keys_.protocol);
  own(keys_.family);
  own(keys_.port);
  own(keys_.flows);
  own(keys_.max_flows);
  own(keys_.confidence);
  own(keys_.p_min);
  own(keys_.min_flows_per_path);
  own(keys_.rediscover);
  own(keys_.source_port);
  own(keys_.source_ports);
  own(keys_.source_address);
  own(keys_.interface);
  own(keys_.fwmark);
  own(keys_.interval);
  own(keys_.timeout);
  own(keys_.stamp);
  own(keys_.packet_interval);
  own(keys_.key_file);
  own(keys_.max_ttl);
  own(keys_.packet_size);
  own(keys_.dscp);
  own(keys_.confirm_rounds);
  own(keys_.expected_paths);
}

ProbeKeys over(const ProbeKeys& own, const ProbeKeys& under) {
  ProbeKeys both = own;
  const auto inherit = [](auto& setting, const auto& inherited) {
    if (!setting) setting = inherited;
  };
  inherit(both.protocol, under.protocol);
  inherit(both.family, under.family);
  inherit(both.port, under.port);
  inherit(both.flows, under.flows);
  inherit(both.max_flows, under.max_flows);
  inherit(both.confidence, under.confidence);
  inherit(both.p_min, under.p_min);
  inherit(both.min_flows_per_path, under.min_flows_per_path);
  inherit(both.rediscover, under.rediscover);
  if (!own.source_port && !own.source_ports) {  // the two exclude each other
    both.source_port = under.source_port;
    both.source_ports = under.source_ports;
  }
  inherit(both.source_address, under.source_address);
  inherit(both.interface, under.interface);
  inherit(both.fwmark, under.fwmark);
  inherit(both.interval, under.interval);
  inherit(both.timeout, under.timeout);
  inherit(both.stamp, under.stamp);
  inherit(both.packet_interval, under.packet_interval);
  inherit(both.key_file, under.key_file);
  inherit(both.max_ttl, under.max_ttl);
  inherit(both.packet_size, under.packet_size);
  inherit(both.dscp, under.dscp);
  inherit(both.confirm_rounds, under.confirm_rounds);
  inherit(both.expected_paths, under.expected_paths);
  both.identity_broken = own.identity_broken || under.identity_broken;
  return both;
}

std::optional<std::uint32_t> parse_mark(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t mark = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mark, hexadecimal ? 16 : 10);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return mark;
}

std::string_view protocol_name(Protocol protocol) {
  return traits(protocol).name;
}

std::string_view protocol_name(const Destination& destination) {
  return destination.stamp ? "stamp" : protocol_name(destination.protocol);
}

ProbeKeys read_probe_keys(TableReader& reader, const Limits& limits) {
  ProbeKeys keys;
  if (const auto probing = reader.choice<Probing>("protocol", kProbings)) {
    const bool stamp = probing->value == Probing::stamp;
    const Protocol protocol = stamp ? kStampProtocol : static_cast<Protocol>(probing->value);
    keys.protocol = Setting<Protocol>{protocol, probing->where, probing->text};
    keys.stamp = Setting<bool>{stamp, probing->where, probing->text};
  }
  keys.family = reader.choice<FamilyChoice>("family", kFamilies);
  keys.port = reader.integer("port", kPort);
  keys.flows = read_flows(reader, limits);
  keys.max_flows = read_count(reader, "max_flows", kMaxFlows, limits);
  keys.confidence = reader.positive_number("confidence", kConfidence);
  keys.p_min = reader.positive_number("p_min", kShare);
  keys.min_flows_per_path = reader.integer("min_flows_per_path", kPerPath);
  keys.rediscover = reader.duration("rediscover", kRediscover);
  keys.source_port = reader.integer("source_port", kPort);
  keys.source_ports = read_source_ports(reader);
  keys.source_address = read_source_address(reader);
  keys.interface = read_interface(reader);
  keys.fwmark = reader.integer("fwmark", kMark);
  keys.interval = reader.duration("interval", kInterval);
  keys.timeout = reader.duration("timeout", kTimeout);
  keys.packet_interval = reader.duration("packet_interval", kPacketInterval);
  keys.key_file = reader.file("key_file", "the name of a file, or \"\"");
  keys.max_ttl = reader.integer("max_ttl", kMaxTtl);
  keys.packet_size = reader.integer("packet_size", kPacketSize);
  keys.dscp = reader.integer("dscp", kDscp);
  keys.confirm_rounds = reader.integer("confirm_rounds", kConfirmRounds);
  keys.expected_paths = reader.integer("expected_paths", kExpectedPaths);
  keys.identity_broken = reader.broken("protocol") || reader.broken("flows") || reader.broken("max_flows") ||
                         reader.broken("source_port") || reader.broken("source_ports");
  return keys;
}

std::int64_t flows_of(const ProbeKeys& own, const ProbeKeys& defaults, const Limits& limits) {
  const auto& flows = own.flows ? own.flows : defaults.flows;
  if (!flows) return Destination().flows;
  if (flows->value != kAutoFlows) return flows->value;
  const auto& most = own.max_flows ? own.max_flows : defaults.max_flows;
  return most ? most->value : std::min<std::int64_t>(kUsualMaxFlows, limits.max_flows_per_destination);
}

const std::optional<Setting<std::int64_t>>& first_port_of(const ProbeKeys& own, const ProbeKeys& defaults) {
  // The two exclude each other, so whoever sets one here does not want the other from [probe].
  return own.source_port || own.source_ports ? own.source_port : defaults.source_port;
}

namespace {

void check_ports(const ProbeKeys& own, const ProbeKeys& defaults, const Limits& limits, Problems& problems) {
  if (own.source_port && own.source_ports) {
    problems.add(std::max(own.source_port->where, own.source_ports->where),
                 fmt::format("source_port = {} and source_ports = {}: only one of them can be set",
                             own.source_port->text, own.source_ports->text));
    return;
  }
  if (!own.source_port && !own.source_ports && !own.flows && !own.max_flows) return;
  if (own.identity_broken || defaults.identity_broken) return;
  const std::int64_t flows = flows_of(own, defaults, limits);
  const auto refuse = [&](const std::string& what) {
    const auto& count = own.max_flows ? own.max_flows : own.flows;
    if (own.source_port) {
      problems.add_value("source_port", own.source_port->where, own.source_port->text, what);
    } else if (own.source_ports) {
      problems.add_value("source_ports", own.source_ports->where, own.source_ports->text, what);
    } else {
      problems.add_value(own.max_flows ? "max_flows" : "flows", count->where, count->text, what);
    }
  };
  if (const auto& first = first_port_of(own, defaults)) {
    const std::int64_t last = first->value + flows - 1;
    if (last > 65535) refuse(fmt::format("the source ports of the flows run up to {}, past 65535", last));
    return;
  }
  const auto& given = own.source_ports ? own.source_ports : defaults.source_ports;
  const PortBlock block = given ? given->value : PortBlock();
  if (flows > block.size()) {
    refuse(fmt::format("{} flows need as many source ports, and source_ports = \"{}-{}\" are {}", flows, block.first,
                       block.last, block.size()));
  }
}

}  // namespace

void check_combinations(const ProbeKeys& own, const ProbeKeys& defaults, const Limits& limits, Problems& problems) {
  check_ports(own, defaults, limits, problems);
  const Destination standard;

  if (own.timeout || own.interval) {
    const auto interval = own.interval ? own.interval : defaults.interval;
    const auto timeout = own.timeout ? own.timeout : defaults.timeout;
    const Duration most = kMostIntervalsWaited * (interval ? interval->value : standard.interval);
    if ((timeout ? timeout->value : standard.timeout) > most) {
      const auto& guilty = own.timeout ? own.timeout : own.interval;
      problems.add_value(
          own.timeout ? "timeout" : "interval", guilty->where, guilty->text,
          fmt::format("timeout {} is more than {} times the interval {}", timeout ? timeout->text : "\"2s\"",
                      kMostIntervalsWaited, interval ? interval->text : "\"10s\""));
    }
  }
}

}  // namespace ecmp::config
