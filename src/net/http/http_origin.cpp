#include "net/http/http_origin.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <sstream>
#include <unistd.h>
#include <utility>

#include "base/ip_address.hpp"
#include "net/host/regular_file.hpp"
#include "net/http/http_head.hpp"

namespace ecmp::net {

namespace {

constexpr std::size_t kLargestHosts = std::size_t{16} << 20;

bool is_listed(std::string_view host, const HostNames& allowed) {
  return std::ranges::any_of(allowed, [host](const std::string& one) { return equals_ignoring_case(one, host); });
}

}  // namespace

std::string_view host_of_authority(std::string_view authority) {
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    return end == std::string_view::npos ? authority : authority.substr(1, end - 1);
  }
  std::string_view host = authority.substr(0, authority.find(':'));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool is_own_host(std::string_view host, const HostNames& allowed) {
  if (host.empty()) return true;
  const std::string_view name = host_of_authority(host);
  return IpAddress::parse(name).has_value() || equals_ignoring_case(name, "localhost") || is_listed(name, allowed);
}

bool is_cross_site(std::string_view fetch_site, std::string_view origin, std::string_view host,
                   const HostNames& allowed) {
  // "same-site" is another host of the same domain, which need not be trusted either.
  if (!fetch_site.empty() && fetch_site != "same-origin" && fetch_site != "none") return true;
  if (origin.empty()) return false;
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos) return true;  // "null"
  const std::string_view authority = origin.substr(scheme + 3);
  // A proxy in front may have put its own name for ours into Host.
  return !equals_ignoring_case(authority, host) && !is_listed(host_of_authority(authority), allowed);
}

HostNames own_host_names(std::string_view host_name, std::string_view hosts) {
  HostNames names;
  if (host_name.empty()) return names;
  names.emplace_back(host_name);
  std::istringstream lines{std::string(hosts)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    const std::vector<std::string> all{std::istream_iterator<std::string>(words), {}};
    if (all.empty() || !is_listed(host_name, {all.begin() + 1, all.end()})) continue;
    names.insert(names.end(), all.begin() + 1, all.end());
  }
  return names;
}

HostNames own_host_names() {
  std::array<char, 256> name{};  // Linux has 64 at most
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  const auto hosts = read_file_or_pipe("/etc/hosts", kLargestHosts);
  return own_host_names(name.data(), hosts.ok() ? *hosts : std::string());
}

void AllowedHosts::set(HostNames names) {
  auto made = std::make_shared<const HostNames>(std::move(names));
  const std::lock_guard lock(mutex_);
  names_.swap(made);
}

std::shared_ptr<const HostNames> AllowedHosts::get() const {
  const std::lock_guard lock(mutex_);
  return names_;
}

}  // namespace ecmp::net
