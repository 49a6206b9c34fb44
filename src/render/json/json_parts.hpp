#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "packet/message.hpp"
#include "path/model/quote_findings.hpp"
#include "path/statistics/statistics.hpp"
#include "render/hop_names.hpp"

namespace ecmp::render {

/// Pieces of JSON that several answers are made of. Those that are values or keys get a comma before them where one is
/// needed, as by JsonWriter.

/// In quotes, escaped.
void append_string(std::string& out, std::string_view text);

/// In quotes; "" where none is known.
void append_known_address(std::string& out, const IpAddress& address);

/// With a point, so that readers that tell integers from other numbers see the same type every time.
void append_ratio(std::string& out, double ratio);

/// {"p50":...,"p95":...,"p99":...} in nanoseconds.
void append_quantiles(std::string& out, const Quantiles& quantiles);

/// `"asn":"64500","city":"Frankfurt am Main","country":"DE"`, as far as these are known.
void append_place(std::string& out, const IpAddress& address, const HopNames& names);

/// [{"label":16004,"tc":0,"s":true,"ttl":1}, ...]
void append_mpls(std::string& out, const packet::KeptMpls& stack);

/// "findings":[{"kind":"dscp","detail":"46 to 0","behind":"192.0.2.7","before":46,"now":0}, ...] of one of the hops
/// that were looked at; nothing at all, not even the key, if it has none.
void append_findings(std::string& out, std::size_t hop, std::span<const Finding> findings);

/// {"probes":...,"replies":...,"losses":...,"silences":...,"loss_ratio":...,"rtt_ns":{...},"jitter_ns":{...}}; null
/// where there is nothing that a figure could be of.
void append_window(std::string& out, const WindowFigures& figures);

}  // namespace ecmp::render
