#include <algorithm>
#include <memory>
#include <random>
#include <set>

#include "catch.hpp"
#include "golden.hpp"
#include "invariants.hpp"
#include "packet/parse_closely.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;

namespace {

using Random = std::mt19937_64;

std::uint8_t byte(Random& random) {
  return static_cast<std::uint8_t>(random());
}

/// Which answers came up: a test that never got past the first check would prove nothing.
struct Seen {
  std::set<std::size_t> kinds;
  std::set<ParseError> errors;
  std::size_t labels = 0;

  void add(const Message& message) {
    kinds.insert(message.index());
    if (const auto* error = std::get_if<ParseError>(&message)) errors.insert(*error);
    if (const auto* error = std::get_if<IcmpError>(&message)) labels += error->mpls.depth;
  }
};

/// In a heap block of exactly its size, so that the address sanitizer sees a read behind its end.
void parse_tightly(const Bytes& bytes, Seen& seen, std::uint64_t seed, std::size_t round) {
  const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  const ByteView view(exact.get(), bytes.size());
  const Message message = parse(view);
  const auto probe = parse_probe(view);
  const bool fine = samples::same(message, parse_closely(view)) && samples::sound(view, message) &&
                    (probe.index() == 0 || samples::sound(view, std::get<Quote>(probe)));
  seen.add(message);
  if (fine) return;
  CAPTURE(seed, round);
  FAIL("unsound, or not what a closer look says");
}

/// Makes the checksums of the IPv4 header and of the ICMP message right again, as far as they can be found: otherwise
/// hardly any mutation would get past them.
void repair(Bytes& bytes) {
  if (bytes.empty()) return;
  const bool v4 = bytes[0] >> 4 == 4;
  const std::size_t header = v4 ? std::size_t{bytes[0] & 0xfu} * 4 : 40;
  if (bytes.size() < std::max<std::size_t>(header + 4, v4 ? 24 : 44)) return;
  if (v4) {
    store16(bytes, 10, 0);
    store16(bytes, 10, static_cast<std::uint16_t>(~samples::plain_sum(ByteView(bytes).first(header))));
  }
  if (bytes[v4 ? 9 : 6] != (v4 ? 1 : 58)) return;
  const std::size_t total = v4 ? load16(bytes, 2) : load16(bytes, 4) + std::size_t{40};
  if (total < header + 4 || total > bytes.size()) return;
  const ByteView whole(bytes);
  store16(bytes, header + 2, 0);
  const std::uint16_t pseudo =
      v4 ? std::uint16_t{0}
         : samples::plain_pseudo_sum(IpAddress::v6(whole.subspan<8, 16>()), IpAddress::v6(whole.subspan<24, 16>()), 58,
                                     total - header);
  store16(bytes, header + 2,
          static_cast<std::uint16_t>(~samples::plain_sum(whole.subspan(header, total - header), pseudo)));
}

void mutate(Bytes& bytes, Random& random) {
  constexpr std::uint8_t kBoundaries[] = {0, 1, 4, 5, 7, 8, 0x3f, 0x40, 0x45, 0x46, 0x4f, 0x60, 0x7f, 0x80, 0xfe, 0xff};
  for (std::size_t left = 1 + random() % 3; left > 0 && !bytes.empty(); --left) {
    const std::size_t at = random() % std::min<std::size_t>(bytes.size(), random() % 2 == 0 ? 64 : bytes.size());
    switch (random() % 7) {
      case 0:
        bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ (1u << (random() % 8)));
        break;
      case 1:
        bytes[at] = byte(random);
        break;
      case 2:
        bytes[at] = kBoundaries[random() % std::size(kBoundaries)];
        break;
      case 3:
        bytes.resize(random() % (bytes.size() + 1));
        break;
      case 4:
        bytes.resize(bytes.size() + random() % 64, byte(random));
        break;
      case 5: {  // the length in the IP header follows what is there, more or less
        const std::size_t field = bytes[0] >> 4 == 4 ? 2 : 4;
        const std::size_t length = bytes.size() - (field == 4 ? 40 : 0) + random() % 3 - 1;
        if (bytes.size() > field + 1) store16(bytes, field, static_cast<std::uint16_t>(length));
        break;
      }
      default: {  // move a piece
        const std::size_t to = random() % bytes.size();
        const std::size_t count = std::min({random() % 16, bytes.size() - at, bytes.size() - to});
        const Bytes piece(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                          bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
        std::copy(piece.begin(), piece.end(), bytes.begin() + static_cast<std::ptrdiff_t>(to));
      }
    }
  }
}

}  // namespace

TEST_CASE("a million random datagrams are read within their bounds", "[packet]") {
  constexpr std::uint64_t kSeed = 20260101;
  constexpr std::uint8_t kPayloads[] = {0, 1, 6, 17, 43, 44, 51, 58, 60};
  Random random(kSeed);
  Seen seen;
  for (std::size_t round = 0; round < 1'000'000; ++round) {
    Bytes bytes(random() % 120);
    for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
      const std::uint64_t word = random();
      for (std::size_t j = 0; j < 8; ++j)
        bytes[i + j] = static_cast<std::uint8_t>(word >> (8 * j));
    }
    // Three of four look like IP at first sight.
    if (bytes.size() > 40 && random() % 4 != 0) {
      const bool v4 = random() % 2 == 0;
      bytes[0] = static_cast<std::uint8_t>(v4 ? 0x45 + random() % 2 : 0x60);
      bytes[v4 ? 9 : 6] = kPayloads[random() % std::size(kPayloads)];
      store16(bytes, v4 ? 2 : 4, static_cast<std::uint16_t>(bytes.size() - (v4 ? 0 : 40)));
      if (v4) store16(bytes, 6, 0x4000);
      const std::size_t payload = v4 ? std::size_t{bytes[0] & 0xfu} * 4 : 40;
      if (bytes.size() > payload + 9 && random() % 2 == 0) bytes[payload] = random() % 2 == 0 ? 11 : 3;
      if (bytes.size() > payload + 9 && random() % 2 == 0) bytes[payload + 1] = 0;
      if (bytes.size() > payload + 9 && random() % 2 == 0) bytes[payload + 8] = v4 ? 0x45 : 0x60;
      repair(bytes);
    }
    parse_tightly(bytes, seen, kSeed, round);
  }
  CHECK(seen.kinds.size() == std::variant_size_v<Message>);
  CHECK(seen.errors.size() == 4);
}

TEST_CASE("a million damaged replies are read within their bounds", "[packet]") {
  constexpr std::uint64_t kSeed = 20260102;
  Random random(kSeed);
  Seen seen;
  const std::vector<samples::Golden>& golden = samples::golden();
  for (std::size_t round = 0; round < 1'000'000; ++round) {
    Bytes bytes = golden[random() % golden.size()].bytes;
    mutate(bytes, random);
    if (random() % 4 != 0) repair(bytes);
    parse_tightly(bytes, seen, kSeed, round);
  }
  CHECK(seen.kinds.size() == std::variant_size_v<Message>);
  CHECK(seen.errors.size() == 4);
  CHECK(seen.labels > 0);
}
