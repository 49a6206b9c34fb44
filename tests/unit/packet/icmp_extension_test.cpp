#include "catch.hpp"
#include "packet/message.hpp"
#include "samples.hpp"

using namespace ecmp;
using namespace ecmp::packet;
using samples::Bytes;
using samples::operator+;

namespace {

/// A time exceeded with the quote of a UDP probe of 60 bytes filled up to `quote_size`, this behind it, and the length
/// attribute in words of its IP version.
Bytes with_extension(Family family, std::size_t quote_size, std::size_t length_words, const Bytes& behind) {
  const Bytes quote = samples::padded(samples::written(samples::probe(family, Protocol::udp, 60)), quote_size);
  const auto rest = static_cast<std::uint32_t>(length_words << (family == Family::ipv4 ? 16 : 24));
  return samples::time_exceeded(family, quote + behind, rest);
}

IcmpError parsed(const Bytes& bytes) {
  const Message message = parse(bytes);
  REQUIRE(std::holds_alternative<IcmpError>(message));
  IcmpError error = std::get<IcmpError>(message);
  CHECK(error.quote.checksum == 0xbeef);
  return error;
}

std::size_t quoted_payload(Family family, std::size_t quote) {
  return quote - (family == Family::ipv4 ? 28 : 48);
}

}  // namespace

TEST_CASE("the length attribute delimits the quote, whatever it is", "[packet]") {
  for (const Family family : samples::kFamilies) {
    const std::size_t word = family == Family::ipv4 ? 4 : 8;
    for (std::size_t words = (family == Family::ipv4 ? 28 : 48) / word; words <= 255; ++words) {
      const std::size_t size = words * word;
      CAPTURE(static_cast<int>(family), words);
      const Bytes bytes = with_extension(family, size, words, samples::extension(samples::mpls_objects()));
      const IcmpError error = parsed(bytes);
      REQUIRE(error.mpls == samples::mpls_stack());
      REQUIRE(error.quote.payload.size() == quoted_payload(family, size));
    }
  }
}

TEST_CASE("the label stack is found among other objects, and an unknown object alone is none", "[packet]") {
  const Bytes unknown = samples::hex("0008f701 01020304");
  const Bytes other_stack = samples::hex("00080102 ffffffff");  // class 1, but not the incoming stack
  for (const Family family : samples::kFamilies) {
    const std::size_t words = family == Family::ipv4 ? 32 : 16;
    const auto stack = [&](const Bytes& objects) {
      const Bytes bytes = with_extension(family, 128, words, samples::extension(objects));
      return parsed(bytes).mpls;
    };
    CHECK(stack(unknown + other_stack + samples::mpls_objects() + unknown) == samples::mpls_stack());
    CHECK(stack(unknown).depth == 0);
    CHECK(stack(other_stack).depth == 0);
    CHECK(stack({}).depth == 0);
    CHECK(stack(samples::hex("00040101")).depth == 0);
    // The first one counts.
    CHECK(stack(samples::mpls_objects() + samples::hex("00080101 00001101")) == samples::mpls_stack());
  }
}

TEST_CASE("a stack deeper than eight labels is cut", "[packet]") {
  Bytes object = samples::hex("00340101");
  for (std::uint8_t i = 0; i < 12; ++i)
    object = object + Bytes{0, 0, static_cast<std::uint8_t>(i << 4), 9};
  const Bytes bytes = with_extension(Family::ipv4, 128, 32, samples::extension(object));
  const MplsStack stack = parsed(bytes).mpls;
  REQUIRE(stack.view().size() == 8);
  CHECK(stack.view()[7] == MplsLabel{7, 0, false, 9});
}

TEST_CASE("an extension without a checksum counts where a length tells of it", "[packet]") {
  const Bytes unsummed = samples::hex("20000000") + samples::mpls_objects();
  const Bytes told = with_extension(Family::ipv4, 128, 32, unsummed);
  CHECK(parsed(told).mpls == samples::mpls_stack());
  const Bytes guessed = with_extension(Family::ipv4, 128, 0, unsummed);
  CHECK(parsed(guessed).mpls.depth == 0);
  CHECK(parsed(guessed).quote.payload.size() == 100 + unsummed.size());
}

