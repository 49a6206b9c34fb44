#include "net/http_origin.hpp"

#include <algorithm>
#include <utility>

#include "base/ip_address.hpp"
#include "net/http_head.hpp"

namespace ecmp::net {

namespace {

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
