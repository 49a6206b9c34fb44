// The numbers of the reflector are written down here by hand, as RFC 8762 section 4.3.1 has a stateful one count: one
// more for each reply that it sends.
#include "stamp/oneway_loss.hpp"

#include <algorithm>
#include <initializer_list>
#include <optional>
#include <vector>

#include "catch.hpp"

using namespace ecmp;
using namespace ecmp::stamp;
using namespace std::chrono_literals;

namespace {

constexpr Duration kTimeout = 2s;

Instant at(Duration since) {
  return Instant(1h + since);
}

/// A stream of one packet a second, answered after 10 ms.
struct Stream {
  OnewayLoss loss{kTimeout};
  OnewayCounts counts;
  std::vector<SettledPacket> packets;
  std::uint32_t second = 0;

  void settle(Duration since) {
    SettledPackets settled;
    loss.settle(at(since), settled);
    counts += settled.counts;
    packets.insert(packets.end(), settled.packets.begin(), settled.packets.end());
  }

  void lost(std::uint32_t sequence) {
    loss.sent(sequence, at(std::chrono::seconds(second)));
    ++second;
    settle(std::chrono::seconds(second));
  }
  ReplyFate answered(std::uint32_t sequence, std::uint32_t number, std::optional<Receipts> receipts = std::nullopt) {
    const Instant sent = at(std::chrono::seconds(second));
    loss.sent(sequence, sent);
    const ReplyFate fate = loss.reply({sequence, number, second, receipts}, sent + 10ms);
    ++second;
    settle(std::chrono::seconds(second));
    return fate;
  }
  /// A pair that shows a stateful reflector: 0, and 2 while 1 was never sent.
  void stateful() {
    answered(0, 0);
    answered(2, 1);
    finish();
    REQUIRE(loss.mode() == ReflectorMode::stateful);
  }
  void finish() { settle(std::chrono::seconds(second += 10)); }
};

void check(const OnewayCounts& counts, std::uint64_t packets, std::uint64_t forward, std::uint64_t reverse,
           std::uint64_t unresolved) {
  CHECK(counts.resolved + counts.round_trips == packets);
  CHECK(counts.forward == forward);
  CHECK(counts.reverse == reverse);
  CHECK(counts.unresolved == unresolved);
}

}  // namespace

TEST_CASE("A number that was left out shows what the reflector counts", "[stamp]") {
  Stream stateless;
  CHECK_FALSE(stateless.loss.wants_skip());
  stateless.answered(1, 1);
  CHECK(stateless.loss.wants_skip());
  stateless.loss.skipped();
  CHECK_FALSE(stateless.loss.wants_skip());
  stateless.answered(3, 3);
  stateless.finish();
  CHECK(stateless.loss.mode() == ReflectorMode::stateless);

  Stream stateful;
  stateful.answered(1, 1);
  stateful.answered(3, 2);
  stateful.finish();
  CHECK(stateful.loss.mode() == ReflectorMode::stateful);

  Stream shared;  // ten streams have one counter
  shared.answered(1, 1);
  shared.answered(3, 21);
  shared.finish();
  CHECK(shared.loss.mode() == ReflectorMode::unknown);
}

TEST_CASE("A stateful reflector's numbers say which way packets were lost", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.lost(3);  // never arrived: the number goes on
  stream.answered(4, 2);
  stream.lost(5);  // arrived: number 3 was sent in vain
  stream.answered(6, 4);
  stream.lost(7);  // one of each
  stream.lost(8);
  stream.answered(9, 6);
  stream.finish();
  check(stream.counts, 9, 2, 2, 0);
}

TEST_CASE("A stateless reflector shows no direction", "[stamp]") {
  Stream stream;
  stream.answered(0, 0);
  stream.answered(2, 2);
  stream.lost(3);
  stream.answered(4, 4);
  stream.finish();
  check(stream.counts, 4, 0, 0, 1);
}

TEST_CASE("Numbers that rise more than packets were lost resolve nothing", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.lost(3);
  stream.answered(4, 5);  // 2, 3 and 4 are missing, one packet is
  stream.finish();
  check(stream.counts, 4, 0, 0, 1);
}

TEST_CASE("Replies to probes of the trace are none that were lost on the way back", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.loss.foreign_reply(2);
  stream.lost(3);
  stream.answered(4, 3);
  stream.finish();
  check(stream.counts, 4, 1, 0, 0);
}

TEST_CASE("A reflector that begins to count anew is a restart, and the gap before it stays unresolved", "[stamp]") {
  Stream stream;
  stream.stateful();
  for (std::uint32_t i = 3; i < 10; ++i)
    stream.answered(i, i - 1);
  stream.lost(10);
  stream.answered(11, 0);
  stream.finish();
  CHECK(stream.counts.restarts == 1);
  check(stream.counts, 11, 0, 0, 1);
  CHECK(stream.loss.mode() == ReflectorMode::unknown);  // it may be another one
  CHECK(stream.loss.wants_skip());
}

