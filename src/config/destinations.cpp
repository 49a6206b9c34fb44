#include "config/destinations.hpp"

#include <array>
#include <fmt/format.h>

#include "config/host.hpp"
#include "config/quantity.hpp"
#include "config/text.hpp"
#include "packet/probe_datagram.hpp"

namespace ecmp::config {

namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::string_view kName = "a name of at most 255 characters, none of them a control character";
constexpr std::string_view kHost = "an address or a host name";

// Labels that ecmp_destination_info has already.
constexpr std::array<std::string_view, 5> kReservedLabels = {"destination", "address", "family", "protocol", "port"};

bool is_label_name(std::string_view name) {
  const auto letter = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
  };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char byte) { return letter(byte) || (byte >= '0' && byte <= '9'); });
}

std::string_view family_name(Family family) {
  return family == Family::ipv4 ? "IPv4" : "IPv6";
}

/// Reads one [[destination]].
class DestinationReader {
 public:
  DestinationReader(const Node& node, const ProbeKeys& defaults, const Limits& limits, Problems& problems, bool mesh)
      : reader_(node, problems), defaults_(defaults), limits_(limits), own_(read_probe_keys(reader_, limits)) {
    out_.where = out_.name_where = out_.ports_where = node.where;
    out_.destination.mesh = mesh;
  }

  PlacedDestination read() {
    read_host();
    read_name();
    read_all();
    read_labels();
    reader_.refuse_unknown_keys();
    fill_in();
    check_combinations(own_, defaults_, limits_, reader_.problems());
    check_port();
    check_family();
    check_packet_size();
    return std::move(out_);
  }

 private:
  void read_host() {
    if (reader_.entry("host") == nullptr) {
      reader_.problems().add(reader_.where(), "[[destination]] without host");
      return;
    }
    host_ = reader_.string("host", kHost);
    if (!host_) return;
    auto host = parse_host(host_->value);
    if (!host.ok()) {
      reader_.refuse("host", *host_, host.error());
      host_.reset();
      return;
    }
    out_.destination.host = std::move(host->name);
    out_.destination.address = host->address;
  }

  void read_name() {
    const auto name = reader_.string("name", kName);
    if (reader_.broken("name")) return;
    if (!name) {
      if (host_) {
        out_.destination.name = std::string(out_.destination.mesh ? kMeshName : "") + host_->value;
        out_.name_where = host_->where;
        out_.name_text = host_->text;
      }
      return;
    }
    if (name->value.empty() || name->value.size() > kLongestName || has_control(name->value)) {
      reader_.refuse("name", *name, fmt::format("expected {}", kName));
      return;
    }
    out_.destination.name = name->value;
    out_.name_where = name->where;
    out_.name_text = name->text;
    out_.named = true;
  }

  void read_all() {
    const auto all = reader_.boolean("all");
    if (!all) return;
    if (all->value && out_.destination.address)
      reader_.refuse("all", *all, fmt::format("host = {} is an address, and all is for host names", host_->text));
    out_.destination.all = all->value;
  }

  void read_labels() {
    const Node* table = reader_.table("labels");
    if (table == nullptr) return;
    for (const Entry& label : std::get<Node::Table>(table->value)) {
      const auto* value = std::get_if<std::string>(&label.node.value);
      Problems& problems = reader_.problems();
      if (!is_label_name(label.key)) {
        problems.add(label.where, fmt::format("label {}: expected a name of letters, digits and underscores that does "
                                              "not begin with a digit",
                                              in_quotes(label.key)));
      } else if (label.key.starts_with("__")) {
        problems.add(label.where,
                     fmt::format("label {}: names that begin with \"__\" are Prometheus' own", in_quotes(label.key)));
      } else if (std::ranges::find(kReservedLabels, label.key) != kReservedLabels.end()) {
        problems.add(label.where, fmt::format("label {}: ecmp_destination_info has a label of this name already",
                                              in_quotes(label.key)));
      } else if (value == nullptr || !is_utf8(*value)) {
        problems.add_value(label.key, label.node.where, label.node.text, "expected a string");
      } else {
        out_.destination.labels.emplace_back(label.key, *value);
      }
    }
    std::ranges::sort(out_.destination.labels);
  }