TEST_CASE("a broken extension is dropped, and the quote still counts", "[packet]") {
  Bytes wrong_sum = samples::extension(samples::mpls_objects());
  wrong_sum[3] ^= 1;
  Bytes wrong_version = samples::hex("10000000") + samples::mpls_objects();
  const Bytes good = samples::mpls_objects();
  const Bytes broken[] = {
      wrong_sum,
      wrong_version,
      samples::hex("20"),
      samples::hex("200000"),
      samples::extension(samples::hex("00030101") + good),           // shorter than its header
      samples::extension(samples::hex("00000101") + good),           // would never end
      samples::extension(good + samples::hex("00080101")),           // longer than what is there
      samples::extension(good + samples::hex("ffff0101 00000000")),  // much longer
      samples::extension(good + samples::hex("0008")),               // half a header
      samples::extension(samples::hex("000a0101 03e84001 0000")),    // a label and a half
  };
  for (const Family family : samples::kFamilies) {
    const std::size_t words = family == Family::ipv4 ? 32 : 16;
    for (const Bytes& each : broken) {
      CAPTURE(static_cast<int>(family), each);
      const Bytes bytes = with_extension(family, 128, words, each);
      const IcmpError error = parsed(bytes);
      CHECK(error.mpls.depth == 0);
      CHECK(error.quote.payload.size() == quoted_payload(family, 128));
    }
  }
}

TEST_CASE("a length that cannot be one is ignored", "[packet]") {
  for (const Family family : samples::kFamilies) {
    for (const std::size_t words : {1u, 3u, 200u, 255u}) {
      CAPTURE(static_cast<int>(family), words);
      const Bytes bytes = with_extension(family, 60, words, {});
      CHECK(parsed(bytes).quote.payload.size() == quoted_payload(family, 60));
    }
  }
}

TEST_CASE("without a length only a right checksum makes an extension, and only in IPv4", "[packet]") {
  const Bytes good = samples::extension(samples::mpls_objects());
  Bytes wrong = good;
  wrong.back() ^= 1;
  const Bytes legacy = with_extension(Family::ipv4, 128, 0, good);
  CHECK(parsed(legacy).mpls == samples::mpls_stack());
  CHECK(parsed(legacy).quote.payload.size() == 100);
  const Bytes no_extension = with_extension(Family::ipv4, 128, 0, wrong);
  CHECK(parsed(no_extension).mpls.depth == 0);
  CHECK(parsed(no_extension).quote.payload.size() == 100 + wrong.size());
  const Bytes elsewhere = with_extension(Family::ipv4, 132, 0, good);
  CHECK(parsed(elsewhere).mpls.depth == 0);
  const Bytes v6 = with_extension(Family::ipv6, 128, 0, good);
  CHECK(parsed(v6).mpls.depth == 0);
}

TEST_CASE("messages without a length attribute are all quote", "[packet]") {
  // The MTU of packet too big and the pointer of a parameter problem stand where other messages have the length.
  const Bytes quote = samples::written(samples::probe(Family::ipv6, Protocol::udp, 200));
  for (const std::uint8_t type : {std::uint8_t{2}, std::uint8_t{4}}) {
    CAPTURE(type);
    const Bytes bytes = samples::icmp(Family::ipv6, type, 0, 0x10000000, quote);
    CHECK(parsed(bytes).quote.payload.size() == 152);
    CHECK(parsed(bytes).mtu == (type == 2 ? 0x10000000 : 0));
  }
}

TEST_CASE("kept labels are what was kept, and what their copies share", "[packet]") {
  MplsStack stack;
  CHECK(KeptMpls(stack).empty());
  stack.depth = 2;
  stack.labels[0].label = 16;
  stack.labels[1].label = 17;
  KeptMpls kept = stack;
  const KeptMpls copy = kept;
  CHECK(copy == kept);
  REQUIRE(kept.view().size() == 2);
  CHECK(kept.view()[1].label == 17);
  CHECK(copy.view().data() == kept.view().data());  // shared: it never changes
  kept = KeptMpls();
  CHECK(kept.empty());
  CHECK(kept.view().empty());
  CHECK_FALSE(copy == kept);
  kept = copy;
  CHECK(kept.view()[0].label == 16);
  const KeptMpls* const self = &kept;
  kept = *self;
  CHECK(kept == copy);
}

