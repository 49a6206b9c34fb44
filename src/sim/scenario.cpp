#include "sim/scenario.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <sstream>

#include "sim/scenario_fields.hpp"
#include "sim/wires.hpp"

namespace ecmp::sim {

namespace {

constexpr std::string_view kAgent = "agent";

IpAddress numbered(std::string_view base, unsigned number) {
  const IpAddress address = *IpAddress::parse(base);
  if (address.is_v4()) return IpAddress::v4(load32(address.bytes(), 0) + number);
  std::array<std::uint8_t, 16> bytes{};
  std::ranges::copy(address.bytes(), bytes.begin());
  store16(bytes, 14, static_cast<std::uint16_t>(number));
  return IpAddress::v6(bytes);
}

/// "*" matches everything, "b*" what begins with b, "b1" only b1.
bool matches(std::string_view pattern, std::string_view name) {
  if (!pattern.ends_with('*')) return pattern == name;
  return name.starts_with(pattern.substr(0, pattern.size() - 1));
}

/// Tables by pattern, the general ones first, so that the special ones have the last word.
std::vector<std::pair<const toml::key*, const toml::table*>> by_pattern(const toml::table& tables) {
  std::vector<std::pair<const toml::key*, const toml::table*>> sorted;
  for (const auto& [key, value] : tables)
    sorted.emplace_back(&key, &read_table(value));
  std::ranges::stable_sort(sorted, {}, [](const auto& entry) {
    const std::string_view text = entry.first->str();
    return std::pair{text.find('*') == std::string_view::npos, text.size()};
  });
  return sorted;
}

[[noreturn]] void complain(const toml::key& where, const std::string& message) {
  throw ScenarioProblem{where.source().begin, message};
}

/// The patch of the link itself, and that of the way back.
void patch_link(Topology& topology, LinkId link, const std::array<LinkPatch, 2>& patches) {
  apply_patch(patches[0], topology.links[link]);
  apply_patch(patches[1], topology.links[link ^ 1u]);
}

/// Builds a scenario from the parsed file, in the order in which one thing needs another.
class Loader {
 public:
  explicit Loader(const toml::table& root) : fields_(root) {}

  Scenario load();

 private:
  void read_wires();
  void read_nodes(std::string_view table, NodeKind kind);
  void read_links();
  void read_routes();
  void read_changes();
  void read_change(const toml::table& table);
  void add_node(const std::string& name);
  void check();

  Change base_change(Fields& fields);
  void add_change(Change change, bool converges);
  StaticRoute read_route(Fields& fields);
  NodeId node_named(const toml::node& node);
  LinkId link_named(const toml::node& node);
  /// A link's patches by direction: those of the table itself hold for both.
  std::array<LinkPatch, 2> read_link(Fields& fields);

