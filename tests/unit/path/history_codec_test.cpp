#include "path/history/history_codec.hpp"

#include "catch.hpp"
#include "path/history/history_block.hpp"
#include "unit/path/stored_rounds.hpp"

using namespace ecmp;
using stored_rounds::Maker;
using stored_rounds::text;

namespace {

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::string batch_of_rounds(Maker& maker, std::uint64_t first, std::uint64_t count, std::vector<std::string>& texts) {
  HistoryEncoder encoder;
  for (std::uint64_t number = first; number < first + count; ++number) {
    const auto round = maker.round(number);
    encoder.add(number, *round);
    texts.push_back(text(*round));
  }
  CHECK(encoder.items() == count);
  return encoder.take();
}

}  // namespace

TEST_CASE("A round that was stored says all that it said before", "[history]") {
  Maker maker(1);
  std::vector<std::string> texts;
  const std::string batch = batch_of_rounds(maker, 1000, 500, texts);
  const auto rounds = decode_rounds(view(batch), {}, {});
  REQUIRE(rounds);
  REQUIRE(rounds->size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK((*rounds)[i].number == 1000 + i);
    CHECK(text(*(*rounds)[i].record) == texts[i]);
  }
  // Rounds of a batch share what they shared.
  CHECK((*rounds)[0].record->destination == (*rounds)[5].record->destination);
  CHECK((*rounds)[0].record->verdict.responders == (*rounds)[5].record->verdict.responders);
  CHECK(batch.size() / texts.size() < 600);
}

TEST_CASE("An event that was stored says all that it said before", "[history]") {
  Maker maker(2);
  HistoryEncoder encoder;
  std::vector<std::string> texts;
  for (std::uint64_t number = 7; number < 207; ++number) {
    const auto event = maker.event(number);
    encoder.add(number, *event);
    texts.push_back(text(*event, number));
  }
  const auto events = decode_events(view(encoder.take()), {}, {});
  REQUIRE(events);
  REQUIRE(events->size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    CHECK(text(*(*events)[i].event, (*events)[i].number) == texts[i]);
}

TEST_CASE("Of a stored batch a filter takes what it takes of rounds in memory", "[history]") {
  Maker maker(3);
  std::vector<std::string> texts;
  const std::string batch = batch_of_rounds(maker, 0, 400, texts);
  const auto all = decode_rounds(view(batch), {}, {});
  REQUIRE(all);
  const WallTime middle = (*all)[200].record->wall((*all)[200].record->round.started);
  for (const RoundFilter& filter :
       {RoundFilter{.destination = "destination-2"}, RoundFilter{.flow = 50005}, RoundFilter{.path = 0x1001},
        RoundFilter{.since = middle}, RoundFilter{.destination = "destination-1", .path = 0x1001, .since = middle},
        RoundFilter{.destination = "nobody"}, RoundFilter{.lossy = true}}) {
    const auto some = decode_rounds(view(batch), filter, {100, 350});
    REQUIRE(some);
    std::vector<std::uint64_t> expected;
    for (const StoredRound& round : *all)
      if (round.number >= 100 && round.number < 350 && filter.matches(*round.record)) expected.push_back(round.number);
    std::vector<std::uint64_t> got;
    for (const StoredRound& round : *some)
      got.push_back(round.number);
    CHECK(got == expected);
  }
}

TEST_CASE("Any bytes are read as a batch or refused, without harm", "[history]") {
  Maker maker(4);
  std::vector<std::string> texts;
  const std::string batch = batch_of_rounds(maker, 0, 40, texts);
  int whole = 0;
  for (int turn = 0; turn < 1000; ++turn) {
    INFO("turn " << turn);
    std::string bytes = batch;
    for (std::uint32_t changes = 1 + maker.below(4); changes > 0; --changes)
      bytes[maker.below(static_cast<std::uint32_t>(bytes.size()))] ^= static_cast<char>(1 + maker.below(255));
    if (maker.below(4) == 0) bytes.resize(maker.below(static_cast<std::uint32_t>(bytes.size())));
    const auto rounds = decode_rounds(view(bytes), {}, {});
    static_cast<void>(decode_events(view(bytes), {}, {}));
    if (!rounds) continue;
    ++whole;
    // Without a checksum it may be other rounds, but they can be told.
    for (const StoredRound& round : *rounds)
      static_cast<void>(text(*round.record));
  }
  CHECK(whole > 5);
  CHECK(whole < 950);
}

TEST_CASE("CRC-32C is that of RFC 3720", "[history]") {
  CHECK(crc32c(view(std::string(32, '\0'))) == 0x8a9136aau);
  CHECK(crc32c(view(std::string(32, '\xff'))) == 0x62a8ab43u);
  CHECK(crc32c(view("123456789")) == 0xe3069283u);
  CHECK(crc32c(view("6789"), crc32c(view("12345"))) == 0xe3069283u);
}

TEST_CASE("A block's head is read as it was written, and not with a bit changed", "[history]") {
  HistoryBlockHead head{.stored = 10,
                        .raw = 20,
                        .items = 3,
                        .checksum = 4,
                        .first = 5,
                        .end = 9,
                        .oldest = WallTime(Duration(1)),
                        .newest = WallTime(Duration(2))};
  head.destinations.add("fra-edge");
  head.shards = 4;
  head.shard = HistoryBlockHead::shard_of("fra-edge", 4);
  auto bytes = head.bytes();
  const auto read = HistoryBlockHead::parse(bytes);
  REQUIRE(read);
  CHECK(read->bytes() == bytes);
  CHECK(read->may_have("fra-edge"));
  int strangers = 0;
  for (int i = 0; i < 1000; ++i)
    strangers += read->may_have("stranger-" + std::to_string(i)) ? 1 : 0;
  CHECK(strangers < 20);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
    CHECK(!HistoryBlockHead::parse(bytes));
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
  }
}
