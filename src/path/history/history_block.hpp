#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"
#include "base/time.hpp"

/// The frame around batches in a file: what a reader can know of one without opening it, and whether it is whole.
namespace ecmp {

/// CRC-32C (RFC 3720 appendix B.4). `before` carries on from earlier bytes.
std::uint32_t crc32c(ByteView bytes, std::uint32_t before = 0);

enum class HistoryKind : std::uint8_t { rounds = 1, events = 2, rollups = 3 };

/// The beginning of every file.
struct HistoryFileHead {
  static constexpr std::size_t kBytes = 32;

  std::uint8_t version = 0;
  HistoryKind kind = HistoryKind::rounds;
  std::uint64_t first = 0;  ///< no number in it is below

  [[nodiscard]] std::array<std::uint8_t, kBytes> bytes() const;
  /// Nothing if this is not one. The version may be above ours: then only that is to be believed.
  static std::optional<HistoryFileHead> parse(ByteView bytes);
};

/// The set of destinations in a block: it may seem to hold one that it does not, never the other way round.
class DestinationSet {
 public:
  DestinationSet() = default;
  explicit DestinationSet(std::uint64_t bits) : bits_(bits) {}

  void add(std::string_view destination) { bits_ |= mask(destination); }
  [[nodiscard]] bool may_have(std::string_view destination) const {
    return (bits_ & mask(destination)) == mask(destination);
  }
  [[nodiscard]] std::uint64_t bits() const { return bits_; }

 private:
  static std::uint64_t mask(std::string_view destination);
  std::uint64_t bits_ = 0;
};

/// In front of a batch. What is written at once is a group: blocks with the same numbers, among which the destinations
/// are dealt out, so that a reader of one destination opens one of them.
struct HistoryBlockHead {
  static constexpr std::size_t kBytes = 72;
  /// More than any batch has when it is compressed.
  static constexpr std::uint32_t kMostStored = 2u << 20;

  std::uint32_t stored = 0;  ///< bytes of the batch in the file
  std::uint32_t raw = 0;     ///< once it is decompressed
  std::uint32_t items = 0;
  std::uint32_t checksum = 0;  ///< CRC-32C of the stored bytes
  std::uint64_t first = 0;     ///< the group has no number below,
  std::uint64_t end = 0;       ///< nor this one or any above
  WallTime oldest;             ///< time that `since` is compared with: no item of the block is of an earlier one,
  WallTime newest;             ///< or of a later one
  DestinationSet destinations;
  std::uint16_t shard = 0;   ///< the destinations of the block are those whose shard_of() is this,
  std::uint16_t shards = 1;  ///< of so many

  [[nodiscard]] bool may_have(std::string_view destination) const {
    return shard_of(destination, shards) == shard && destinations.may_have(destination);
  }
  static std::uint16_t shard_of(std::string_view destination, std::uint16_t shards);

  [[nodiscard]] std::array<std::uint8_t, kBytes> bytes() const;
  /// Nothing if this is not one, or not one that fits together.
  static std::optional<HistoryBlockHead> parse(ByteView bytes);
};

}  // namespace ecmp
