#include "path/model/origin_table.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <map>
#include <random>

#include "catch.hpp"

using namespace ecmp;

namespace {

OriginTable table(std::string_view text) {
  auto made = parse_origins(text);
  INFO((made.ok() ? std::string() : made.error()));
  REQUIRE(made.ok());
  return std::move(*made);
}

std::string_view origin(const OriginTable& origins, std::string_view address) {
  return origins.origin(*IpAddress::parse(address));
}

std::string error(std::string_view text) {
  const auto made = parse_origins(text);
  return made.ok() ? "" : made.error();
}

}  // namespace

TEST_CASE("the longest prefix that holds an address tells its origin", "[origins]") {
  const OriginTable origins = table(
      "# comment\n\n"
      "10.0.0.0\t8\t64500\n"
      "10.1.0.0\t16\t64501_64502\r\n"
      "10.1.2.0\t24\t64503,64504\n"
      "10.1.2.3\t32\t64505\n"
      "255.255.255.255\t32\t64506\n"
      "2001:db8::\t32\t64507\n"
      "2001:db8:0:1::\t64\t64508");
  CHECK(origins.prefixes() == 7);
  CHECK(origin(origins, "9.255.255.255").empty());
  CHECK(origin(origins, "10.0.0.0") == "64500");
  CHECK(origin(origins, "10.1.0.1") == "64501_64502");
  CHECK(origin(origins, "10.1.2.2") == "64503,64504");
  CHECK(origin(origins, "10.1.2.3") == "64505");
  CHECK(origin(origins, "10.1.2.4") == "64503,64504");
  CHECK(origin(origins, "10.1.3.0") == "64501_64502");
  CHECK(origin(origins, "10.2.0.0") == "64500");
  CHECK(origin(origins, "11.0.0.0").empty());
  CHECK(origin(origins, "255.255.255.255") == "64506");
  CHECK(origin(origins, "2001:db8::1") == "64507");
  CHECK(origin(origins, "2001:db8:0:1:ffff::") == "64508");
  CHECK(origin(origins, "2001:db8:0:2::") == "64507");
  CHECK(origin(origins, "2001:db9::").empty());
}

TEST_CASE("ranges of addresses are understood, and origin 0 is nobody", "[origins]") {
  const OriginTable origins = table(
      "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n"
      "1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n"
      "1.0.4.0\t1.0.7.255\t38803\tAU\tSome \xff name\n"
      "2001::\t2001:0:ffff:ffff:ffff:ffff:ffff:ffff\t6939\tUS\tHE\n");
  CHECK(origin(origins, "1.0.0.7") == "13335");
  CHECK(origin(origins, "1.0.2.0").empty());
  CHECK(origin(origins, "1.0.5.0") == "38803");
  CHECK(origin(origins, "2001::5") == "6939");
}

TEST_CASE("what is no table is told by its line", "[origins]") {
  CHECK(error("10.0.0.0\t8\t1\nrubbish\n") == "2: does not begin with an address and a tab");
  CHECK(error("10.0.0.0\t33\t1\n") == "1: the prefix has bits behind its length, or is longer than an address");
  CHECK(error("10.0.0.1\t8\t1\n") == "1: the prefix has bits behind its length, or is longer than an address");
  CHECK(error("10.0.0.0\t8\n") == "1: the third field is no AS number, nor several");
  CHECK(error("10.0.0.0\t8\t4294967296\n") == "1: the third field is no AS number, nor several");
  CHECK(error("10.0.0.0\t8\t1_\n") == "1: the third field is no AS number, nor several");
  CHECK(error("10.0.0.0\teight\t1\n") == "1: the second field is neither a prefix length nor an address");
  CHECK(error("10.0.0.9\t10.0.0.8\t1\n") == "1: the range ends before it begins");
  CHECK(error("10.0.0.9\t2001::\t1\n") == "1: the range ends before it begins");
  CHECK(error(std::string(5000, 'x')) == "1: a line of more than 1024 bytes");
  CHECK(error(std::string(3, '\0')) == "1: does not begin with an address and a tab");
}

TEST_CASE("the table is the same however the text is cut, and as slow and simple a search tells", "[origins]") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    struct Prefix {
      std::uint32_t first, last;
      std::string origin;
    };
    std::vector<Prefix> prefixes;
    std::string text;
    for (int i = 0; i < 300; ++i) {
      const auto length = static_cast<unsigned>(8 + random() % 25);
      const auto mask = static_cast<std::uint32_t>(0xffffffffull << (32 - length));
      const auto first = static_cast<std::uint32_t>(0x0a000000u | (random() & 0xffffu)) & mask;
      prefixes.push_back({first, first | ~mask, std::to_string(1 + random() % 50)});
      text += fmt::format("{}\t{}\t{}\n", IpAddress::v4(first).to_string(), length, prefixes.back().origin);
    }
    OriginTableBuilder builder;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(rest.size(), random() % 40);
      REQUIRE_FALSE(builder.feed(rest.substr(0, size)));
      rest.remove_prefix(size);
    }
    auto made = builder.finish();
    REQUIRE(made.ok());
    for (int i = 0; i < 2000; ++i) {
      const auto address = static_cast<std::uint32_t>(0x0a000000u | (random() & 0x1ffffu));
      const Prefix* best = nullptr;
      for (const Prefix& one : prefixes) {
        if (address < one.first || address > one.last) continue;
        if (best == nullptr || one.last - one.first <= best->last - best->first) best = &one;
      }
      REQUIRE(made->origin(IpAddress::v4(address)) == (best == nullptr ? "" : best->origin));
    }
  }
}
