#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace ecmp::net {

/// Names of hosts that may stand in a Host header, besides IP literals and localhost.
using HostNames = std::vector<std::string>;

/// The host of an authority (RFC 3986 section 3.2): without port, brackets and a final dot.
std::string_view host_of_authority(std::string_view authority);

/// Whether a Host header names this machine and not a name that somebody else has in hand: an IP literal, localhost or
/// one of `allowed`. A page from elsewhere whose name was turned to point here ("DNS rebinding") asks by its own name.
/// An absent header is fine: no browser leaves it out.
bool is_own_host(std::string_view host, const HostNames& allowed);

/// Names that this host has given itself, whatever a name server says: its host name, and what stands beside that in
/// the file of hosts, as its name with a domain. `hosts`: hosts(5).
HostNames own_host_names(std::string_view host_name, std::string_view hosts);
/// The same, of this host; /etc/hosts is read.
HostNames own_host_names();

/// Whether a browser sends this request for a page of another site, by Sec-Fetch-Site (W3C Fetch Metadata) or Origin
/// (RFC 6454 section 7); both empty when absent. What is no browser sends neither.
bool is_cross_site(std::string_view fetch_site, std::string_view origin, std::string_view host,
                   const HostNames& allowed);

/// The names, which a reload may replace while they are read.
class AllowedHosts {
 public:
  void set(HostNames names);
  [[nodiscard]] std::shared_ptr<const HostNames> get() const;

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const HostNames> names_ = std::make_shared<const HostNames>();
};

}  // namespace ecmp::net
