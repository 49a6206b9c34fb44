#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "path/model/snapshot.hpp"
#include "render/fan/fan.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// "0.31 ms", "12.4 ms", "240 ms": three digits, which is what can be compared at a glance.
void append_rtt(std::string& out, Duration rtt);

/// "0 %", "<0.01 %", "0.24 %", "9.8 %", "100 %". A loss never looks like none, nor one that is not total like all.
void append_percent(std::string& out, double ratio);

/// "50000-50003, 50007": rising ports as ranges; after `most` ranges, how many ports more there are.
void append_ports(std::string& out, std::span<const std::uint16_t> ports, std::size_t most);

/// Text that may be anybody's as one harmless line of valid UTF-8: controls, and marks that turn the direction of
/// writing or take no room, become U+FFFD.
std::string plain_text(std::string_view text);

/// Cells that UTF-8 text takes in a terminal, about the same in a picture: wide East Asian characters take two.
std::size_t text_width(std::string_view text);

/// Cut to `width` cells, with `ellipsis` at the end if it had to be.
std::string shortened(std::string_view text, std::size_t width, std::string_view ellipsis);

/// How bad loss is to the eye: none, some (below 1 %), heavy.
enum class LossLevel : std::uint8_t { none, some, heavy };
LossLevel loss_level(double ratio);

/// A node in words, none of them escaped for any format; names as of plain_text().
struct NodeText {
  std::string title;    ///< address, "*", "agent" or "no answer"
  std::string name;     ///< reverse name; may be empty, and so may all that follow
  std::string rtt;      ///< "0.31 / 0.40 ms", p50 and p95
  std::string loss;     ///< "9.8 % lost"
  std::string silence;  ///< "silent 40 %"
  std::string mpls;     ///< "MPLS 16004/24005"
  std::string note;     ///< "never answers", "per packet", "not reached", "TTL 4-6"
};
NodeText node_text(const FanNode& node, const HopNames& names);

/// "fra-edge: 4 paths, 32 flows", of paths that reach the destination; what else there is behind it.
std::string fan_title(const DestinationSnapshot& snapshot, const Fan& fan);

/// The 5-tuples: "UDP 198.51.100.1:50000-50031 -> 192.0.2.1:33434", with brackets around IPv6 addresses.
std::string five_tuples(const DestinationSnapshot& snapshot, const Fan& fan, std::string_view arrow);

/// "11 flows", "1 flow".
std::string counted(std::uint64_t count, std::string_view singular);

}  // namespace ecmp::render
