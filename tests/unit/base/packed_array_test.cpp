#include "base/packed_array.hpp"

#include <random>
#include <vector>

#include "catch.hpp"

namespace ecmp {

TEST_CASE("a packed array holds what a vector holds", "[base]") {
  const auto seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937 random(seed);
  PackedArray<std::uint16_t> packed;
  std::vector<std::uint16_t> expected;
  for (int i = 0; i < 5000; ++i) {
    CAPTURE(i);
    const auto value = static_cast<std::uint16_t>(random());
    switch (random() % 8) {
      case 0: {  // erases, inserts or both
        const std::size_t at = random() % (expected.size() + 1);
        const std::size_t count = random() % (expected.size() - at + 1);
        const std::vector<std::uint16_t> with(random() % 20, value);
        packed.replace(at, count, with);
        const auto first = expected.begin() + static_cast<std::ptrdiff_t>(at);
        const auto gap = expected.erase(first, first + static_cast<std::ptrdiff_t>(count));
        expected.insert(gap, with.begin(), with.end());
        break;
      }
      case 1: {
        PackedArray<std::uint16_t> copy = packed;
        packed.release();
        CHECK(packed.capacity() == 0);
        packed = copy;
        copy.clear();
        break;
      }
      case 2: {
        PackedArray<std::uint16_t> moved = std::move(packed);
        packed = std::move(moved);
        break;
      }
      default:
        packed.push_back(value);
        expected.push_back(value);
    }
    REQUIRE(std::ranges::equal(packed.view(), expected));
    REQUIRE(packed.capacity() >= packed.size());
  }
}

TEST_CASE("a packed array asks for no more than an allocation holds anyway", "[base]") {
  static_assert(sizeof(PackedArray<std::uint8_t>) == 16);
  PackedArray<std::uint8_t> packed;
  for (std::size_t size = 1; size < 300; ++size) {
    packed.push_back(0);
    CHECK(packed.capacity() % 16 == 8);
    CHECK(packed.capacity() < size + 16);
  }
}

}  // namespace ecmp