TEST_CASE("Numbers wrap around", "[stamp]") {
  Stream stream;
  stream.answered(0xfffffffc, 0xfffffffe);
  stream.answered(0xfffffffe, 0xffffffff);
  stream.lost(0xffffffff);
  stream.answered(0, 1);  // 0 was sent in vain
  stream.lost(1);
  stream.answered(2, 2);
  stream.finish();
  check(stream.counts, 6, 1, 1, 0);
  CHECK(stream.counts.restarts == 0);
}

TEST_CASE("Packets that overtake each other are no loss, and are counted for their direction", "[stamp]") {
  Stream stream;
  stream.stateful();
  OnewayLoss& loss = stream.loss;
  const auto t = [&](Duration more) { return at(std::chrono::seconds(stream.second)) + more; };
  // 4 arrives before 3 and 5; 6 is lost on its way back (number 5); replies 6 and 7 come in the other order.
  for (std::uint32_t i = 3; i <= 9; ++i)
    loss.sent(i, t(i * 10ms));
  CHECK(loss.reply({4, 2, 0, {}}, t(100ms)) == ReplyFate::first);
  CHECK(loss.reply({3, 3, 0, {}}, t(101ms)) == ReplyFate::first);
  CHECK(loss.reply({5, 4, 0, {}}, t(102ms)) == ReplyFate::first);
  CHECK(loss.reply({8, 7, 0, {}}, t(103ms)) == ReplyFate::first);
  CHECK(loss.reply({7, 6, 0, {}}, t(104ms)) == ReplyFate::first);
  CHECK(loss.reply({9, 8, 0, {}}, t(105ms)) == ReplyFate::first);
  stream.finish();
  check(stream.counts, 9, 0, 1, 0);
  CHECK(stream.counts.reordered_forward == 1);
  CHECK(stream.counts.reordered_reverse == 1);
}

TEST_CASE("A packet that arrived twice and a reply that came twice are told apart", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.answered(3, 2);
  stream.finish();
  CHECK(stream.loss.reply({3, 2, 2, {}}, at(2s + 20ms)) == ReplyFate::unknown);  // judged long ago
  const Instant sent = at(std::chrono::seconds(stream.second));
  stream.loss.sent(4, sent);
  CHECK(stream.loss.reply({4, 3, 100, {}}, sent + 10ms) == ReplyFate::first);
  CHECK(stream.loss.reply({4, 3, 100, {}}, sent + 11ms) == ReplyFate::duplicate_reverse);
  CHECK(stream.loss.reply({4, 4, 101, {}}, sent + 12ms) == ReplyFate::duplicate_forward);
  ++stream.second;
  stream.lost(5);  // never arrived: number 4 was seen
  stream.answered(6, 5);
  stream.finish();
  check(stream.counts, 6, 1, 0, 0);
}

TEST_CASE("A reply after the timeout is a loss", "[stamp]") {
  Stream stream;
  stream.stateful();
  const Instant sent = at(std::chrono::seconds(stream.second));
  stream.loss.sent(3, sent);
  CHECK(stream.loss.next_settle() == sent + kTimeout);
  CHECK(stream.loss.reply({3, 2, 0, {}}, sent + kTimeout + 1ns) == ReplyFate::late);
  ++stream.second;
  stream.answered(4, 3);
  stream.finish();
  check(stream.counts, 4, 0, 1, 0);
}

TEST_CASE("With receipts each loss is known by itself, whatever the numbers say", "[stamp]") {
  Stream stream;
  stream.answered(1, 1, Receipts{7, 1, 0b1});
  stream.lost(2);
  stream.lost(3);
  stream.lost(4);
  stream.answered(5, 40, Receipts{7, 5, 0b10101});  // 1, 3 and 5 arrived
  stream.finish();
  check(stream.counts, 5, 2, 1, 0);
}

TEST_CASE("Receipts of a reflector that restarted say nothing of what came before", "[stamp]") {
  Stream stream;
  stream.answered(1, 1, Receipts{7, 1, 0b1});
  stream.lost(2);
  stream.lost(3);
  stream.answered(4, 0, Receipts{8, 4, 0b1});
  stream.answered(5, 1, Receipts{8, 5, 0b11});
  stream.finish();
  check(stream.counts, 5, 0, 0, 2);
  CHECK(stream.counts.restarts == 1);
}

TEST_CASE("A reflector that answers with one number always has not restarted, and shows no direction", "[stamp]") {
  Stream stream;
  for (std::uint32_t sequence = 0; sequence < 20; ++sequence) {
    if (sequence % 5 == 3) {
      stream.lost(sequence);
    } else {
      stream.answered(sequence, 0);
    }
  }
  stream.finish();
  check(stream.counts, 20, 0, 0, 4);
  CHECK(stream.counts.restarts == 0);
  CHECK(stream.loss.mode() == ReflectorMode::unknown);
}

