#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace ecmp::net {

/// "4.3.2.1.in-addr.arpa" or the 32 nibbles under ip6.arpa (RFC 1035 section 3.5, RFC 3596 section 2.5).
std::string reverse_query_name(const IpAddress& address);

struct PtrRecord {
  std::string name;           ///< cleaned, without the final dot; never empty
  std::uint32_t ttl_seconds;  ///< the smallest on the way to it: RFC 2317 delegates by CNAMEs
};

/// The first PTR record of a DNS message. Nullopt when there is none, or when the message is cut off, loops or lies
/// about its lengths.
std::optional<PtrRecord> parse_ptr_reply(ByteView message);

/// What whoever runs a reverse zone wrote may hold any bytes. Control characters, bytes that are no UTF-8 and code
/// points that reorder or hide text become "?"; at most 253 bytes, cut at a character. Nothing is escaped: quotes and
/// angle brackets are left to whoever renders.
std::string clean_name(std::string_view raw);

}  // namespace ecmp::net
