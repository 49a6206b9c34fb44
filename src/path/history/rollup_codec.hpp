#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "path/history/history_codec.hpp"
#include "path/history/rollup.hpp"

/// Roll-ups as bytes that outlive the process, in batches as rounds and events are: see history_codec.hpp for the
/// bounds of a batch.
namespace ecmp {

class RollupEncoder {
 public:
  /// Numbers rise.
  void add(std::uint64_t number, const Rollup& rollup);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::size_t items() const { return items_; }
  /// The batch; the encoder is as new then.
  std::string take();

 private:
  std::string bytes_;
  std::unordered_map<std::string, std::uint64_t> names_;  ///< those in it, and their numbers, from 1 on
  std::uint64_t number_ = 0;
  std::int64_t minute_ = 0;
  std::size_t items_ = 0;
};

struct StoredRollup {
  std::uint64_t number = 0;
  Rollup rollup;
};

/// What of a batch matches the filter's destination, path and `since`, or nothing if it is not one: any bytes may be
/// given.
std::optional<std::vector<StoredRollup>> decode_rollups(ByteView batch, const RoundFilter& filter, BatchRange range);

}  // namespace ecmp
