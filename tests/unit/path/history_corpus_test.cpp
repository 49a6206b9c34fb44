// What the codec writes today is what it wrote into tests/fuzz/corpus/history when this version of the format was new:
// the samples that the fuzzer begins with are files that users have. If one differs, old files are read wrongly, and
// the format needs another version (kHistoryVersion); only then are the samples written anew, with UPDATE_GOLDEN=1.
#include "catch.hpp"
#include "path/history/history_block.hpp"
#include "path/history/history_codec.hpp"
#include "path/model/path_names.hpp"
#include "unit/path/stored_rounds.hpp"
#include "unit/render/golden.hpp"

using namespace ecmp;
using stored_rounds::Maker;

namespace {

// The first byte of a sample, see tests/fuzz/history_fuzz.cpp.
enum class Reader : char { rounds = 0, events = 1, heads = 2, names = 3, garbled_file = 4, lying_file = 5 };

void check_sample(const std::string& name, Reader reader, std::string_view bytes) {
  // The replay cuts longer ones.
  REQUIRE(bytes.size() < 4096);
  render::test::check_golden("../../fuzz/corpus/history/" + name,
                             std::string(1, static_cast<char>(reader)).append(bytes));
}

std::string rounds(Maker& maker, std::uint64_t first, std::uint64_t count) {
  HistoryEncoder encoder;
  for (std::uint64_t number = first; number < first + count; ++number)
    encoder.add(number, *maker.round(number));
  return encoder.take();
}

template <typename Bytes>
std::string text_of(const Bytes& bytes) {
  return {bytes.begin(), bytes.end()};
}

/// A Zstandard frame that holds the bytes as they are (RFC 8878 section 3.1.1): the library's own differ from version
/// to version.
std::string frame(const std::string& bytes) {
  REQUIRE(bytes.size() >= 256);
  const std::size_t size = bytes.size() - 256;
  const std::size_t block = bytes.size() << 3 | 1;  // the last one, raw
  std::string made = "\x28\xb5\x2f\xfd\x60";        // one segment, its size in two bytes
  for (const std::size_t byte : {size, size >> 8, block, block >> 8, block >> 16})
    made += static_cast<char>(byte & 0xff);
  return made + bytes;
}

}  // namespace

TEST_CASE("Batches of rounds and events are written as they ever were", "[history]") {
  Maker maker(11, 3);
  check_sample("rounds-few", Reader::rounds, rounds(maker, 0, 3));
  check_sample("rounds-more", Reader::rounds, rounds(maker, 1000, 9));
  check_sample("rounds-one", Reader::rounds, rounds(maker, 1u << 20, 1));
  for (const int sample : {1, 2, 3}) {
    HistoryEncoder encoder;
    for (std::uint64_t number = 0; number < 6; ++number)
      encoder.add(number, *maker.event(number));
    check_sample("events-" + std::to_string(sample), Reader::events, encoder.take());
  }
}

TEST_CASE("Heads of files and blocks are written as they ever were", "[history]") {
  check_sample("file-head", Reader::heads,
               text_of(HistoryFileHead{.version = 1, .kind = HistoryKind::events, .first = 77}.bytes()));
  HistoryBlockHead head{.stored = 1000,
                        .raw = 2000,
                        .items = 3,
                        .checksum = 0x12345678,
                        .first = 5,
                        .end = 9,
                        .oldest = WallTime(stored_rounds::kBegin),
                        .newest = WallTime(stored_rounds::kBegin + std::chrono::seconds(1))};
  head.destinations.add("destination-1");
  head.shards = 4;
  head.shard = HistoryBlockHead::shard_of("destination-1", head.shards);
  check_sample("block-head", Reader::heads, text_of(head.bytes()));
}

TEST_CASE("Names of paths are written as they ever were", "[history]") {
  PathNames names;
  DestinationPathNames& of = names["destination-1"];
  of.last_ordinal = 7;
  for (const std::uint32_t ordinal : {2u, 7u}) {
    PathName name{.id = 0x5c1e09aa + ordinal, .ordinal = ordinal, .seen = WallTime(stored_rounds::kBegin)};
    name.content.slots.resize(3);  // of the second nothing is known
    name.content.slots[0].add(Maker::address(true, 1));
    name.content.slots[2].add(Maker::address(false, ordinal));
    of.paths.push_back(name);
  }
  const std::string file = encode(names);
  // The fuzz target puts a head of its own before it, as long as that of a file without names but its "none".
  check_sample("names", Reader::names, std::string_view(file).substr(encode(PathNames{}).size() - 1));
}

TEST_CASE("A file of blocks is written as it ever was", "[history]") {
  Maker maker(12, 2);
  std::string file;
  for (std::uint64_t first = 0; first < 6; first += 2) {
    const std::string raw = rounds(maker, first, 1);
    const std::string stored = frame(raw);
    HistoryBlockHead head{.stored = static_cast<std::uint32_t>(stored.size()),
                          .raw = static_cast<std::uint32_t>(raw.size()),
                          .items = 1,
                          .first = first,
                          .end = first + 2,
                          .oldest = WallTime(stored_rounds::kBegin),
                          .newest = WallTime(stored_rounds::kBegin)};
    head.destinations.add("destination-0");
    head.checksum = crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(stored.data()), stored.size()));
    file += text_of(head.bytes()) + stored;
  }
  check_sample("file-of-blocks", Reader::lying_file, file);
  check_sample("file-cut", Reader::lying_file, std::string_view(file).substr(0, file.size() - 100));
  // Harms are five bytes: what, where, how much.
  using namespace std::string_view_literals;
  check_sample("harm-none", Reader::garbled_file, ""sv);
  check_sample("harm-cut", Reader::garbled_file, "\0\x08\x00\0\0"sv);
  check_sample("harm-changed", Reader::garbled_file, "\x01\x00\x30\x00\x55"sv);
  check_sample("harm-zeros", Reader::garbled_file, "\x02\x04\x00\x02\x00"sv);
  check_sample("harm-gone", Reader::garbled_file, "\x03\x02\x00\x01\x00"sv);
  check_sample("harm-twice", Reader::garbled_file, "\x04\x00\x20\x07\x00"sv);
  check_sample("harm-many", Reader::garbled_file, "\x01\x00\x05\x00\xff\x04\x01\x00\x00\x20\x00\x09\x00\x00\x00"sv);
}
