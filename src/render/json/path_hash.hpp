#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"

namespace ecmp::render {

/// CRC-32 of IEEE 802.3 (reflected, polynomial 0xedb88320). `seed` carries on from an earlier text.
std::uint32_t crc32(std::string_view text, std::uint32_t seed = 0);

/// ETR's hash of a path: the CRC-32 of its known addresses in TTL order, each followed by "|"; 0 if none is known. It
/// does not tell [A,*,B] from [A,B]; the path id does.
std::uint32_t path_hash(std::span<const IpAddress> responders);

/// ETR's two algorithms.
enum class PathHash : std::uint8_t { crc32, sha256 };

/// The hash of the same text in hex: 8 or 64 digits. All of them are 0 if no address is known.
void append_path_hash(std::string& out, std::span<const IpAddress> responders, PathHash hash);

}  // namespace ecmp::render
