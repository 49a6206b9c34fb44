#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "base/compact.hpp"
#include "path/history/history.hpp"
#include "path/model/event.hpp"
#include "path/model/round_record.hpp"

/// Rounds and events as bytes that outlive the process. A batch stands by itself: what many rounds share (a
/// destination's facts, a path's responders and window) is in it once, in front of the first that needs it. Instants
/// become civil time, since the monotonic clock means nothing to another process.
namespace ecmp {

/// Bytes of a batch beyond which nobody writes one, and nobody believes one.
constexpr std::size_t kMostBatchBytes = std::size_t{1} << 20;
/// Items likewise: an item takes up to some hundred times its bytes as an object.
constexpr std::size_t kMostBatchItems = 4096;

/// What the batches of this program look like. A reader reads its own version and all before it.
constexpr std::uint8_t kHistoryVersion = 3;

class HistoryEncoder {
 public:
  /// Numbers rise.
  void add(std::uint64_t number, const RoundRecord& record);
  void add(std::uint64_t number, const PathEvent& event);

  [[nodiscard]] std::size_t size() const { return bytes_.size(); }
  [[nodiscard]] std::size_t items() const { return items_; }
  /// The batch; the encoder is as new then.
  std::string take();

 private:
  /// What was put in, by its place in memory, which stays the owner's as long as the batch is being made.
  using Shared = std::unordered_map<const void*, std::uint64_t>;

  std::uint64_t facts(const std::shared_ptr<const DestinationFacts>& facts);
  std::uint64_t responders(const std::shared_ptr<const std::vector<IpAddress>>& responders);
  std::uint64_t window(const std::shared_ptr<const PathWindow>& window);
  std::uint64_t search(const std::shared_ptr<const SearchProgress>& search);
  std::uint64_t oneway(const std::shared_ptr<const OnewayPathSnapshot>& path);
  std::uint64_t facts_or_none(const std::shared_ptr<const DestinationFacts>& destination);
  template <typename Facts>
  class FieldsWriter;
  void append_detail(CompactWriter& to, const PathEvent& event);
  void put(std::uint8_t tag);
  void append_hops(CompactWriter& to, const RoundRecord& record);

  std::string bytes_;
  std::string item_;  ///< before its length is known
  Shared facts_, responders_, windows_, searches_, oneways_;
  /// Of the things above: nothing else may come to stand at their addresses.
  std::vector<std::shared_ptr<const void>> held_;
  std::uint64_t number_ = 0;
  std::int64_t time_ = 0;
  std::size_t items_ = 0;
};

/// Those of a number from `from` to below `below`, of a batch.
struct BatchRange {
  std::uint64_t from = 0;
  std::uint64_t below = ~std::uint64_t{0};

  [[nodiscard]] bool has(std::uint64_t number) const { return number >= from && number < below; }
};

struct StoredRound {
  std::uint64_t number = 0;
  History::Record record;
};
struct StoredEvent {
  std::uint64_t number = 0;
  std::shared_ptr<const PathEvent> event;
};

/// What of a batch matches, or nothing if it is not one: any bytes may be given. Times of the rounds are civil ones,
/// with a wall_offset of 0.
std::optional<std::vector<StoredRound>> decode_rounds(ByteView batch, const RoundFilter& filter, BatchRange range);
std::optional<std::vector<StoredEvent>> decode_events(ByteView batch, const RoundFilter& filter, BatchRange range);

}  // namespace ecmp
