// What the live view costs with 64 flows of 30 hops, 10 rounds a second each: taking in the rounds, and drawing ten
// pictures a second of which only the differences are sent. Not a test: figures are for people, run it on a quiet
// machine.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "render/hop_names.hpp"
#include "tui/live_view.hpp"
#include "tui/screen_writer.hpp"

namespace {

using namespace ecmp;
using namespace std::chrono_literals;

constexpr std::uint32_t kFlows = 64;
constexpr std::uint8_t kHops = 30;
constexpr int kRoundsPerSecond = 10;
constexpr int kPicturesPerSecond = 10;
constexpr int kSeconds = 60;

class AnyNames final : public render::HopNames {
 public:
  [[nodiscard]] std::string_view name(const IpAddress&) const override { return "ae1.fra1.backbone.example.net"; }
};

/// The way of a flow: eight branches at every third hop.
IpAddress responder(std::uint32_t flow, std::uint8_t ttl) {
  const std::uint32_t branch = ttl % 3 == 0 && ttl != kHops ? (flow >> (ttl % 4)) % 8 : 0;
  return IpAddress::v4(0x0a000000u + ttl * 256u + branch);
}

std::vector<std::shared_ptr<RoundRecord>> rounds_of_a_turn(const DestinationFacts& facts) {
  std::vector<std::shared_ptr<RoundRecord>> records;
  for (std::uint32_t flow = 0; flow < kFlows; ++flow) {
    auto record = std::make_shared<RoundRecord>();
    record->flow_index = flow;
    record->source_port = facts.source_ports[flow];
    auto responders = std::make_shared<std::vector<IpAddress>>();
    record->round.distance = kHops;
    record->round.end_to_end = EndToEnd::reached;
    for (std::uint8_t ttl = 1; ttl <= kHops; ++ttl) {
      HopResult hop;
      hop.ttl = ttl;
      hop.responder = responder(flow, ttl);
      responders->push_back(hop.responder);
      record->round.hops.push_back(hop);
    }
    record->verdict.path = record->verdict.ordinal = 1 + flow % 24;
    record->verdict.responders = responders;
    records.push_back(std::move(record));
  }
  return records;
}

double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void measure(const char* what, const char* keys, std::size_t rows, std::size_t columns) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->host = "www.example.net";
  facts->source_ports = 50000;
  tui::LiveView view(facts, {});
  view.set_names(std::make_shared<AnyNames>());
  for (const char* key = keys; *key != 0; ++key)
    view.on_key(tui::character(static_cast<unsigned char>(*key)));
  tui::Grid grid(rows, columns);
  tui::ScreenWriter writer(tui::ColourDepth::truecolour);
  const auto records = rounds_of_a_turn(*facts);
  std::mt19937 random(1);
  std::exponential_distribution<double> jitter(1.0 / 200000);
  double taking = 0;
  double drawing = 0;
  double longest = 0;
  std::size_t bytes = 0;
  for (int turn = 0; turn < kSeconds * kRoundsPerSecond; ++turn) {
    for (const auto& record : records) {
      record->round.number = static_cast<std::uint32_t>(turn);
      for (HopResult& hop : record->round.hops) {
        hop.outcome = random() % 50 == 0 ? HopOutcome::silent : HopOutcome::replied;
        hop.rtt = hop.ttl * 1ms + Duration(static_cast<std::int64_t>(jitter(random)));
      }
      record->round.hops.back().outcome = HopOutcome::replied;
    }
    double begin = processor_seconds();
    for (const auto& record : records)
      view.take(*record);
    taking += processor_seconds() - begin;
    if (turn % (kRoundsPerSecond / kPicturesPerSecond) != 0) continue;
    begin = processor_seconds();
    view.draw(grid, turn * 100ms);
    bytes += writer.show(grid).size();
    const double took = processor_seconds() - begin;
    drawing += took;
    longest = std::max(longest, took);
  }
  constexpr double kPictures = kSeconds * kPicturesPerSecond;
  std::printf(
      "%-7s %3zux%-2zu  %6.1f us a picture (longest %6.1f), %5.1f us for the rounds of a turn, %6.0f bytes a "
      "picture: %.2f %% of a core\n",
      what, columns, rows, drawing / kPictures * 1e6, longest * 1e6, taking / (kSeconds * kRoundsPerSecond) * 1e6,
      static_cast<double>(bytes) / kPictures, (taking + drawing) / kSeconds * 100);
}

}  // namespace

int main() {
  std::printf("%u flows x %u hops, %d rounds and %d pictures a second\n", kFlows, kHops, kRoundsPerSecond,
              kPicturesPerSecond);
  for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{24, 80}, {50, 200}}) {
    measure("flows", "1", rows, columns);
    measure("sorted", "1sss", rows, columns);
    measure("hops", "2", rows, columns);
    measure("fan", "3", rows, columns);
    measure("search", "1/backbone", rows, columns);
  }
}
