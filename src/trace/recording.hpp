#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "path/model/round_record.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Rounds of one destination, as they were recorded.
struct Recording {
  std::vector<std::shared_ptr<const RoundRecord>> rounds;  ///< at least one; by when they were over
  std::shared_ptr<const render::HopNames> names;
  bool lines = false;                ///< they come from lines of JSON, which do not say everything
  std::vector<std::string> notices;  ///< what the reader should know, one line each
};

/// What a recording may take in memory: of more rounds the newest are read. A day of 16 flows and 12 hops is below.
constexpr std::size_t kMostRecordedBytes = std::size_t{512} << 20;

/// Reads a file of lines as /paths and `ecmp_trace --json` write them, or the directory of an exporter's history, where
/// nothing is changed and another process may be writing. `destination` is a name or an address; empty: the only one
/// that there is. What is damaged is left out, with a notice. The error is one line: nothing can be read, there is no
/// round, or several destinations and none was named.
Result<Recording> read_recording(const std::string& path, const std::string& destination,
                                 std::size_t most_bytes = kMostRecordedBytes);

}  // namespace ecmp
