#include "path/model/path_names.hpp"

#include "catch.hpp"
#include "path/model/round_record.hpp"
#include "unit/path/round_builder.hpp"

using namespace ecmp;
using round_builder::at;
using round_builder::Measured;

namespace {

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

constexpr WallTime kNow{std::chrono::seconds(1767225600)};

/// What a fan of three paths is called, by way of the disk.
PathNames stored(Measured& measured) {
  PathNames names;
  CHECK(take_in(names, *measured.told(), kNow));
  CHECK_FALSE(take_in(names, *measured.told(), kNow));
  const auto read = decode_path_names(view(encode(names)));
  REQUIRE(read);
  CHECK(*read == names);
  return *read;
}

}  // namespace

TEST_CASE("Paths have the ids and ordinals after a restart that they had before", "[history]") {
  Measured before(3);
  const std::vector<std::string> fan = {"a1 b1 D", "a1 b2 D", "a1 b3 D"};
  before.sweep([&](std::uint32_t flow) { return fan[flow]; });
  const auto told = before.told();
  const PathNames names = stored(before);

  Measured after(3);
  after.model.restore(names.at("fra-edge"), at(after.now));
  CHECK(after.told()->paths.empty());
  // In another order, and with a hop that keeps quiet at first: those flows are on no path before they have heard it.
  const std::vector<std::string> other = {"* b3 D", "a1 b1 D", "* b2 D"};
  const auto first = after.sweep([&](std::uint32_t flow) { return other[flow]; });
  CHECK(first[0].path == 0);
  CHECK(first[1].path == told->flows[0].path);
  CHECK(first[2].path == 0);
  const std::vector<std::string> heard = {"a1 b3 D", "a1 b1 D", "a1 b2 D"};
  const auto verdicts = after.sweep([&](std::uint32_t flow) { return heard[flow]; });
  const std::vector<std::size_t> same = {2, 0, 1};
  for (std::size_t flow = 0; flow < 3; ++flow) {
    CHECK(verdicts[flow].path == told->flows[same[flow]].path);
    CHECK(verdicts[flow].ordinal == told->flows[same[flow]].ordinal);
  }
  // A new path gets a number that none had.
  Measured again(1);
  again.model.restore(names.at("fra-edge"), at(again.now));
  CHECK(again.one("a1 b9 D").ordinal == 4);
  CHECK(again.told()->paths.size() == 1);
}

TEST_CASE("The name of a path is known from its first round, before any snapshot tells of it", "[history]") {
  Measured before(3, {.wait_for_hops = false});
  const std::vector<std::string> fan = {"a1 b1 D", "a1 b2 D", "a1 * * *"};
  const auto verdicts = before.sweep([&](std::uint32_t flow) { return fan[flow]; });
  PathNames names;
  for (std::uint32_t flow = 0; flow < 3; ++flow) {
    RoundRecord told;
    told.destination = round_builder::facts(3);
    told.round = round_builder::round(fan[flow], 1000);
    told.verdict = verdicts[flow];
    CHECK(take_in(names, told, kNow));
    CHECK_FALSE(take_in(names, told, kNow));
  }
  // They are what the snapshot says of them.
  CHECK_FALSE(take_in(names, *before.told(), kNow));
  Measured after(1);
  after.model.restore(names.at("fra-edge"), at(after.now));
  const PathVerdict same = after.one("a1 b2 D");
  CHECK(same.path == verdicts[1].path);
  CHECK(same.ordinal == verdicts[1].ordinal);
  // Of a path that a snapshot has told of, a round tells nothing new.
  RoundRecord nobody;
  nobody.destination = round_builder::facts(3);
  nobody.verdict.responders = std::make_shared<const std::vector<IpAddress>>(3);
  CHECK_FALSE(take_in(names, nobody, kNow));
  nobody.verdict.path = 77;
  CHECK_FALSE(take_in(names, nobody, kNow));
}

TEST_CASE("Names of paths that are not known any more make room for new paths", "[history]") {
  Measured before(3);
  const std::vector<std::string> fan = {"a1 b1 D", "a1 b2 D", "a1 b3 D"};
  before.sweep([&](std::uint32_t flow) { return fan[flow]; });
  const PathNames names = stored(before);
  Measured after(3, {.max_paths = 3});
  after.model.restore(names.at("fra-edge"), at(after.now));
  const std::vector<std::string> other = {"a1 c1 D", "a1 c2 D", "a1 c3 D"};
  for (const PathVerdict& verdict : after.sweep([&](std::uint32_t flow) { return other[flow]; }))
    CHECK(verdict.ordinal > 3);
  CHECK(after.told()->paths_refused == 0);
}

TEST_CASE("Old names are forgotten, and damaged ones are not believed", "[history]") {
  Measured before(2);
  before.sweep([](std::uint32_t flow) { return flow == 0 ? "a1 b1 D" : "a1 b2 D"; });
  PathNames names = stored(before);
  std::string bytes = encode(names);
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<char>(1u << bit % 8);
    CHECK_FALSE(decode_path_names(view(bytes)));
    bytes[bit / 8] ^= static_cast<char>(1u << bit % 8);
  }
  for (std::size_t size = 0; size < bytes.size(); ++size)
    CHECK_FALSE(decode_path_names(view(bytes.substr(0, size))));
  names.at("fra-edge").paths.front().seen -= std::chrono::hours(2);
  forget_old(names, kNow - std::chrono::hours(1));
  CHECK(names.at("fra-edge").paths.size() == 1);
  CHECK(names.at("fra-edge").last_ordinal == 2);
  forget_old(names, kNow + std::chrono::hours(1));
  CHECK(names.empty());
}
