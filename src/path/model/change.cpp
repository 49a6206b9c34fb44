#include "path/model/change.hpp"

#include "base/names.hpp"

namespace ecmp {

std::string_view to_string(ChangeKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>({"", "reroute", "remap", "width", "per_packet"});
  return name_at(kNames, kind);
}

}  // namespace ecmp
