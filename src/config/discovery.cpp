#include "config/discovery.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

#include "config/destinations.hpp"
#include "config/document.hpp"
#include "config/json_document.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

/// Of one source. Groups multiply: a million targets each have all labels of their group.
constexpr std::size_t kMostTargets = 1'000'000;
constexpr std::size_t kMostLabelBytes = 256u << 20;

constexpr std::string_view kOurs = "__ecmp_";
constexpr std::array<std::string_view, 11> kNumbers = {
    "port",        "flows", "max_flows",      "min_flows_per_path", "source_port", "max_ttl",
    "packet_size", "dscp",  "confirm_rounds", "expected_paths",     "fwmark"};
constexpr std::array<std::string_view, 2> kFractions = {"confidence", "p_min"};

const ProbeKeys& defaults_of(const Config& base) {
  static const ProbeKeys none;
  return base.defaults != nullptr ? base.defaults->keys() : none;
}

/// Reads a destination from elsewhere: one of [probe], or an agent of [mesh], as it says itself or [mesh] says of all.
PlacedDestination read_found(Node table, const Config& base, Problems& problems) {
  bool mesh = base.mesh.from_discovery;
  auto& keys = std::get<Node::Table>(table.value);
  if (const auto given = std::ranges::find(keys, "mesh", &Entry::key); given != keys.end()) {
    if (const auto* said = std::get_if<bool>(&given->node.value)) {
      mesh = *said;
      if (mesh && base.mesh_defaults == nullptr)
        problems.add_value("mesh", given->node.where, given->node.text, "the configuration has no [mesh]");
    } else {
      problems.add_value("mesh", given->node.where, given->node.text, "expected true or false");
    }
    keys.erase(given);
  }
  const bool of_mesh = mesh && base.mesh_defaults != nullptr;
  return read_destination(table, of_mesh ? base.mesh_defaults->keys() : defaults_of(base), base.limits, problems,
                          of_mesh);
}

FoundOutcome outcome_of(std::vector<PlacedDestination> placed, std::string_view source, Problems problems) {
  if (!problems.empty()) return std::move(problems).sorted();
  std::vector<Found> found;
  found.reserve(placed.size());
  for (PlacedDestination& each : placed) {
    found.push_back({std::move(each.destination), fmt::format("{}:{}:{}", source, each.where.line, each.where.column)});
  }
  return found;
}

/// Labels are text; the keys of [[destination]] are what they are.
Node as_key(std::string_view key, const Node& label) {
  Node node = label;
  const auto* text = std::get_if<std::string>(&label.value);
  if (text == nullptr) return node;
  if ((key == "all" || key == "mesh") && (*text == "true" || *text == "false")) node.value = *text == "true";
  if (std::ranges::find(kNumbers, key) != kNumbers.end()) {
    std::int64_t number = 0;
    const char* const end = text->data() + text->size();
    const auto [stopped, error] = std::from_chars(text->data(), end, number);
    if (error == std::errc{} && stopped == end) node.value = number;
  }
  if (std::ranges::find(kFractions, key) != kFractions.end()) {
    double number = 0;
    const char* const end = text->data() + text->size();
    const auto [stopped, error] = std::from_chars(text->data(), end, number);
    if (error == std::errc{} && stopped == end) node.value = number;
  }
  return node;
}

/// The labels of a group, as a [[destination]] has them.
struct GroupKeys {
  Node::Table keys;  ///< of __ecmp_ labels
  Node labels{.value = Node::Table{}};
  std::size_t bytes = 0;
};

class TargetReader {
 public:
  explicit TargetReader(const Config& base) : base_(base) {}

  void read(const Node& root) {
    const auto* groups = std::get_if<Node::Array>(&root.value);
    if (groups == nullptr) {
      problems_.add(root.where, "expected a list of groups: [{\"targets\": [...], \"labels\": {...}}]");
      return;
    }
    for (const Node& group : *groups) {
      if (!std::holds_alternative<Node::Table>(group.value)) {
        problems_.add(group.where, "expected a group: {\"targets\": [...], \"labels\": {...}}");
      } else if (!read_group(group)) {
        break;
      }
    }
    check_against_each_other(placed_, problems_);
  }

  std::vector<PlacedDestination> placed_;
  Problems problems_;

 private:
  bool read_group(const Node& group) {
    TableReader reader(group, problems_);
    const auto targets = reader.strings("targets", "a list of hosts, each a string");
    if (reader.entry("targets") == nullptr) problems_.add(group.where, "a group without \"targets\"");
    const GroupKeys keys = read_labels(reader);
    reader.refuse_unknown_keys();
    if (!targets) return true;
    if (targets->value.size() > 1) refuse_shared_name(keys);
    for (const Setting<std::string>& target : targets->value) {
      label_bytes_ += keys.bytes;
      if (placed_.size() >= kMostTargets || label_bytes_ > kMostLabelBytes) {
        problems_.add(target.where, fmt::format("more than {} targets, or {} MiB of labels of all targets",
                                                kMostTargets, kMostLabelBytes >> 20));
        return false;
      }
      read_target(target, keys);
    }
    return true;
  }

