// Whether a destination is up is the network's answer, and nobody else's.
#include "path/model/unjudged.hpp"

#include <set>

#include "catch.hpp"
#include "path/model/destination_model.hpp"
#include "round_builder.hpp"

namespace ecmp {
namespace {

Standing standing(std::initializer_list<std::initializer_list<EndToEnd>> flows) {
  Standing sum;
  for (const auto& rounds : flows) {
    Standing::OfFlow flow;
    for (const EndToEnd outcome : rounds) {
      Round round;
      round.end_to_end = outcome;
      flow.take(round);
    }
    sum.add(flow);
  }
  return sum;
}

using enum EndToEnd;

}  // namespace

TEST_CASE("a destination is up or down by the newest rounds that the network judged", "[path][unjudged]") {
  CHECK(standing({{reached}, {lost}}).up());
  CHECK(standing({{reached}, {lost}}).why() == Unjudged::none);
  const Standing down = standing({{reached, lost}, {lost}});
  CHECK(down.judged());
  CHECK_FALSE(down.up());
  CHECK(down.why() == Unjudged::none);
}

TEST_CASE("what we could not send or see is neither up nor down", "[path][unjudged]") {
  for (const EndToEnd failure : {send_failed, unobserved}) {
    const Standing failed = standing({{reached, failure}, {lost, failure}});
    CHECK_FALSE(failed.judged());
    CHECK_FALSE(failed.up());
    CHECK(failed.why() == unjudged(failure));
  }
  // One that was lost before the others could not be asked says little.
  CHECK_FALSE(standing({{lost}, {send_failed}, {send_failed}}).judged());
  CHECK(standing({{lost}, {send_failed}, {send_failed}}).why() == Unjudged::send_failed);
  // One that cannot be asked hides no destination that is down.
  CHECK(standing({{lost}, {lost}, {send_failed}}).judged());
  CHECK(standing({{reached}, {send_failed}}).up());
}

TEST_CASE("before the first round nothing is known", "[path][unjudged]") {
  CHECK_FALSE(standing({{}, {}}).judged());
  CHECK(standing({{}, {}}).why() == Unjudged::first_round);
  CHECK(standing({{}, {reached}}).up());
  CHECK(standing({{}, {unobserved}}).why() == Unjudged::unobserved);
}

TEST_CASE("every reason has its own words", "[path][unjudged]") {
  std::set<std::string_view> labels, sentences;
  for (std::size_t i = 0; i < static_cast<std::size_t>(Unjudged::count_); ++i) {
    labels.insert(to_string(static_cast<Unjudged>(i)));
    sentences.insert(explain(static_cast<Unjudged>(i)));
  }
  CHECK(labels.size() == static_cast<std::size_t>(Unjudged::count_));
  CHECK(sentences.size() == static_cast<std::size_t>(Unjudged::count_));
}

TEST_CASE("the snapshot tells what the rounds of its flows say", "[path][unjudged]") {
  round_builder::Measured net(2);
  CHECK(net.told()->unjudged == Unjudged::first_round);
  CHECK_FALSE(net.told()->measured);
  net.one("a b D");
  CHECK(net.told()->up);
  net.one("a b -", 3);
  CHECK_FALSE(net.told()->measured);
  CHECK(net.told()->unjudged == Unjudged::send_failed);
  net.one("a b *", 3);
  CHECK(net.told()->measured);
  CHECK_FALSE(net.told()->up);
  // Another address: what the old one answered says nothing.
  DestinationFacts moved = *round_builder::facts(2);
  moved.address = round_builder::address("E");
  net.model.set_facts(std::make_shared<const DestinationFacts>(moved));
  CHECK_FALSE(net.told()->measured);
  CHECK(net.told()->unjudged == Unjudged::first_round);
}

}  // namespace ecmp