namespace {

std::vector<InterfaceInfo> interfaces(const Bytes& objects, Family family = Family::ipv4) {
  const std::size_t words = family == Family::ipv4 ? 32 : 16;
  return parsed(with_extension(family, 128, words, samples::extension(objects))).interfaces;
}

}  // namespace

TEST_CASE("what a router tells of its interfaces is read in all its combinations", "[packet]") {
  // Role outgoing; index 17, 192.0.2.9, "eth0", MTU 9000.
  const Bytes index = samples::hex("00000011"), v4 = samples::hex("00010000 c0000209"),
              name = samples::hex("08 65746830 000000"), mtu = samples::hex("00002328");
  for (unsigned parts = 0; parts < 16; ++parts) {
    CAPTURE(parts);
    Bytes content;
    if ((parts & 8u) != 0) content = content + index;
    if ((parts & 4u) != 0) content = content + v4;
    if ((parts & 2u) != 0) content = content + name;
    if ((parts & 1u) != 0) content = content + mtu;
    const Bytes head = {0, static_cast<std::uint8_t>(4 + content.size()), 2, static_cast<std::uint8_t>(0x80u | parts)};
    for (const Family family : samples::kFamilies) {
      const auto told = interfaces(samples::mpls_objects() + head + content, family);
      REQUIRE(told.size() == 1);
      CHECK(told[0].role == InterfaceInfo::Role::outgoing);
      CHECK(told[0].index == ((parts & 8u) != 0 ? std::optional<std::uint32_t>(17) : std::nullopt));
      CHECK(told[0].address == ((parts & 4u) != 0 ? IpAddress::v4(0xc0000209) : IpAddress()));
      CHECK(told[0].name == ((parts & 2u) != 0 ? "eth0" : ""));
      CHECK(told[0].mtu == ((parts & 1u) != 0 ? std::optional<std::uint32_t>(9000) : std::nullopt));
    }
    // Cut anywhere, the object contradicts itself, and nothing of the extension is believed.
    for (std::size_t size = 0; size < content.size(); ++size) {
      Bytes cut = content;
      cut.resize(size);
      const Bytes shorter = {0, static_cast<std::uint8_t>(4 + size), 2, head[3]};
      CHECK(interfaces(shorter + cut).empty());
    }
  }
}

TEST_CASE("interface objects that lie are none, and hostile names are harmless", "[packet]") {
  const auto named = [](const Bytes& name) {
    return interfaces(Bytes{0, static_cast<std::uint8_t>(4 + name.size()), 2, 0x02} + name);
  };
  const auto told = named(samples::hex("0c 1b5b324a 0a22ff 41 000000"));
  REQUIRE(told.size() == 1);
  CHECK(told[0].name == "?[2J?\"?A");
  CHECK(named(samples::hex("00 616263")).empty());           // no length
  CHECK(named(samples::hex("05 61626364 000000")).empty());  // not a multiple of 4
  CHECK(named(samples::hex("08 616263")).empty());           // longer than the object
  Bytes longest(64, 'x');
  longest[0] = 64;
  REQUIRE(named(longest).size() == 1);
  CHECK(named(longest)[0].name.size() == 63);
  Bytes longer(68, 'x');
  longer[0] = 68;
  CHECK(named(longer).empty());
  CHECK(interfaces(samples::hex("000c0204 00030000 c0000209")).empty());  // an unknown address family

  const Bytes one = samples::hex("00080208 00000001");
  CHECK(interfaces(one + one + one + one + one + one).size() == ReplyNotes::kMostInterfaces);
}

TEST_CASE("notes are kept once for all who hold them", "[packet]") {
  CHECK(KeptMpls(ReplyNotes()).notes() == nullptr);
  ReplyNotes notes;
  notes.mtu = 1400;
  const KeptMpls kept(notes);
  const KeptMpls held = kept;  // NOLINT(performance-unnecessary-copy-initialization): that is what is tested
  CHECK(held.notes() == kept.notes());
  CHECK(kept.empty());
  CHECK(kept == KeptMpls(notes));
  KeptMpls moved = held;
  moved = KeptMpls();
  CHECK(moved.notes() == nullptr);
  CHECK(kept.notes()->mtu == 1400);
}