  GroupKeys read_labels(TableReader& reader) {
    GroupKeys group;
    const Entry* entry = reader.entry("labels");
    if (entry == nullptr || std::holds_alternative<Foreign>(entry->node.value)) return group;  // null: none
    const auto* labels = std::get_if<Node::Table>(&entry->node.value);
    if (labels == nullptr) {
      problems_.add_value("labels", entry->node.where, entry->node.text, "expected an object of strings");
      return group;
    }
    for (const Entry& label : *labels) {
      if (label.key.starts_with(kOurs)) {
        read_key(label, group);
      } else if (!label.key.starts_with("__")) {
        group.bytes += sizeof(Entry) + label.key.size() + label.node.text.size();
        std::get<Node::Table>(group.labels.value).push_back(label);
      }
    }
    return group;
  }

  void read_key(const Entry& label, GroupKeys& group) {
    const std::string_view key = std::string_view(label.key).substr(kOurs.size());
    if (key == "host" || key == "labels") {
      problems_.add(label.where, fmt::format("{}: {}", in_quotes(label.key),
                                             key == "host" ? "the target is the host"
                                                           : "labels are those that do not begin with \"__\""));
    } else if (!std::holds_alternative<std::string>(label.node.value)) {
      problems_.add_value(printable(label.key), label.node.where, label.node.text, "expected a string");
    } else {
      group.keys.push_back({std::string(key), label.where, as_key(key, label.node)});
    }
  }

  void refuse_shared_name(const GroupKeys& group) {
    const auto name = std::ranges::find(group.keys, "name", &Entry::key);
    if (name != group.keys.end()) {
      problems_.add_value("__ecmp_name", name->node.where, name->node.text,
                          "a name for several targets: give each a group of its own");
    }
  }

  void read_target(const Setting<std::string>& target, const GroupKeys& group) {
    Node table{target.where, target.text, group.keys};
    auto& entries = std::get<Node::Table>(table.value);
    const auto split = split_port(target.value);
    entries.push_back({"host", target.where, {target.where, target.text, std::string(split.host)}});
    if (split.port) {
      if (const auto given = std::ranges::find(group.keys, "port", &Entry::key); given != group.keys.end()) {
        problems_.add_value("__ecmp_port", given->node.where, given->node.text,
                            fmt::format("the target {} has a port already", in_quotes(target.value)));
      } else {
        entries.push_back({"port", target.where, {target.where, target.text, *split.port}});
      }
    }
    if (!std::get<Node::Table>(group.labels.value).empty()) entries.push_back({"labels", target.where, group.labels});
    placed_.push_back(read_found(std::move(table), base_, problems_));
  }

  struct HostAndPort {
    std::string_view host;
    std::optional<std::int64_t> port;
  };

  /// "192.0.2.1:443", "[2001:db8::1]:443", "name:443"; an address of IPv6 without brackets is only an address.
  static HostAndPort split_port(std::string_view target) {
    const std::size_t colon = target.rfind(':');
    if (colon == std::string_view::npos || IpAddress::parse(target)) return {target, std::nullopt};
    std::string_view host = target.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    std::int64_t port = 0;
    const char* const end = target.data() + target.size();
    const auto [stopped, error] = std::from_chars(target.data() + colon + 1, end, port);
    if (error != std::errc{} || stopped != end) return {target, std::nullopt};
    return {host, port};
  }

  const Config& base_;
  std::size_t label_bytes_ = 0;
};

}  // namespace

FoundOutcome parse_destinations(std::string_view text, std::string_view source, const Config& base) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  auto document = read_document(text, source);
  if (auto* problem = std::get_if<Problem>(&document)) return std::vector{std::move(*problem)};
  Problems problems;
  TableReader root(std::get<Node>(document), problems);
  auto placed =
      read_destinations(root, [&base](const Node& table, Problems& all) { return read_found(table, base, all); });
  root.refuse_unknown_keys();
  return outcome_of(std::move(placed), source, std::move(problems));
}

FoundOutcome parse_targets(std::string_view text, std::string_view source, const Config& base) {
  auto document = read_json(text);
  if (auto* problem = std::get_if<Problem>(&document)) return std::vector{std::move(*problem)};
  TargetReader reader(base);
  reader.read(std::get<Node>(document));
  return outcome_of(std::move(reader.placed_), source, std::move(reader.problems_));
}

}  // namespace ecmp::config
