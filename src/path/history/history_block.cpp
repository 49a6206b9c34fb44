#include "path/history/history_block.hpp"

#include <algorithm>

#include "path/history/history_codec.hpp"

namespace ecmp {
namespace {

constexpr std::array<std::uint8_t, 8> kFileMagic = {'e', 'c', 'm', 'p', 'h', 'i', 's', 't'};
constexpr std::uint32_t kBlockMagic = 0x9e6b3c51;  // no text looks like it

using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr CrcTables make_tables() {
  CrcTables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit)
      value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    tables[0][i] = value;
  }
  for (std::uint32_t i = 0; i < 256; ++i) {
    for (std::size_t table = 1; table < tables.size(); ++table)
      tables[table][i] = (tables[table - 1][i] >> 8) ^ tables[0][tables[table - 1][i] & 0xff];
  }
  return tables;
}

constexpr CrcTables kTables = make_tables();

void store64(MutableBytes bytes, std::size_t at, std::uint64_t value) {
  store32(bytes, at, static_cast<std::uint32_t>(value >> 32));
  store32(bytes, at + 4, static_cast<std::uint32_t>(value));
}

std::uint64_t load64(ByteView bytes, std::size_t at) {
  return std::uint64_t{load32(bytes, at)} << 32 | load32(bytes, at + 4);
}

void store_time(MutableBytes bytes, std::size_t at, WallTime time) {
  store64(bytes, at, static_cast<std::uint64_t>(time.time_since_epoch().count()));
}

WallTime load_time(ByteView bytes, std::size_t at) {
  return WallTime(Duration(static_cast<std::int64_t>(load64(bytes, at))));
}

std::uint32_t hash_of(std::string_view text) {
  return crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size()));
}

}  // namespace

/// Eight bytes at a time (Kounavis and Berry's slicing): every byte written and read goes through here.
std::uint32_t crc32c(ByteView bytes, std::uint32_t before) {
  std::uint32_t crc = ~before;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    crc ^= std::uint32_t{bytes[at]} | std::uint32_t{bytes[at + 1]} << 8 | std::uint32_t{bytes[at + 2]} << 16 |
           std::uint32_t{bytes[at + 3]} << 24;
    crc = kTables[7][crc & 0xff] ^ kTables[6][(crc >> 8) & 0xff] ^ kTables[5][(crc >> 16) & 0xff] ^
          kTables[4][crc >> 24] ^ kTables[3][bytes[at + 4]] ^ kTables[2][bytes[at + 5]] ^ kTables[1][bytes[at + 6]] ^
          kTables[0][bytes[at + 7]];
  }
  for (; at < bytes.size(); ++at)
    crc = (crc >> 8) ^ kTables[0][(crc ^ bytes[at]) & 0xff];
  return ~crc;
}

std::uint64_t DestinationSet::mask(std::string_view destination) {
  const std::uint32_t hash = hash_of(destination);
  return std::uint64_t{1} << (hash % 64) | std::uint64_t{1} << (hash / 64 % 64);
}

/// Of other bits of the hash than those of the set.
std::uint16_t HistoryBlockHead::shard_of(std::string_view destination, std::uint16_t shards) {
  return static_cast<std::uint16_t>((hash_of(destination) >> 12) % shards);
}

std::array<std::uint8_t, HistoryFileHead::kBytes> HistoryFileHead::bytes() const {
  std::array<std::uint8_t, kBytes> out{};
  std::ranges::copy(kFileMagic, out.begin());
  out[8] = version;
  out[9] = static_cast<std::uint8_t>(kind);
  store64(out, 16, first);
  store32(out, kBytes - 4, crc32c(ByteView(out).first(kBytes - 4)));
  return out;
}

std::optional<HistoryFileHead> HistoryFileHead::parse(ByteView bytes) {
  if (bytes.size() < kBytes || !std::ranges::equal(bytes.first(kFileMagic.size()), kFileMagic)) return std::nullopt;
  if (load32(bytes, kBytes - 4) != crc32c(bytes.first(kBytes - 4))) return std::nullopt;
  HistoryFileHead head;
  head.version = bytes[8];
  if (head.version > kHistoryVersion) return head;
  if (head.version == 0 || bytes[9] < 1 || bytes[9] > 3) return std::nullopt;
  head.kind = static_cast<HistoryKind>(bytes[9]);
  head.first = load64(bytes, 16);
  return head;
}

std::array<std::uint8_t, HistoryBlockHead::kBytes> HistoryBlockHead::bytes() const {
  std::array<std::uint8_t, kBytes> out{};
  store32(out, 0, kBlockMagic);
  store32(out, 4, stored);
  store32(out, 8, raw);
  store32(out, 12, items);
  store32(out, 16, checksum);
  store64(out, 20, first);
  store64(out, 28, end);
  store_time(out, 36, oldest);
  store_time(out, 44, newest);
  store64(out, 52, destinations.bits());
  store16(out, 60, shard);
  store16(out, 62, shards);
  store32(out, kBytes - 4, crc32c(ByteView(out).first(kBytes - 4)));
  return out;
}

std::optional<HistoryBlockHead> HistoryBlockHead::parse(ByteView bytes) {
  if (bytes.size() < kBytes || load32(bytes, 0) != kBlockMagic) return std::nullopt;
  if (load32(bytes, kBytes - 4) != crc32c(bytes.first(kBytes - 4))) return std::nullopt;
  HistoryBlockHead head;
  head.stored = load32(bytes, 4);
  head.raw = load32(bytes, 8);
  head.items = load32(bytes, 12);
  head.checksum = load32(bytes, 16);
  head.first = load64(bytes, 20);
  head.end = load64(bytes, 28);
  head.oldest = load_time(bytes, 36);
  head.newest = load_time(bytes, 44);
  head.destinations = DestinationSet(load64(bytes, 52));
  head.shard = load16(bytes, 60);
  head.shards = load16(bytes, 62);
  const bool fits = head.stored <= kMostStored && head.raw <= kMostBatchBytes && head.items <= kMostBatchItems &&
                    head.first < head.end && head.oldest <= head.newest && head.shard < head.shards;
  if (!fits) return std::nullopt;
  return head;
}

}  // namespace ecmp
