#include "path/model/change.hpp"

namespace ecmp {

std::string_view to_string(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::reroute:
      return "reroute";
    case ChangeKind::remap:
      return "remap";
    case ChangeKind::width:
      return "width";
    case ChangeKind::per_packet:
      return "per_packet";
    case ChangeKind::none:
    case ChangeKind::count_:
      break;
  }
  return "";
}

}  // namespace ecmp
