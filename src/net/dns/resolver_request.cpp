#include "net/dns/resolver_request.hpp"

#include <ares.h>
#include <sys/socket.h>

#include "base/names.hpp"
#include "net/dns/resolver_reply.hpp"

namespace ecmp::net {

Kind kind_of(const Request& request) {
  const auto* addresses = std::get_if<AddressRequest>(&request);
  if (addresses == nullptr) return Kind::reverse;
  return addresses->use == NameUse::one_off ? Kind::one_off : Kind::destinations;
}

std::string zone_of(const Request& request) {
  const auto* addresses = std::get_if<AddressRequest>(&request);
  const std::string name = addresses != nullptr ? addresses->name : reverse_query_name(std::get<IpAddress>(request));
  constexpr std::size_t kNibbles = 20;  // of an IPv6 address, below its /48
  const std::size_t labels = addresses != nullptr || std::get<IpAddress>(request).is_v4() ? 1 : kNibbles;
  std::size_t at = 0;
  for (std::size_t count = 0; count < labels && at != std::string::npos; ++count)
    at = name.find('.', at == 0 ? 0 : at + 1);
  return at == std::string::npos ? std::string() : name.substr(at + 1);
}

int family_number(FamilyChoice family) {
  return family == FamilyChoice::ipv4 ? AF_INET : family == FamilyChoice::ipv6 ? AF_INET6 : AF_UNSPEC;
}

DnsFailure failure_of(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return DnsFailure::none;
    case ARES_ENOTFOUND:
      return DnsFailure::not_found;
    case ARES_ENODATA:
      return DnsFailure::no_data;
    case ARES_ETIMEOUT:
      return DnsFailure::timeout;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
      return DnsFailure::server_failure;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
      return DnsFailure::bad_reply;
    case ARES_EBADNAME:
      return DnsFailure::bad_name;
    default:
      return DnsFailure::other;
  }
}

std::string_view to_string(DnsFailure failure) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"none", "NXDOMAIN", "no such record", "timeout", "server failure", "bad reply", "bad name", "other"});
  return name_at(kNames, failure);
}

}  // namespace ecmp::net