TEST_CASE("A first packet that others overtake on the way there is no restart", "[stamp]") {
  Stream stream;
  for (std::uint32_t sequence = 0; sequence < 4; ++sequence)
    stream.loss.sent(sequence, at(100ms * sequence));
  for (std::uint32_t sequence = 1; sequence < 4; ++sequence)
    stream.loss.reply({sequence, sequence - 1, sequence, std::nullopt}, at(100ms * sequence + 10ms));
  stream.loss.reply({0, 3, 4, std::nullopt}, at(350ms));
  stream.second = 1;
  for (std::uint32_t sequence = 4; sequence < 8; ++sequence)
    stream.answered(sequence, sequence);
  stream.finish();
  CHECK(stream.counts.restarts == 0);
  CHECK(stream.counts.unresolved + stream.counts.forward + stream.counts.reverse == 0);
}

TEST_CASE("An outage is reported while it lasts", "[stamp]") {
  Stream stream;
  stream.stateful();
  std::uint32_t sequence = 3;
  for (std::size_t i = 0; i < OnewayLoss::kLongestGap + 10; ++i)
    stream.lost(sequence++);
  check(stream.counts, 2 + OnewayLoss::kLongestGap, 0, 0, OnewayLoss::kLongestGap);
}

TEST_CASE("A reflector that began to count anew during a long outage is a restart, one that went on is none",
          "[stamp]") {
  for (const bool anew : {true, false}) {
    Stream stream;
    stream.stateful();
    std::uint32_t sequence = 3;
    for (std::uint32_t i = 0; i < 10; ++i, ++sequence)
      stream.answered(sequence, sequence - 1);
    const std::uint32_t number = sequence - 1;
    for (std::size_t i = 0; i < OnewayLoss::kLongestGap + 10; ++i)
      stream.lost(sequence++);
    // 5 replies to probes of the trace before the first one to the stream.
    for (std::uint32_t i = 0; i < 5; ++i, ++sequence)
      stream.answered(sequence, (anew ? 5 : number) + i);
    stream.finish();
    CHECK(stream.counts.restarts == (anew ? 1 : 0));
    CHECK(stream.counts.reverse == 0);
  }
}

TEST_CASE("What this host failed to see or to send is not judged", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.lost(3);
  stream.loss.forget();
  stream.answered(4, 3);
  const Instant sent = at(std::chrono::seconds(stream.second));
  stream.loss.sent(5, sent);
  stream.loss.unsent(5);
  stream.finish();
  check(stream.counts, 3, 0, 0, 0);
  CHECK(stream.loss.next_settle() == Instant::max());
}

TEST_CASE("Each packet is settled with the time that it was sent at", "[stamp]") {
  const auto sent = [](std::uint32_t second) { return at(std::chrono::seconds(second)); };
  Stream stream;
  stream.stateful();  // sent in seconds 0 and 1; ends at 12
  stream.packets.clear();
  stream.answered(3, 2);  // second 12
  stream.lost(4);         // never came there
  stream.answered(5, 3);
  stream.lost(6);  // its reply had number 4
  stream.answered(7, 5);
  stream.finish();
  std::ranges::sort(stream.packets, {}, &SettledPacket::sent);
  using enum PacketFate;
  CHECK(stream.packets == std::vector<SettledPacket>{{sent(12), returned},
                                                     {sent(13), lost_forward},
                                                     {sent(14), returned},
                                                     {sent(15), lost_reverse},
                                                     {sent(16), returned}});
  CHECK(stream.counts.forward == 1);
  CHECK(stream.counts.reverse == 1);
}

TEST_CASE("Where a window lost on both ways, which packet was lost where is not said", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.packets.clear();
  stream.answered(3, 2);
  stream.lost(4);
  stream.lost(5);  // one of the two came there
  stream.answered(6, 4);
  stream.finish();
  CHECK(stream.counts.forward == 1);
  CHECK(stream.counts.reverse == 1);
  CHECK(stream.packets.size() == 4);
  CHECK(std::ranges::count(stream.packets, PacketFate::lost_anywhere, &SettledPacket::fate) == 2);
  CHECK(std::ranges::count(stream.packets, PacketFate::returned, &SettledPacket::fate) == 2);
}

TEST_CASE("An outage is settled packet by packet while it lasts", "[stamp]") {
  Stream stream;
  stream.stateful();
  stream.packets.clear();
  for (std::uint32_t i = 0; i < OnewayLoss::kLongestGap + 10; ++i)
    stream.lost(3 + i);
  CHECK(stream.packets.size() == OnewayLoss::kLongestGap);
  CHECK(std::ranges::count(stream.packets, PacketFate::lost_anywhere, &SettledPacket::fate) == OnewayLoss::kLongestGap);
}
