#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "path/model/snapshot.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render::test {

using Snapshots = std::vector<std::shared_ptr<const DestinationSnapshot>>;

class NamesOfTest final : public HopNames {
 public:
  std::map<IpAddress, std::string> names;
  [[nodiscard]] std::string_view name(const IpAddress& address) const override {
    const auto found = names.find(address);
    return found == names.end() ? std::string_view{} : std::string_view{found->second};
  }
};

IpAddress ip(const char* text);

/// A UDP destination over two branches, with an MPLS hop, a hop that never answers, a refusal, and a flow without a
/// path; an IPv6 ICMP one that was never measured; and a TCP one whose name and labels ask for escaping.
Snapshots example_snapshots();
NamesOfTest example_names();

/// `hops` hops on each of `paths` paths of `destinations` destinations with `flows` flows.
Snapshots many_snapshots(std::size_t destinations, std::size_t flows, std::size_t paths, std::size_t hops);

}  // namespace ecmp::render::test