  /// The value this table gives, or else the one of [probe], or else the one the code has.
  template <typename T, typename U>
  static void fill(T& value, const std::optional<Setting<U>>& own, const std::optional<Setting<U>>& inherited) {
    if (own) {
      value = static_cast<T>(own->value);
    } else if (inherited) {
      value = static_cast<T>(inherited->value);
    }
  }

  void fill_in() {
    Destination& to = out_.destination;
    fill(to.protocol, own_.protocol, defaults_.protocol);
    fill(to.stamp, own_.stamp, defaults_.stamp);
    fill(to.packet_interval, own_.packet_interval, defaults_.packet_interval);
    fill(to.key_file, own_.key_file, defaults_.key_file);
    fill(to.family, own_.family, defaults_.family);
    to.flows = static_cast<std::uint16_t>(flows_of(own_, defaults_, limits_));
    const auto& flows = own_.flows ? own_.flows : defaults_.flows;
    if (flows && flows->value == kAutoFlows) {
      AutoFlows& search = to.auto_flows.emplace();
      fill(search.confidence, own_.confidence, defaults_.confidence);
      fill(search.p_min, own_.p_min, defaults_.p_min);
      fill(search.min_flows_per_path, own_.min_flows_per_path, defaults_.min_flows_per_path);
      fill(search.rediscover, own_.rediscover, defaults_.rediscover);
    }
    if (const auto& first = first_port_of(own_, defaults_)) to.source_port = static_cast<std::uint16_t>(first->value);
    fill(to.source_ports, own_.source_ports, defaults_.source_ports);
    fill(to.interval, own_.interval, defaults_.interval);
    fill(to.timeout, own_.timeout, defaults_.timeout);
    fill(to.max_ttl, own_.max_ttl, defaults_.max_ttl);
    fill(to.packet_size, own_.packet_size, defaults_.packet_size);
    fill(to.dscp, own_.dscp, defaults_.dscp);
    fill(to.confirm_rounds, own_.confirm_rounds, defaults_.confirm_rounds);
    fill(to.expected_paths, own_.expected_paths, defaults_.expected_paths);

    to.port = usual_port(to);
    fill(to.port, own_.port, defaults_.port);
    to.port = port_of(to.protocol, to.port);

    fill(to.source_address, own_.source_address, defaults_.source_address);
    fill(to.interface, own_.interface, defaults_.interface);
    fill(to.fwmark, own_.fwmark, defaults_.fwmark);

    if (own_.source_port) {
      out_.ports_where = own_.source_port->where;
    } else if (own_.max_flows) {
      out_.ports_where = own_.max_flows->where;
    } else if (own_.flows) {
      out_.ports_where = own_.flows->where;
    }
    const bool inherits_broken =
        defaults_.identity_broken && !(own_.protocol && own_.flows && (own_.source_port || own_.source_ports));
    out_.identity_known = host_.has_value() && !own_.identity_broken && !inherits_broken;
  }

  /// Keys that mean nothing without streams; in [probe] they are for those that have them.
  void check_stamp() {
    const Destination& to = out_.destination;
    const auto only = [&](const auto& own, std::string_view key) {
      if (own && !to.stamp) reader_.refuse(key, *own, "only of protocol = \"stamp\"");
    };
    only(own_.packet_interval, "packet_interval");
    only(own_.key_file, "key_file");
    if (to.mesh && own_.protocol) reader_.refuse("protocol", *own_.protocol, "agents of a mesh are measured by STAMP");
  }

  void check_port() {
    check_stamp();
    if (has_ports(out_.destination.protocol) || !own_.port) return;
    reader_.refuse("port", *own_.port, "ICMP has no ports");
  }

