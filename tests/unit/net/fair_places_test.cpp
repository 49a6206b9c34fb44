#include "net/http/fair_places.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include "catch.hpp"

using ecmp::IpAddress;
using ecmp::net::ClientPlace;
using ecmp::net::FairPlaces;
using ecmp::net::monotonic_now;
using ecmp::net::StopSignal;
using std::chrono::milliseconds;

namespace {

const IpAddress kMany = IpAddress::v4(0x7f000001);
const IpAddress kOther = IpAddress::v4(0x7f000002);

ecmp::Instant in(ecmp::Duration time) {
  return monotonic_now() + time;
}

/// Until so many threads are about to wait, and a moment more.
void spin(const std::atomic<int>& waiting, int count) {
  while (waiting < count)
    std::this_thread::yield();
  for (const ecmp::Instant end = in(milliseconds(50)); monotonic_now() < end;)
    std::this_thread::yield();
}

}  // namespace

TEST_CASE("a client that waits goes before another's next turn, however many the other has waiting", "[http]") {
  const auto places = std::make_shared<FairPlaces>(1);
  std::atomic<int> waiting = 0;
  std::mutex mutex;
  std::vector<IpAddress> order;
  auto first = FairPlaces::take(places, {kMany, nullptr}, in(std::chrono::seconds(1)));
  REQUIRE(first != nullptr);
  std::vector<std::jthread> threads;
  const auto wait = [&](const IpAddress& client) {
    threads.emplace_back([&, client] {
      ++waiting;
      const auto turn = FairPlaces::take(places, {client, nullptr}, in(std::chrono::seconds(20)));
      CHECK(turn != nullptr);
      const std::lock_guard lock(mutex);
      order.push_back(client);
    });
  };
  for (int count = 0; count < 20; ++count)
    wait(kMany);
  spin(waiting, 20);
  wait(kOther);
  spin(waiting, 21);
  first = nullptr;
  threads.clear();
  REQUIRE(order.size() == 21);
  CHECK(order.front() == kOther);
}

TEST_CASE("a share binds only while a quarter of the places is left or less", "[http]") {
  const auto places = std::make_shared<FairPlaces>(8, 2);
  std::vector<FairPlaces::Token> held;
  const auto take = [&](const IpAddress& client) {
    auto token = FairPlaces::take(places, {client, nullptr}, monotonic_now());
    if (token != nullptr) held.push_back(token);
    return token != nullptr;
  };
  for (int count = 0; count < 6; ++count)
    CHECK(take(kMany));
  CHECK_FALSE(take(kMany));
  CHECK(take(kOther));
  CHECK(take(kOther));
  CHECK_FALSE(take(kOther));
  CHECK(places->refused() == 2);
  held.pop_back();
  held.pop_back();
  held.pop_back();
  CHECK(take(kMany));
}

TEST_CASE("the slowest of those that stall loses its place to one that waits", "[http]") {
  StopSignal stop;
  const auto places = std::make_shared<FairPlaces>(3);
  std::vector<std::shared_ptr<ClientPlace>> clients;
  std::vector<FairPlaces::Token> held;
  for (int count = 0; count < 3; ++count) {
    const auto client = std::make_shared<ClientPlace>(kMany, false, stop);
    client->pace().begin(std::chrono::hours(1));
    client->enter(ClientPlace::Stage::answering);
    held.push_back(FairPlaces::take(places, {kMany, client}, monotonic_now()));
    REQUIRE(held.back() != nullptr);
    clients.push_back(client);
  }
  clients[0]->pace().took(1000);
  clients[1]->pace().took(10);
  clients[0]->pace().wait_begins(monotonic_now());
  clients[1]->pace().wait_begins(monotonic_now());
  // The third is not waited for. Nobody has been waited for long enough yet.
  CHECK(FairPlaces::take(places, {kOther, nullptr}, in(milliseconds(100))) == nullptr);
  CHECK(places->evicted() == 0);
  while (!clients[0]->stalled(monotonic_now()) || !clients[1]->stalled(monotonic_now()))
    std::this_thread::yield();
  std::jthread one([&] {
    while (!clients[1]->evicted())
      std::this_thread::yield();
    held[1] = nullptr;
  });
  CHECK(FairPlaces::take(places, {kOther, nullptr}, in(std::chrono::seconds(10))) != nullptr);
  CHECK(clients[1]->evicted());
  CHECK_FALSE(clients[0]->evicted());
  CHECK_FALSE(clients[2]->evicted());
}

TEST_CASE("a client that has its share gets a place that it lets stall itself, and nobody else's", "[http]") {
  StopSignal stop;
  const auto places = std::make_shared<FairPlaces>(4, 1);
  const auto stuck = [&stop](const IpAddress& client) {
    auto place = std::make_shared<ClientPlace>(client, false, stop);
    place->pace().begin(std::chrono::hours(1));
    place->enter(ClientPlace::Stage::answering);
    place->pace().wait_begins(monotonic_now() - ClientPlace::kStalled);
    return place;
  };
  const auto own = stuck(kMany), others = stuck(kOther);
  auto first = FairPlaces::take(places, {kMany, own}, monotonic_now());
  const auto second = FairPlaces::take(places, {kOther, others}, monotonic_now());
  const auto third = FairPlaces::take(places, {kOther, nullptr}, monotonic_now());
  REQUIRE((first && second && third));
  std::jthread ends([&] {
    while (!own->evicted())
      std::this_thread::yield();
    first = nullptr;
  });
  const auto again = FairPlaces::take(places, {kMany, nullptr}, in(std::chrono::seconds(10)));
  CHECK(again != nullptr);
  CHECK(FairPlaces::take(places, {kMany, nullptr}, in(std::chrono::hours(1))) == nullptr);
  CHECK_FALSE(others->evicted());
}

TEST_CASE("nobody waits for a place while the server stops", "[http]") {
  StopSignal stop;
  const auto places = std::make_shared<FairPlaces>(1);
  const auto held = FairPlaces::take(places, {kMany, nullptr}, monotonic_now());
  stop.raise();
  const auto begin = monotonic_now();
  CHECK(FairPlaces::take(places, {kOther, nullptr}, in(std::chrono::hours(1)), &stop) == nullptr);
  CHECK(FairPlaces::take(places, {kOther, std::make_shared<ClientPlace>(kOther, false, stop)},
                         in(std::chrono::hours(1))) == nullptr);
  CHECK(monotonic_now() - begin < std::chrono::seconds(5));
}
