#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <toml++/toml.h>
#include <vector>

#include "sim/topology.hpp"

namespace ecmp::sim {

/// Something wrong in a scenario, with its place. Thrown inside the loader only.
struct ScenarioProblem {
  toml::source_position place;
  std::string message;
};

[[noreturn]] void complain(const toml::node& where, const std::string& message);

/// The keys of a table, each to be asked for; what nobody asked for is a spelling mistake.
class Fields {
 public:
  explicit Fields(const toml::table& table) : table_(table) {}

  /// The node of a key; nullptr if it is not there.
  const toml::node* find(std::string_view key);
  /// The same; complains when it is not there.
  const toml::node& require(std::string_view key);
  void done() const;
  [[nodiscard]] const toml::table& table() const { return table_; }

 private:
  const toml::table& table_;
  std::set<std::string, std::less<>> known_;
};

// Values, with complaints about everything else.
std::string read_text(const toml::node& node);
bool read_flag(const toml::node& node);
std::int64_t read_number(const toml::node& node, std::int64_t least, std::int64_t most);
double read_real(const toml::node& node, double least, double most);
const toml::array& read_list(const toml::node& node);
const toml::table& read_table(const toml::node& node);
std::vector<std::string> read_texts(const toml::node& node);
/// "1s", "250us", "1.5ms", "2h"
Duration read_duration(const toml::node& node);
/// "10%" or a ratio
Probability read_probability(const toml::node& node);
/// "normal 200us", or "none"
void read_jitter(const toml::node& node, Delay& delay);
IpAddress read_address(const toml::node& node);

/// What a table says of a node or a link, to be done once or when its time comes.
using NodePatch = std::vector<std::function<void(Node&)>>;
using LinkPatch = std::vector<std::function<void(Link&)>>;

/// Takes the keys out of `fields` that a node of this kind may have.
NodePatch read_node_patch(Fields& fields, NodeKind kind);
LinkPatch read_link_patch(Fields& fields);

template <typename T>
void apply_patch(const std::vector<std::function<void(T&)>>& patch, T& subject) {
  for (const auto& set : patch)
    set(subject);
}

}  // namespace ecmp::sim
