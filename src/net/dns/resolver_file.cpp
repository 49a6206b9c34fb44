#include "net/dns/resolver_file.hpp"

#include <algorithm>

#include "base/ip_address.hpp"

namespace ecmp::net {

std::vector<std::string> servers_with_zone(std::string_view resolv_conf) {
  constexpr std::string_view kBlank = " \t\r";
  constexpr std::string_view kWord = "nameserver";
  std::vector<std::string> found;
  while (!resolv_conf.empty()) {
    std::string_view line = resolv_conf.substr(0, resolv_conf.find('\n'));
    resolv_conf.remove_prefix(std::min(line.size() + 1, resolv_conf.size()));
    if (!line.starts_with(kWord)) continue;
    line.remove_prefix(kWord.size());
    const std::size_t begin = line.find_first_not_of(kBlank);
    if (begin == 0 || begin == std::string_view::npos) continue;
    line = line.substr(begin, line.find_first_of(kBlank, begin) - begin);
    const std::size_t zone = line.find('%');
    const auto address = IpAddress::parse(line.substr(0, zone));
    if (!address) continue;
    if (zone != std::string_view::npos || (!address->is_v4() && address->is_link_local())) found.emplace_back(line);
  }
  return found;
}

}  // namespace ecmp::net
