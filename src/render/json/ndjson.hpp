#pragma once

#include <string>

#include "path/model/round_record.hpp"
#include "render/hop_names.hpp"
#include "render/json/path_hash.hpp"

namespace ecmp::render {

/// Appends a finished round as one line of JSON with its newline: ETR's fields with ETR's types and units, then ours.
/// RTTs in microseconds (`rtt`, cut, not rounded) and nanoseconds (`rtt_ns`), times in RFC 3339.
void append_round(std::string& out, const RoundRecord& record, const HopNames& names, PathHash hash = PathHash::crc32);

}  // namespace ecmp::render