  /// Host, family and source_address must be of one family. Told at the one of them that stands in this destination.
  void check_family() {
    Destination& to = out_.destination;
    const auto& family = own_.family ? own_.family : defaults_.family;
    const std::optional<Family> chosen = to.family == FamilyChoice::any    ? std::nullopt
                                         : to.family == FamilyChoice::ipv4 ? std::optional(Family::ipv4)
                                                                           : std::optional(Family::ipv6);
    if (to.address && chosen && to.address->family() != *chosen) {
      reader_.refuse("host", *host_,
                     fmt::format("an {} address, but family = {} ({})", family_name(to.address->family()), family->text,
                                 place_of(*family)));
      return;
    }
    if (const auto wrong = to.address ? wrong_with_link(*to.address, to.interface) : ""; !wrong.empty())
      reader_.refuse("host", *host_, wrong);
    if (!to.source_address) return;
    const bool own_source = own_.source_address.has_value();
    const auto& source = own_source ? own_.source_address : defaults_.source_address;
    const Family from = to.source_address->family();
    const std::optional<Family> needed = to.address ? std::optional(to.address->family()) : chosen;
    if (!needed) {
      // A name may have addresses of both families: only those can be reached that this address can be the source of.
      to.family = from == Family::ipv4 ? FamilyChoice::ipv4 : FamilyChoice::ipv6;
    } else if (*needed != from) {
      const std::string what =
          fmt::format("an {} address, but the destination is {}", family_name(from), family_name(*needed));
      if (own_source) {
        reader_.refuse("source_address", *source, what);
      } else if (host_) {
        reader_.refuse("host", *host_,
                       fmt::format("source_address = {} ({}) is {}", source->text, place_of(*source), what));
      }
    }
  }

  /// The size of [probe] serves destinations of every kind, and is raised for those that need more; one that was
  /// chosen for this very destination is not.
  void check_packet_size() {
    Destination& to = out_.destination;
    const bool v6 = to.address ? !to.address->is_v4() : to.family == FamilyChoice::ipv6;
    const Family family = v6 ? Family::ipv6 : Family::ipv4;
    const bool sealed = !to.key_file.empty();
    const std::size_t bytes = to.mesh    ? packet::own_stamp_size(family, sealed)
                              : to.stamp ? packet::minimum_stamp_size(family, sealed)
                                         : packet::minimum_size(family, to.protocol);
    const auto least = static_cast<std::uint16_t>(bytes);
    if (to.packet_size >= least) return;
    if (own_.packet_size) {
      reader_.refuse(
          "packet_size", *own_.packet_size,
          fmt::format("a probe of {} over {} has at least {} bytes", protocol_name(to), v6 ? "IPv6" : "IPv4", least));
    }
    to.packet_size = least;
  }

  TableReader reader_;
  const ProbeKeys& defaults_;
  const Limits& limits_;
  ProbeKeys own_;
  std::optional<Setting<std::string>> host_;
  PlacedDestination out_;
};

}  // namespace

std::uint16_t usual_port(const Destination& destination) {
  return destination.stamp ? stamp::kPort : traits(destination.protocol).usual_port;
}

PlacedDestination read_destination(const Node& table, const ProbeKeys& defaults, const Limits& limits,
                                   Problems& problems, bool mesh) {
  return DestinationReader(table, defaults, limits, problems, mesh).read();
}

std::vector<PlacedDestination> read_destinations(
    TableReader& root, const std::function<PlacedDestination(const Node& table, Problems& problems)>& read) {
  const Entry* entry = root.entry("destination");
  if (entry == nullptr) return {};
  const auto* nodes = std::get_if<Node::Array>(&entry->node.value);
  if (nodes == nullptr) {
    root.problems().add(entry->where, "\"destination\": expected tables of the form [[destination]]");
    return {};
  }

  std::vector<PlacedDestination> placed;
  for (const Node& node : *nodes) {
    if (!std::holds_alternative<Node::Table>(node.value)) {
      root.problems().add_value("destination", node.where, node.text, "expected a table");
      continue;
    }
    placed.push_back(read(node, root.problems()));
  }
  check_against_each_other(placed, root.problems());
  return placed;
}

}  // namespace ecmp::config
