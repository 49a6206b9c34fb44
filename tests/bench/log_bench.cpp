// How long the probing loop is held up by those who read its rounds: log_bench [DESTINATIONS [FLOWS [READERS
// [SECONDS]]]] Readers ask for the newest round of every flow, again and again, with the low priority of HTTP threads.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/resource.h>
#include <thread>
#include <vector>

#include "agent/history/round_log.hpp"

using namespace ecmp;
using Clock = std::chrono::steady_clock;

int main(int argc, char** argv) {
  const auto argument = [&](int at, std::size_t otherwise) {
    return argc > at ? static_cast<std::size_t>(std::strtoull(argv[at], nullptr, 10)) : otherwise;
  };
  const std::size_t destinations = argument(1, 10000);
  const auto flows = static_cast<std::uint16_t>(argument(2, 32));
  const std::size_t readers = argument(3, 8);
  const auto seconds = std::chrono::seconds(argument(4, 10));

  std::vector<std::shared_ptr<const DestinationFacts>> facts;
  for (std::size_t i = 0; i < destinations; ++i) {
    auto made = std::make_shared<DestinationFacts>();
    made->name = "destination-" + std::to_string(i);
    made->flows = flows;
    facts.push_back(std::move(made));
  }
  RoundLog log(std::size_t{256} << 20);
  const auto record = [&](std::size_t number) {
    auto made = std::make_shared<RoundRecord>();
    made->destination = facts[number / flows % destinations];
    made->flow_index = static_cast<std::uint32_t>(number % flows);
    made->round.hops.resize(8);
    return made;
  };
  std::size_t number = 0;
  for (; number < destinations * flows; ++number)
    log.add(record(number));

  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> pages = 0, largest = 0;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < readers; ++i) {
    threads.emplace_back([&] {
      ::setpriority(PRIO_PROCESS, 0, 10);
      History::NewestPage page;
      while (!over) {
        page = log.newest({}, page.more ? page.after : std::string(), UINT64_MAX);
        ++pages;
        largest = std::max<std::uint64_t>(largest, page.looked);
      }
    });
  }
  std::vector<std::int64_t> took;
  const auto begin = Clock::now();
  while (Clock::now() - begin < seconds) {
    for (int i = 0; i < 32; ++i) {  // a millisecond of 32,000 rounds a second
      const auto made = record(number++);
      const auto before = Clock::now();
      log.add(made);
      took.push_back((Clock::now() - before).count());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  over = true;
  for (std::thread& thread : threads)
    thread.join();
  std::ranges::sort(took);
  const auto at = [&](double share) {
    return static_cast<double>(took[static_cast<std::size_t>(share * static_cast<double>(took.size() - 1))]) / 1e3;
  };
  std::printf(
      "%zu x %u, %zu readers: add() p50 %.1f us, p99 %.1f us, p99.9 %.1f us, most %.1f us; %zu rounds, %llu pages"
      " of at most %llu flows\n",
      destinations, unsigned{flows}, readers, at(0.5), at(0.99), at(0.999), at(1), took.size(),
      static_cast<unsigned long long>(pages), static_cast<unsigned long long>(largest));
  return 0;
}
