#include "sim/scenario_fields.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <utility>

namespace ecmp::sim {

namespace {

constexpr Duration kLongest = std::chrono::hours(24 * 365);

/// "12.5ms" into 12.5 and "ms".
std::optional<std::pair<double, std::string_view>> split_unit(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  return std::pair{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::optional<Duration> duration_of(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, double>, 7> kUnits{
      {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}}};
  const auto split = split_unit(text);
  if (!split) return std::nullopt;
  for (const auto& [unit, nanoseconds] : kUnits) {
    const double value = split->first * nanoseconds;
    if (unit == split->second && value <= static_cast<double>(kLongest.count())) return Duration(std::llround(value));
  }
  return std::nullopt;
}

template <typename T, std::size_t N>
T read_word(const toml::node& node, const std::array<std::pair<std::string_view, T>, N>& words) {
  const std::string text = read_text(node);
  std::string choice;
  for (const auto& [word, value] : words) {
    if (word == text) return value;
    choice += (choice.empty() ? "" : ", ") + std::string(word);
  }
  complain(node, "\"" + text + "\" is none of " + choice);
}

constexpr std::array<std::pair<std::string_view, HashPolicy>, 4> kHashPolicies{
    {{"l4", HashPolicy::l4},
     {"l3", HashPolicy::l3},
     {"flow_label", HashPolicy::flow_label},
     {"per_packet", HashPolicy::per_packet}}};
constexpr std::array<std::pair<std::string_view, HashFunction>, 8> kHashFunctions{
    {{"ideal", HashFunction::ideal},
     {"crc16_bisync", HashFunction::crc16_bisync},
     {"crc16_ccitt", HashFunction::crc16_ccitt},
     {"crc32_upper", HashFunction::crc32_upper},
     {"crc32_lower", HashFunction::crc32_lower},
     {"xor16", HashFunction::xor16},
     {"toeplitz", HashFunction::toeplitz},
     {"siphash", HashFunction::siphash}}};
constexpr std::array<std::pair<std::string_view, PortState>, 3> kPortStates{
    {{"closed", PortState::closed}, {"open", PortState::open}, {"filtered", PortState::filtered}}};
constexpr std::array<std::pair<std::string_view, TcpStack>, 6> kTcpStacks{{{"stateless", TcpStack::stateless},
                                                                           {"linux", TcpStack::linux_kernel},
                                                                           {"freebsd", TcpStack::freebsd},
                                                                           {"windows", TcpStack::windows},
                                                                           {"gvisor", TcpStack::gvisor},
                                                                           {"lwip", TcpStack::lwip}}};
constexpr std::array<std::pair<std::string_view, NatQuote>, 3> kNatQuotes{
    {{"restored", NatQuote::restored}, {"checksum_left", NatQuote::checksum_left}, {"untouched", NatQuote::untouched}}};
constexpr std::array<std::pair<std::string_view, packet::ReplyKind>, 5> kRejections{
    {{"net_unreachable", packet::ReplyKind::net_unreachable},
     {"host_unreachable", packet::ReplyKind::host_unreachable},
     {"port_unreachable", packet::ReplyKind::port_unreachable},
     {"fragmentation_needed", packet::ReplyKind::fragmentation_needed},
     {"admin_prohibited", packet::ReplyKind::admin_prohibited}}};

constexpr std::array<std::pair<std::string_view, IcmpLimit::Model>, 3> kLimitModels{
    {{"bucket", IcmpLimit::Model::bucket},
     {"window", IcmpLimit::Model::window},
     {"collapse", IcmpLimit::Model::collapse}}};

constexpr std::array<std::pair<std::string_view, AnswerClass>, kAnswerClasses> kAnswerClassWords{
    {{"time_exceeded", AnswerClass::time_exceeded},
     {"unreachable", AnswerClass::unreachable},
     {"echo", AnswerClass::echo},
     {"tcp", AnswerClass::tcp}}};

bool is_false(const toml::node& node) {
  return node.is_boolean() && !read_flag(node);
}

/// `key = value` for a member that is read by `read`.
template <typename Subject, typename Member, typename Read>
void take(std::vector<std::function<void(Subject&)>>& patch, Fields& fields, std::string_view key,
          Member Subject::* member, Read read) {
  const toml::node* const node = fields.find(key);
  if (node == nullptr) return;
  Member value = read(*node);
  patch.push_back([member, value = std::move(value)](Subject& subject) { subject.*member = value; });
}

/// The same for a setting that `false` switches off.
template <typename T, typename Read>
void take_optional(NodePatch& patch, Fields& fields, std::string_view key, std::optional<T> Node::* member, Read read) {
  take(patch, fields, key, member, [&read](const toml::node& node) -> std::optional<T> {
    if (is_false(node)) return std::nullopt;
    return read(node);
  });
}

auto number_up_to(std::int64_t most) {
  return [most](const toml::node& node) { return static_cast<std::uint8_t>(read_number(node, 0, most)); };
}

IcmpLimit read_limit(const toml::node& node) {
  Fields fields(read_table(node));
  IcmpLimit limit;
  limit.rate = read_real(fields.require("rate"), 0, 1e9);
  if (const toml::node* burst = fields.find("burst")) limit.burst = read_real(*burst, 1, 1e9);
  if (const toml::node* model = fields.find("model")) limit.model = read_word(*model, kLimitModels);
  if (const toml::node* jitter = fields.find("jitter")) limit.jitter = read_real(*jitter, 0, 1e9);
  if (const toml::node* others = fields.find("others")) limit.others = read_real(*others, 0, 1e9);
  if (const toml::node* prober = fields.find("prober")) limit.prober = read_duration(*prober);
  if (const toml::node* cost = fields.find("random_cost")) limit.random_cost = read_flag(*cost);
  if (const toml::node* each = fields.find("each")) limit.each = read_flag(*each);
  if (const toml::node* queue = fields.find("queue")) limit.queue = read_duration(*queue);
  if (const toml::node* concerns = fields.find("concerns")) {
    limit.concerns = {};
    for (const toml::node& element : read_list(*concerns))
      limit.concerns[static_cast<std::size_t>(read_word(element, kAnswerClassWords))] = true;
  }
  fields.done();
  return limit;
}

Nat read_nat(const toml::node& node) {
  Fields fields(read_table(node));
  Nat nat;
  for (const toml::node& address : read_list(fields.require("addresses")))
    nat.address.set(read_address(address));
  if (const toml::node* offset = fields.find("port_offset"))
    nat.port_offset = static_cast<std::uint16_t>(read_number(*offset, 0, 65535));
  if (const toml::node* quote = fields.find("quote")) nat.quote = read_word(*quote, kNatQuotes);
  fields.done();
  return nat;
}

std::vector<packet::MplsLabel> read_mpls(const toml::node& node) {
  std::vector<packet::MplsLabel> stack;
  for (const toml::node& element : read_list(node)) {
    Fields fields(read_table(element));
    packet::MplsLabel entry;
    entry.label = static_cast<std::uint32_t>(read_number(fields.require("label"), 0, 0xfffff));
    entry.ttl = 1;
    if (const toml::node* tc = fields.find("tc"))
      entry.traffic_class = static_cast<std::uint8_t>(read_number(*tc, 0, 7));
    if (const toml::node* ttl = fields.find("ttl")) entry.ttl = static_cast<std::uint8_t>(read_number(*ttl, 0, 255));
    fields.done();
    stack.push_back(entry);
  }
  if (stack.size() > packet::MplsStack::kMaximum) complain(node, "a label stack of more than 8 entries");
  if (!stack.empty()) stack.back().bottom = true;
  return stack;
}

std::vector<packet::InterfaceInfo> read_interfaces(const toml::node& node) {
  using Role = packet::InterfaceInfo::Role;
  static constexpr std::array<std::pair<std::string_view, Role>, 4> kRoles{{{"incoming", Role::incoming},
                                                                            {"sub_ip", Role::sub_ip},
                                                                            {"outgoing", Role::outgoing},
                                                                            {"next_hop", Role::next_hop}}};
  constexpr std::int64_t kMost = 0xffffffff;
  std::vector<packet::InterfaceInfo> interfaces;
  for (const toml::node& element : read_list(node)) {
    Fields fields(read_table(element));
    packet::InterfaceInfo told;
    if (const toml::node* role = fields.find("role")) told.role = read_word(*role, kRoles);
    if (const toml::node* index = fields.find("index"))
      told.index = static_cast<std::uint32_t>(read_number(*index, 0, kMost));
    if (const toml::node* mtu = fields.find("mtu")) told.mtu = static_cast<std::uint32_t>(read_number(*mtu, 0, kMost));
    if (const toml::node* address = fields.find("address")) told.address = read_address(*address);
    if (const toml::node* name = fields.find("name")) told.name = read_text(*name);
    if (told.name.size() > packet::InterfaceInfo::kLongestName) complain(element, "a name of more than 63 bytes");
    fields.done();
    interfaces.push_back(std::move(told));
  }
  if (interfaces.size() > packet::ReplyNotes::kMostInterfaces) complain(node, "more than 4 interfaces");
  return interfaces;
}

PortPolicy read_ports(const toml::node& node) {
  PortPolicy policy;
  if (node.is_string()) {
    policy.others = read_word(node, kPortStates);
    return policy;
  }
  Fields fields(read_table(node));
  if (const toml::node* others = fields.find("others")) policy.others = read_word(*others, kPortStates);
  for (const auto& [word, state] : kPortStates) {
    const toml::node* const ports = fields.find(word);
    if (ports == nullptr) continue;
    for (const toml::node& port : read_list(*ports))
      policy.listed.emplace_back(static_cast<std::uint16_t>(read_number(port, 0, 65535)), state);
  }
  fields.done();
  return policy;
}

/// Addresses, with a prefix length ("198.51.100.0/24") at destinations.
void take_addresses(NodePatch& patch, const toml::node& list, NodeKind kind) {
  for (const toml::node& element : read_list(list)) {
    const std::string text = read_text(element);
    const std::size_t slash = text.find('/');
    const auto address = IpAddress::parse(std::string_view(text).substr(0, slash));
    if (!address) complain(element, "\"" + text + "\" is no address");
    const std::uint8_t longest = address->is_v4() ? 32 : 128;
    std::uint8_t bits = longest;
    if (slash != std::string::npos) {
      if (kind != NodeKind::destination) complain(element, "only a destination can have a prefix of addresses");
      const char* const end = text.data() + text.size();
      const auto [stop, error] = std::from_chars(text.data() + slash + 1, end, bits);
      if (error != std::errc{} || stop != end || bits > longest) complain(element, "\"" + text + "\" is no prefix");
    }
    patch.push_back([address = *address, bits](Node& subject) {
      subject.addresses.set(address);
      (address.is_v4() ? subject.v4_prefix : subject.v6_prefix) = bits;
    });
  }
}

void read_replies(NodePatch& patch, Fields& fields) {
  take(patch, fields, "silent", &Node::silent, read_flag);
  take(patch, fields, "reply_loss", &Node::reply_loss, read_probability);
  take_optional(patch, fields, "icmp_limit", &Node::icmp_limit, read_limit);
  take(patch, fields, "box", &Node::box, read_text);
  take(patch, fields, "reply_ttl", &Node::reply_ttl,
       [](const toml::node& node) { return static_cast<std::uint8_t>(read_number(node, 1, 255)); });
  take_optional(patch, fields, "quoted_ttl", &Node::quoted_ttl, number_up_to(255));
  take(patch, fields, "mpls", &Node::mpls, read_mpls);
  take(patch, fields, "interfaces", &Node::interfaces, read_interfaces);
  take(patch, fields, "quote", &Node::quote_bytes, [](const toml::node& node) -> std::optional<std::uint16_t> {
    if (node.is_string() && read_text(node) == "full") return std::nullopt;
    return static_cast<std::uint16_t>(read_number(node, 8, 1500));
  });
  if (const toml::node* node = fields.find("processing"))
    patch.push_back([fixed = read_duration(*node)](Node& subject) { subject.processing.fixed = fixed; });
  if (const toml::node* node = fields.find("processing_jitter")) {
    Delay jitter;
    read_jitter(*node, jitter);
    patch.push_back([jitter](Node& subject) {
      subject.processing.shape = jitter.shape;
      subject.processing.scale = jitter.scale;
    });
  }
}

}  // namespace

void complain(const toml::node& where, const std::string& message) {
  throw ScenarioProblem{where.source().begin, message};
}

const toml::node* Fields::find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

const toml::node& Fields::require(std::string_view key) {
  const toml::node* const node = find(key);
  if (node == nullptr) complain(table_, "\"" + std::string(key) + "\" is missing");
  return *node;
}

void Fields::done() const {
  for (const auto& [key, value] : table_) {
    if (!known_.contains(key.str()))
      throw ScenarioProblem{key.source().begin, "unknown key \"" + std::string(key.str()) + "\""};
  }
}

std::string read_text(const toml::node& node) {
  const auto* text = node.as_string();
  if (text == nullptr) complain(node, "a string is expected here");
  return text->get();
}

bool read_flag(const toml::node& node) {
  const auto* flag = node.as_boolean();
  if (flag == nullptr) complain(node, "true or false is expected here");
  return flag->get();
}

std::int64_t read_number(const toml::node& node, std::int64_t least, std::int64_t most) {
  const auto* number = node.as_integer();
  if (number == nullptr || number->get() < least || number->get() > most)
    complain(node, "a whole number of " + std::to_string(least) + " to " + std::to_string(most) + " is expected here");
  return number->get();
}

double read_real(const toml::node& node, double least, double most) {
  const std::optional<double> number = node.value<double>();
  if (!number || !(*number >= least && *number <= most)) {
    std::ostringstream text;
    text << "a number of " << least << " to " << most << " is expected here";
    complain(node, text.str());
  }
  return *number;
}

const toml::array& read_list(const toml::node& node) {
  const auto* list = node.as_array();
  if (list == nullptr) complain(node, "a list is expected here");
  return *list;
}

const toml::table& read_table(const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) complain(node, "a table is expected here");
  return *table;
}

std::vector<std::string> read_texts(const toml::node& node) {
  std::vector<std::string> texts;
  for (const toml::node& element : read_list(node))
    texts.push_back(read_text(element));
  return texts;
}

Duration read_duration(const toml::node& node) {
  const std::string text = read_text(node);
  const auto duration = duration_of(text);
  if (!duration) complain(node, "\"" + text + "\" is no duration (as 250us, 1.5ms, 30s, 2h)");
  return *duration;
}

Probability read_probability(const toml::node& node) {
  if (!node.is_string()) return Probability::of(read_real(node, 0, 1));
  const std::string text = read_text(node);
  const auto split = split_unit(text);
  if (!split || split->second != "%" || split->first > 100)
    complain(node, "\"" + text + "\" is no probability (as \"10%\" or 0.1)");
  return Probability::of(split->first / 100);
}

void read_jitter(const toml::node& node, Delay& delay) {
  static constexpr std::array<std::pair<std::string_view, JitterShape>, 4> kShapes{
      {{"uniform", JitterShape::uniform},
       {"normal", JitterShape::normal},
       {"exponential", JitterShape::exponential},
       {"pareto", JitterShape::pareto}}};
  const std::string text = read_text(node);
  delay.shape = JitterShape::none;
  if (text == "none") return;
  const std::size_t space = text.find(' ');
  for (const auto& [word, shape] : kShapes) {
    if (space == std::string::npos || word != text.substr(0, space)) continue;
    const auto scale = duration_of(std::string_view(text).substr(space + 1));
    if (!scale) break;
    delay.shape = shape;
    delay.scale = *scale;
    return;
  }
  complain(node, "\"" + text + "\" is no jitter (as \"uniform|normal|exponential|pareto 200us\", or \"none\")");
}

IpAddress read_address(const toml::node& node) {
  const std::string text = read_text(node);
  const auto address = IpAddress::parse(text);
  if (!address) complain(node, "\"" + text + "\" is no address");
  return *address;
}

NodePatch read_node_patch(Fields& fields, NodeKind kind) {
  NodePatch patch;
  if (const toml::node* addresses = fields.find("addresses")) take_addresses(patch, *addresses, kind);
  if (kind != NodeKind::destination) {
    take(patch, fields, "hash", &Node::hash, [](const toml::node& node) { return read_word(node, kHashPolicies); });
    take(patch, fields, "hash_seed", &Node::hash_seed, [](const toml::node& node) {
      return static_cast<std::uint64_t>(read_number(node, 1, std::numeric_limits<std::int64_t>::max()));
    });
    take(patch, fields, "hash_function", &Node::hash_function,
         [](const toml::node& node) { return read_word(node, kHashFunctions); });
    take(patch, fields, "hash_ttl", &Node::hash_ttl, read_flag);
  }
  if (kind == NodeKind::agent) {
    take(patch, fields, "kernel_resets", &Node::kernel_resets, read_flag);
    return patch;
  }
  take(patch, fields, "down", &Node::down, read_flag);
  take_optional(patch, fields, "reject", &Node::reject,
                [](const toml::node& node) { return read_word(node, kRejections); });
  read_replies(patch, fields);
  if (kind == NodeKind::router) {
    take(patch, fields, "hidden", &Node::hidden, read_flag);
    take(patch, fields, "flowlet", &Node::flowlet, read_duration);
    take(patch, fields, "drop", &Node::drop, read_probability);
    take(patch, fields, "black_hole", &Node::black_hole, read_flag);
    take_optional(patch, fields, "nat", &Node::nat, read_nat);
    take_optional(patch, fields, "dscp", &Node::dscp, number_up_to(63));
    take_optional(patch, fields, "ecn", &Node::ecn, number_up_to(3));
    take_optional(patch, fields, "mtu", &Node::mtu,
                  [](const toml::node& node) { return static_cast<std::uint16_t>(read_number(node, 28, 65535)); });
  } else {
    take(patch, fields, "udp", &Node::udp, read_ports);
    take(patch, fields, "tcp", &Node::tcp, read_ports);
    take(patch, fields, "tcp_stack", &Node::tcp_stack,
         [](const toml::node& node) { return read_word(node, kTcpStacks); });
    take(patch, fields, "udp_answer", &Node::udp_answer, [](const toml::node& node) {
      const std::string text = read_text(node);
      if (text.size() > 1400) complain(node, "an answer of more than 1400 bytes");
      return text;
    });
    take(patch, fields, "echo", &Node::echo, read_flag);
    take(patch, fields, "gateway", &Node::gateway, read_flag);
  }
  return patch;
}

LinkPatch read_link_patch(Fields& fields) {
  LinkPatch patch;
  take(patch, fields, "loss", &Link::loss, read_probability);
  take(patch, fields, "duplicate", &Link::duplicate, read_probability);
  take(patch, fields, "down", &Link::down, read_flag);
  if (const toml::node* node = fields.find("delay"))
    patch.push_back([fixed = read_duration(*node)](Link& link) { link.delay.fixed = fixed; });
  if (const toml::node* node = fields.find("jitter")) {
    Delay jitter;
    read_jitter(*node, jitter);
    patch.push_back([jitter](Link& link) {
      link.delay.shape = jitter.shape;
      link.delay.scale = jitter.scale;
    });
  }
  return patch;
}

}  // namespace ecmp::sim