  Fields fields_;
  Scenario scenario_;
  const toml::table* destinations_ = nullptr;
  bool v4_ = true;
  bool v6_ = true;
  unsigned routers_ = 0;
  std::optional<Duration> convergence_;
};

Scenario Loader::load() {
  if (const toml::node* about = fields_.find("about")) scenario_.about = read_text(*about);
  if (const toml::node* family = fields_.find("family")) {
    const std::string word = read_text(*family);
    if (word != "ipv4" && word != "ipv6" && word != "both")
      sim::complain(*family, "\"" + word + "\" is none of ipv4, ipv6, both");
    v4_ = word != "ipv6";
    v6_ = word != "ipv4";
  }
  if (const toml::node* convergence = fields_.find("convergence")) convergence_ = read_duration(*convergence);
  destinations_ = &read_table(fields_.require("destination"));
  read_wires();
  if (const toml::node* agent = fields_.find(kAgent)) {
    Fields own(read_table(*agent));
    apply_patch(read_node_patch(own, NodeKind::agent), scenario_.topology.nodes[scenario_.topology.agent()]);
    own.done();
  }
  read_nodes("router", NodeKind::router);
  read_nodes("destination", NodeKind::destination);
  read_links();
  read_routes();
  read_changes();
  fields_.done();
  check();
  return std::move(scenario_);
}

void Loader::add_node(const std::string& name) {
  Topology& topology = scenario_.topology;
  if (topology.find(name)) return;
  Node node;
  node.name = name;
  std::string_view v4 = "10.1.0.0";
  std::string_view v6 = "2001:db8:1::";
  unsigned number = 0;
  if (name == kAgent) {
    node.kind = NodeKind::agent;
    v4 = "192.0.2.0";
    v6 = "2001:db8::";
    number = 1;
  } else if (destinations_->contains(name)) {
    node.kind = NodeKind::destination;
    v4 = "198.51.100.0";
    v6 = "2001:db8:2::";
    number = static_cast<unsigned>(topology.destinations.size()) + 1;
  } else {
    node.reply_ttl = 255;  // what routers start with, where hosts take 64
    number = ++routers_;
  }
  if (v4_) node.addresses.v4 = numbered(v4, number);
  if (v6_) node.addresses.v6 = numbered(v6, number);
  topology.add_node(std::move(node));
}

void Loader::read_wires() {
  Topology& topology = scenario_.topology;
  const toml::node& wires = fields_.require("wires");
  add_node(std::string(kAgent));
  for (const toml::node& line : read_list(wires)) {
    const auto pairs = parse_wires(read_text(line));
    if (!pairs) sim::complain(line, pairs.error());
    for (const auto& [left, right] : *pairs) {
      add_node(left);
      add_node(right);
      const NodeId a = topology.node_id(left);
      const NodeId b = topology.node_id(right);
      if (a == b) sim::complain(line, fmt::format("\"{}\" is connected to itself", left));
      if (topology.find_link(a, b)) sim::complain(line, fmt::format("{}-{} is there already", left, right));
      if (topology.nodes.size() > 20000 || topology.links.size() > 60000) sim::complain(line, "too large a network");
      topology.add_link(a, b);
    }
  }
  for (const auto& [key, value] : *destinations_) {
    if (!topology.find(key.str())) complain(key, "destination \"" + std::string(key.str()) + "\" is not wired");
  }
}

void Loader::read_nodes(std::string_view table, NodeKind kind) {
  const toml::node* const tables = fields_.find(table);
  if (tables == nullptr) return;
  for (const auto& [key, entry] : by_pattern(read_table(*tables))) {
    Fields fields(*entry);
    const NodePatch patch = read_node_patch(fields, kind);
    fields.done();
    bool found = false;
    for (Node& node : scenario_.topology.nodes) {
      if (node.kind != kind || !matches(key->str(), node.name)) continue;
      apply_patch(patch, node);
      found = true;
    }
    if (!found) complain(*key, "no " + std::string(table) + " \"" + std::string(key->str()) + "\" is wired");
  }
}

std::array<LinkPatch, 2> Loader::read_link(Fields& fields) {
  const LinkPatch both = read_link_patch(fields);
  std::array<LinkPatch, 2> patches{both, both};
  for (const auto& [word, index] : {std::pair{"forward", 0u}, std::pair{"return", 1u}}) {
    const toml::node* const node = fields.find(word);
    if (node == nullptr) continue;
    Fields own(read_table(*node));
    const LinkPatch patch = read_link_patch(own);
    own.done();
    patches[index].insert(patches[index].end(), patch.begin(), patch.end());
  }
  return patches;
}

void Loader::read_links() {
  const toml::node* const tables = fields_.find("link");
  if (tables == nullptr) return;
  Topology& topology = scenario_.topology;
  for (const auto& [key, entry] : by_pattern(read_table(*tables))) {
    const std::string_view text = key->str();
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos && text != "*") complain(*key, "a link is named \"from-to\", or \"*\" for all");
    const std::string_view from = text.substr(0, dash);
    const std::string_view to = dash == std::string_view::npos ? text : text.substr(dash + 1);
    Fields fields(*entry);
    const auto patches = read_link(fields);
    Addresses ingress;
    if (const toml::node* addresses = fields.find("addresses")) {
      for (const toml::node& address : read_list(*addresses))
        ingress.set(read_address(address));
    }
    fields.done();
    bool found = false;
    const auto links = static_cast<LinkId>(topology.links.size());
    for (LinkId link = 0; link < links; ++link) {
      const std::string& left = topology.nodes[topology.links[link].from].name;
      const std::string& right = topology.nodes[topology.links[link].to].name;
      // "*" alone means every cable once, as it is written in the wires: its directions must not be patched twice.
      if (!matches(from, left) || !matches(to, right) || (text == "*" && link % 2 == 1)) continue;
      patch_link(topology, link, patches);
      for (const Family family : {Family::ipv4, Family::ipv6}) {
        if (!ingress.of(family).is_unspecified()) topology.links[link].ingress.set(ingress.of(family));
      }
      found = true;
    }
    if (!found) complain(*key, "no link \"" + std::string(text) + "\" is wired");
  }
}

NodeId Loader::node_named(const toml::node& node) {
  const std::string name = read_text(node);
  const auto id = scenario_.topology.find(name);
  if (!id) sim::complain(node, "no node \"" + name + "\" is wired");
  return *id;
}

StaticRoute Loader::read_route(Fields& fields) {
  const Topology& topology = scenario_.topology;
  StaticRoute route;
  route.at = node_named(fields.require("at"));
  if (const toml::node* to = fields.find("to")) {
    route.to = node_named(*to);
    if (topology.nodes[route.to].kind != NodeKind::destination) sim::complain(*to, "a route leads to a destination");
  }
  const toml::node& via = fields.require("via");
  for (const toml::node& element : read_list(via)) {
    const auto link = topology.find_link(route.at, node_named(element));
    if (!link) sim::complain(element, "no link to \"" + read_text(element) + "\"");
    route.next_hops.links.push_back(*link);
  }
  const toml::node* const weights = fields.find("weights");
  if (weights == nullptr) return route;
  std::uint32_t sum = 0;
  for (const toml::node& weight : read_list(*weights)) {
    sum += static_cast<std::uint32_t>(read_number(weight, 1, 10000));
    route.next_hops.cumulative.push_back(sum);
  }
  if (route.next_hops.cumulative.size() != route.next_hops.links.size())
    sim::complain(*weights, "as many weights as next hops are expected");
  return route;
}

void Loader::read_routes() {
  const toml::node* const routes = fields_.find("route");
  if (routes == nullptr) return;
  for (const toml::node& element : read_list(*routes)) {
    Fields fields(read_table(element));
    scenario_.topology.set_route(read_route(fields));
    fields.done();
  }
}

void Loader::read_changes() {
  const toml::node* const changes = fields_.find("change");
  if (changes == nullptr) return;
  for (const toml::node& element : read_list(*changes))
    read_change(read_table(element));
}

void Loader::add_change(Change change, bool converges) {
  if (converges && convergence_) {
    scenario_.changes.push_back(
        {change.at + *convergence_, "converged", [](Topology& topology) { topology.compute_routes(); }});
  }
  scenario_.changes.push_back(std::move(change));
}

LinkId Loader::link_named(const toml::node& node) {
  const std::string text = read_text(node);
  const std::size_t dash = text.find('-');
  const Topology& topology = scenario_.topology;
  if (dash != std::string::npos) {
    const auto from = topology.find(text.substr(0, dash));
    const auto to = topology.find(text.substr(dash + 1));
    const auto link = from && to ? topology.find_link(*from, *to) : std::nullopt;
    if (link) return *link;
  }
  sim::complain(node, "no link \"" + text + "\" is wired");
}

/// A change says one thing: `link` or `node` with new values of any of their keys, `route`, or `send_error`. With
/// `for`, everything about it is as it was in the beginning again after that time.
void Loader::read_change(const toml::table& table) {
  static constexpr std::array<std::pair<std::string_view, SendError>, 4> kSendErrors{
      {{"no_route", SendError::no_route},
       {"no_permission", SendError::no_permission},
       {"no_buffers", SendError::no_buffers},
       {"link_down", SendError::link_down}}};
  Fields fields(table);
  Change change;
  change.at = read_duration(fields.require("at"));
  if (const toml::node* what = fields.find("what")) change.what = read_text(*what);
  std::optional<Duration> lasts;
  if (const toml::node* node = fields.find("for")) lasts = read_duration(*node);
  std::function<void(Topology&)> undo;
  bool converges = false;

  const Topology& topology = scenario_.topology;
  if (const toml::node* link = fields.find("link")) {
    const LinkId id = link_named(*link);
    converges = fields.find("down") != nullptr;
    change.apply = [patches = read_link(fields), id](Topology& now) { patch_link(now, id, patches); };
    undo = [id, first = topology.links[id], second = topology.links[id ^ 1u]](Topology& now) {
      now.links[id] = first;
      now.links[id ^ 1u] = second;
    };
  } else if (const toml::node* node = fields.find("node")) {
    const NodeId id = node_named(*node);
    converges = fields.find("down") != nullptr;
    change.apply = [patch = read_node_patch(fields, topology.nodes[id].kind), id](Topology& now) {
      apply_patch(patch, now.nodes[id]);
    };
    undo = [id, before = topology.nodes[id]](Topology& now) {
      const std::uint64_t seed = now.nodes[id].hash_seed;
      now.nodes[id] = before;
      if (before.hash_seed == 0) now.nodes[id].hash_seed = seed;  // the network has chosen one since
    };
  } else if (const toml::node* route = fields.find("route")) {
    Fields own(read_table(*route));
    change.apply = [set = read_route(own)](Topology& now) { now.set_route(set); };
    own.done();
    if (lasts) sim::complain(*route, "\"for\" is not for routes: write a second change");
  } else if (const toml::node* error = fields.find("send_error")) {
    const std::string word = read_text(*error);
    const auto found = std::ranges::find(kSendErrors, word, &std::pair<std::string_view, SendError>::first);
    if (found == kSendErrors.end()) sim::complain(*error, "\"" + word + "\" is no send error");
    change.apply = [reason = found->second](Topology& now) { now.send_error = reason; };
    undo = [](Topology& now) { now.send_error = SendError::none; };
    if (!lasts) sim::complain(*error, "\"send_error\" needs \"for\"");
  } else {
    sim::complain(table, "a change names a link, a node, a route or a send_error");
  }
  fields.done();
  const Duration end = change.at + lasts.value_or(Duration{});
  add_change(std::move(change), converges);
  if (lasts) add_change({end, "as before", std::move(undo)}, converges);
}

void Loader::check() {
  const Topology& topology = scenario_.topology;
  if (topology.destinations.empty()) sim::complain(fields_.table(), "no destination");
  if (topology.links_from(topology.agent()).empty()) sim::complain(fields_.table(), "the agent is not wired");
}

}  // namespace

Result<Scenario> parse_scenario(std::string_view text, std::string_view file) {
  const auto located = [&file](const toml::source_position& place, std::string_view message) {
    std::ostringstream line;
    line << file << ':' << place.line << ':' << place.column << ": " << message;
    return Error{line.str()};
  };
  try {
    const toml::table root = toml::parse(text, std::string(file));
    return Loader(root).load();
  } catch (const toml::parse_error& error) {
    return located(error.source().begin, error.description());
  } catch (const ScenarioProblem& problem) {
    return located(problem.place, problem.message);
  }
}

}  // namespace ecmp::sim
