#include "net/dns/resolver.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

#include "catch.hpp"
#include "net/dns/fair_queue.hpp"
#include "net/dns/resolver_file.hpp"
#include "unit/agent/temporary_directory.hpp"
#include "unit/net/dns_test_server.hpp"

using namespace ecmp;
using namespace ecmp::net;
using namespace ecmp::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Packets = std::vector<std::string>;

IpAddress ip(const char* text) {
  return *IpAddress::parse(text);
}

/// A resolver that asks one test server, and what it has answered so far.
class Asker {
 public:
  explicit Asker(const std::string& servers, ResolverOptions options = {}) {
    options.servers = servers;
    auto made = Resolver::make(options, [this] {
      const std::lock_guard lock(mutex_);
      ++wakes_;
      woken_.notify_all();
    });
    REQUIRE(made.ok());
    resolver_ = std::move(*made);
  }

  Resolver* operator->() { return resolver_.get(); }

  /// Waits until there are so many answers in all.
  const DnsAnswers& await(std::size_t count) {
    std::unique_lock lock(mutex_);
    const bool done = woken_.wait_for(lock, seconds(20), [this, count] {
      DnsAnswers fresh = resolver_->take_answers();
      std::ranges::move(fresh.addresses, std::back_inserter(answers_.addresses));
      std::ranges::move(fresh.names, std::back_inserter(answers_.names));
      return answers_.addresses.size() + answers_.names.size() >= count;
    });
    REQUIRE(done);
    REQUIRE(answers_.addresses.size() + answers_.names.size() == count);
    return answers_;
  }

  AddressAnswer addresses(const std::string& name, FamilyChoice family = FamilyChoice::any) {
    REQUIRE(resolver_->request_addresses(name, family));
    return await(answers_.addresses.size() + answers_.names.size() + 1).addresses.back();
  }

  NameAnswer name(const IpAddress& address) {
    REQUIRE(resolver_->request_name(address));
    return await(answers_.addresses.size() + answers_.names.size() + 1).names.back();
  }

 private:
  std::mutex mutex_;
  std::condition_variable woken_;
  int wakes_ = 0;
  DnsAnswers answers_;
  std::unique_ptr<Resolver> resolver_;  // last: its thread uses the rest
};

ResolverOptions impatient() {
  ResolverOptions options;
  options.timeout = milliseconds(50);
  options.tries = 1;
  return options;
}

}  // namespace

TEST_CASE("all addresses of a name come with the smallest TTL", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.name != "both.example") return {Reply(question, 3).bytes()};
    if (question.type == kTypeA) return {Reply(question).a("192.0.2.1", 300).a("192.0.2.2", 120).bytes()};
    if (question.type == kTypeAaaa) return {Reply(question).aaaa("2001:db8::1", 90).bytes()};
    return {};
  });
  Asker asker(server.address());
  auto any = asker.addresses("both.example");
  CHECK(any.failure == DnsFailure::none);
  CHECK(any.ttl == seconds(90));
  std::ranges::sort(any.addresses);
  CHECK(any.addresses == std::vector{ip("192.0.2.1"), ip("192.0.2.2"), ip("2001:db8::1")});

  auto v4 = asker.addresses("both.example", FamilyChoice::ipv4);
  CHECK(v4.family == FamilyChoice::ipv4);
  CHECK(v4.ttl == seconds(120));
  std::ranges::sort(v4.addresses);
  CHECK(v4.addresses == std::vector{ip("192.0.2.1"), ip("192.0.2.2")});
  CHECK(asker.addresses("both.example", FamilyChoice::ipv6).addresses == std::vector{ip("2001:db8::1")});
}

// What is looked up is published as of now, so no cache of the library may answer: c-ares has one since 1.31.
TEST_CASE("a name is asked for again though its last answer had long to live", "[resolver]") {
  std::atomic<int> queries = 0;
  DnsServer server([&queries](const Question& question) -> Packets {
    return {Reply(question).a(++queries == 1 ? "192.0.2.1" : "192.0.2.2", 3600).bytes()};
  });
  Asker asker(server.address());
  CHECK(asker.addresses("moves.example", FamilyChoice::ipv4).addresses == std::vector{ip("192.0.2.1")});
  CHECK(asker.addresses("moves.example", FamilyChoice::ipv4).addresses == std::vector{ip("192.0.2.2")});
  CHECK(queries == 2);
}

TEST_CASE("addresses and names of /etc/hosts need no server", "[resolver]") {
  std::atomic<int> queries = 0;
  DnsServer server([&queries](const Question&) -> Packets {
    ++queries;
    return {};
  });
  Asker asker(server.address(), impatient());
  const auto local = asker.addresses("localhost", FamilyChoice::ipv4);
  CHECK(local.failure == DnsFailure::none);
  CHECK(std::ranges::find(local.addresses, ip("127.0.0.1")) != local.addresses.end());
  CHECK(asker.addresses("192.0.2.7").addresses == std::vector{ip("192.0.2.7")});
  CHECK(asker.addresses("2001:db8::7").addresses == std::vector{ip("2001:db8::7")});
  CHECK(asker.addresses("2001:db8::7", FamilyChoice::ipv4).failure == DnsFailure::no_data);
  CHECK(queries == 0);
}

TEST_CASE("failures are told by their reason", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.name == "missing.example") return {Reply(question, 3).bytes()};
    if (question.name == "empty.example") return {Reply(question).bytes()};
    if (question.name == "broken.example") return {Reply(question, 2).bytes()};
    if (question.name == "refused.example") return {Reply(question, 5).bytes()};
    if (question.name == "garbage.example") return {Reply(question).add(kTypeA, 60, "x").bytes().substr(0, 40)};
    return {};
  });
  Asker asker(server.address(), impatient());
  const std::pair<const char*, DnsFailure> rows[] = {
      {"missing.example", DnsFailure::not_found},     {"empty.example", DnsFailure::no_data},
      {"broken.example", DnsFailure::server_failure}, {"refused.example", DnsFailure::server_failure},
      {"silent.example", DnsFailure::timeout},        {"", DnsFailure::bad_name},
      {"garbage.example", DnsFailure::bad_reply}};
  decltype(DnsCounters::failures) expected{};
  for (const auto& [name, failure] : rows) {
    INFO(name);
    const auto answer = asker.addresses(name, FamilyChoice::ipv4);
    CHECK(answer.name == name);
    CHECK(to_string(answer.failure) == to_string(failure));
    CHECK(answer.addresses.empty());
    ++expected[static_cast<std::size_t>(failure)];
    CHECK(asker->counters().failures == expected);
  }
  CHECK(asker.addresses(std::string("a\0b.example", 11)).failure == DnsFailure::bad_name);
  CHECK(asker.addresses(std::string(10000, 'a')).failure == DnsFailure::bad_name);
  CHECK(asker.addresses(std::string(64, 'a') + ".example").failure == DnsFailure::bad_name);
}

TEST_CASE("a reverse name comes without its final dot, with the TTL of the chain to it", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.type != kTypePtr) return {};
    if (question.name == "4.3.2.198.in-addr.arpa") {
      return {Reply(question).add(kTypePtr, 600, wire_name("ae1.core.example.net")).bytes()};
    }
    if (question.name == "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa") {
      return {Reply(question)
                  .add(kTypeCname, 30, wire_name("1.rev.example"))
                  .add(kTypePtr, 600, wire_name("six.example"))
                  .add(kTypePtr, 600, wire_name("second.example"))
                  .bytes()};
    }
    return {Reply(question, 3).bytes()};
  });
  Asker asker(server.address());
  const auto four = asker.name(ip("198.2.3.4"));
  CHECK(four.address == ip("198.2.3.4"));
  CHECK(four.failure == DnsFailure::none);
  CHECK(four.name == "ae1.core.example.net");
  CHECK(four.ttl == seconds(600));
  const auto six = asker.name(ip("2001:db8::1"));
  CHECK(six.name == "six.example");
  CHECK(six.ttl == seconds(30));
  CHECK(asker.name(ip("198.2.3.5")).failure == DnsFailure::not_found);
}

TEST_CASE("hostile reverse zones harm nobody", "[resolver]") {
  std::map<std::string, std::function<Packets(const Question&)>> zone;
  const auto ptr = [&zone](int host, const std::string& data) {
    zone[std::to_string(host) + ".2.0.192.in-addr.arpa"] = [data](const Question& question) -> Packets {
      return {Reply(question).add(kTypePtr, 60, data).bytes()};
    };
  };
  const std::string end(1, '\0');
  ptr(1, wire_label("<script>\"") + wire_label("x") + end);
  ptr(2, wire_label(std::string("nul\0\xff\x1b[31m\n", 11)) + end);
  ptr(3, wire_label("dot.in") + wire_label("m\xc3\xbcnchen") + end);
  ptr(4, wire_name(std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
                   std::string(61, 'd')));
  ptr(5, wire_name(std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
                   std::string(63, 'd') + "." + std::string(63, 'e')));
  ptr(6, "\xc0\x0c");                     // points at its own question: the address's name, harmless
  ptr(7, std::string("\xc0") + '\x36');   // points at itself
  ptr(8, std::string("\x3f") + "short");  // a label longer than the data
  ptr(9, end);                            // the root
  zone["10.2.0.192.in-addr.arpa"] = [](const Question&) -> Packets { return {"garbage"}; };
  zone["11.2.0.192.in-addr.arpa"] = [](const Question& question) -> Packets {
    const Reply forged = Reply(question).add(kTypePtr, 60, wire_name("forged.example"));
    const auto id = static_cast<std::uint16_t>(
        load16(ByteView(reinterpret_cast<const std::uint8_t*>(question.packet.data()), question.packet.size()), 0));
    return {Reply(forged).with_id(static_cast<std::uint16_t>(id ^ 1u)).bytes(),
            Reply(question).add(kTypePtr, 60, wire_name("honest.example")).bytes()};
  };
  DnsServer server([&zone](const Question& question) -> Packets {
    const auto found = zone.find(question.name);
    return found == zone.end() ? Packets{} : found->second(question);
  });
  Asker asker(server.address(), impatient());
  const auto name = [&asker](int host) { return asker.name(IpAddress::v4(0xc0000200u + static_cast<unsigned>(host))); };

  CHECK(name(1).name == "<script>\".x");  // whoever renders it escapes it
  CHECK(name(2).name == "nul???[31m?");
  CHECK(name(3).name == "dot?in.m\xc3\xbcnchen");
  CHECK(name(4).name.size() == 253);
  CHECK(name(5).failure == DnsFailure::bad_reply);
  CHECK(name(6).name == "6.2.0.192.in-addr.arpa");
  CHECK(name(7).failure == DnsFailure::bad_reply);
  CHECK(name(8).failure == DnsFailure::bad_reply);
  CHECK(name(9).failure == DnsFailure::bad_reply);
  CHECK(name(10).failure != DnsFailure::none);
  CHECK(name(11).name == "honest.example");
}

namespace {

/// Holds every query back until it is opened.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

}  // namespace

TEST_CASE("equal requests under way become one, and the queue has an end", "[resolver]") {
  Gate gate;
  DnsServer server([&gate](const Question& question) -> Packets {
    gate.pass();
    return {Reply(question).a("192.0.2.1", 60).bytes()};
  });
  ResolverOptions options;
  options.max_waiting = 2;
  Asker asker(server.address(), options);
  CHECK(asker->request_addresses("one.example", FamilyChoice::ipv4));
  CHECK(asker->request_addresses("one.example", FamilyChoice::ipv4));
  CHECK(asker->request_addresses("two.example", FamilyChoice::ipv4));
  CHECK_FALSE(asker->request_addresses("three.example", FamilyChoice::ipv4));
  // The other kind has room of its own.
  CHECK(asker->request_name(ip("192.0.2.1")));
  CHECK(asker->request_name(ip("192.0.2.2")));
  CHECK_FALSE(asker->request_name(ip("192.0.2.3")));
  CHECK(asker->request_addresses("two.example", FamilyChoice::ipv4));
  gate.open();
  asker.await(4);
  const auto counters = asker->counters();
  CHECK(counters.queries == 4);
  CHECK(counters.refused == 2);
  CHECK(asker.addresses("three.example", FamilyChoice::ipv4).addresses.size() == 1);
}

TEST_CASE("reverse look-ups are paced, and hold up no others", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.type == kTypePtr) return {Reply(question).add(kTypePtr, 60, wire_name("a.example")).bytes()};
    return {Reply(question).a("192.0.2.1", 60).bytes()};
  });
  ResolverOptions options;
  options.names_per_second = 0.0001;
  Asker asker(server.address(), options);
  for (unsigned host = 1; host <= 20; ++host)
    REQUIRE(asker->request_name(IpAddress::v4(0xc0000200u + host)));
  asker.await(1);
  CHECK(asker.addresses("some.example", FamilyChoice::ipv4).addresses.size() == 1);
  CHECK(asker->counters().queries == 2);
}

TEST_CASE("many look-ups at once are all answered", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    return {Reply(question).add(kTypePtr, 60, wire_name("r." + question.name)).bytes()};
  });
  ResolverOptions options;
  options.names_per_second = 1e6;
  options.max_in_flight = 10;
  Asker asker(server.address(), options);
  for (unsigned host = 1; host <= 500; ++host)
    REQUIRE(asker->request_name(IpAddress::v4(0xc6330000u + host)));
  for (const NameAnswer& answer : asker.await(500).names)
    CHECK(answer.name.starts_with("r."));
}

TEST_CASE("zones take turns, and the one with the fewest under way goes first", "[resolver]") {
  FairQueue<int> queue;
  for (int number = 0; number < 100; ++number)
    queue.push("dead", number);
  CHECK(queue.pop() == 0);
  CHECK(queue.pop() == 1);
  queue.push("good", 1000);
  queue.push("other", 2000);
  queue.push("good", 1001);
  CHECK(queue.pop() == 1000);
  CHECK(queue.pop() == 2000);
  CHECK(queue.pop() == 1001);  // two of each, and the one of the other zone
  CHECK(queue.under_way() == 5);
  CHECK(queue.waiting() == 98);
  queue.done("dead");
  queue.done("dead");
  queue.done("good");
  CHECK(queue.pop() == 2);
  queue.done("nowhere");
  CHECK(queue.under_way() == 3);
  for (int number = 3; number < 100; ++number)
    CHECK(queue.pop() == number);
  CHECK_FALSE(queue.pop());
}

TEST_CASE("600 names whose servers keep quiet delay no other, no reverse name and no one-off look-up", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.name.starts_with("dead")) return {};
    if (question.type == kTypePtr) return {Reply(question).add(kTypePtr, 60, wire_name("a.example")).bytes()};
    return {Reply(question).a("192.0.2.1", 60).bytes()};
  });
  ResolverOptions options;
  options.timeout = std::chrono::hours(1);  // nothing may come of waiting for the silent ones
  Asker asker(server.address(), options);
  for (int number = 0; number < 600; ++number)
    REQUIRE(asker->request_addresses("dead" + std::to_string(number) + ".example", FamilyChoice::ipv4));
  REQUIRE(asker->request_addresses("good.example", FamilyChoice::ipv4));
  REQUIRE(asker->request_addresses("probe.example", FamilyChoice::ipv4, NameUse::one_off));
  REQUIRE(asker->request_addresses("good.elsewhere", FamilyChoice::ipv4));
  REQUIRE(asker->request_name(ip("192.0.2.1")));
  const DnsAnswers& answers = asker.await(4);
  CHECK(answers.names.size() == 1);
}

TEST_CASE("silent names of one kind or zone that take all places leave the others theirs", "[resolver]") {
  DnsServer server([](const Question& question) -> Packets {
    if (question.name.starts_with("dead")) return {};
    return {Reply(question).a("192.0.2.1", 60).bytes()};
  });
  ResolverOptions options = impatient();
  options.max_in_flight = 4;
  Asker asker(server.address(), options);
  for (int number = 0; number < 40; ++number)
    REQUIRE(asker->request_addresses("dead" + std::to_string(number) + ".silent", FamilyChoice::ipv4));
  REQUIRE(asker->request_addresses("good.example", FamilyChoice::ipv4));
  REQUIRE(asker->request_addresses("localhost", FamilyChoice::ipv4));
  REQUIRE(asker->request_addresses("probe.silent", FamilyChoice::ipv4, NameUse::one_off));
  const auto& answers = asker.await(42 + 1).addresses;
  const auto place = [&answers](std::string_view name) {
    return std::ranges::find(answers, name, &AddressAnswer::name) - answers.begin();
  };
  CHECK(place("localhost") == 0);  // of /etc/hosts: it waits for nothing
  CHECK(place("probe.silent") <= 2);
  CHECK(place("good.example") <= 4 + 2);  // behind those that were under way before
}

TEST_CASE("a file is seen to change however it is replaced", "[resolver]") {
  const TemporaryDirectory directory;
  const std::filesystem::path base = directory.path();
  const auto write = [](const std::filesystem::path& path, std::string_view text) { std::ofstream(path) << text; };
  write(base / "first", "nameserver 192.0.2.1\n");
  write(base / "second", "nameserver 192.0.2.2\n");
  std::filesystem::create_symlink("first", base / "target");
  std::filesystem::create_symlink("target", base / "resolv.conf");
  FileSignature file((base / "resolv.conf").string());
  CHECK_FALSE(file.changed());
  write(base / "first", "nameserver 192.0.2.33\n");
  CHECK(file.changed());
  CHECK_FALSE(file.changed());
  std::filesystem::remove(base / "target");
  CHECK(file.changed());
  std::filesystem::create_symlink("second", base / "target");  // a link on the way to it
  CHECK(file.changed());
  write(base / "third", "nameserver 192.0.2.2\n");
  std::filesystem::rename(base / "third", base / "second");
  CHECK(file.changed());
  CHECK_FALSE(file.changed());
}

TEST_CASE("other name servers are asked for what the old ones have not answered", "[resolver]") {
  std::atomic<bool> answers = false;
  std::atomic<int> questions = 0;
  DnsServer server([&](const Question& question) -> Packets {
    ++questions;
    if (!answers) return {};
    return {Reply(question).a("192.0.2.1", 60).bytes()};
  });
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/resolv.conf";
  std::ofstream(path) << "nameserver fe80::1%eth0\n";
  std::mutex mutex;
  std::vector<std::string> warnings;
  ResolverOptions options;
  options.timeout = std::chrono::hours(1);
  options.resolv_conf = path;
  options.warn = [&](const std::string& line) {
    const std::lock_guard lock(mutex);
    warnings.push_back(line);
  };
  Asker asker(server.address(), options);
  REQUIRE(asker->request_addresses("a.example", FamilyChoice::ipv4));
  while (questions == 0)
    std::this_thread::yield();
  answers = true;
  std::ofstream(path) << "nameserver 127.0.0.1\n";
  CHECK(asker.await(1).addresses.front().addresses == std::vector{ip("192.0.2.1")});
  CHECK(asker->server_changes() == 1);
  asker->stop();
  CHECK(warnings == std::vector<std::string>{"name server fe80::1%eth0 of " + path +
                                             " is not used: this version of c-ares passes over addresses with a zone"});
}

TEST_CASE("name servers of a link are found as resolv.conf(5) has them", "[resolver]") {
  CHECK(servers_with_zone(
            "# nameserver fe80::9%x\nnameserver 192.0.2.1\n nameserver fe80::8%x\n"
            "nameserver\tfe80::1%eth0 \nnameserverfe80::7%x\nsearch a%b\nnameserver fe80::2%2\r\nnameserver\n"
            "nameserver fe80::3\nnameserver 169.254.0.1") ==
        std::vector<std::string>{"fe80::1%eth0", "fe80::2%2", "fe80::3"});
}

TEST_CASE("a resolver stops though nobody answers", "[resolver]") {
  DnsServer server([](const Question&) -> Packets { return {}; });
  ResolverOptions options;
  options.timeout = std::chrono::hours(1);  // only stop() can end the wait
  Asker asker(server.address(), options);
  for (unsigned host = 1; host <= 100; ++host)
    asker->request_name(IpAddress::v4(0xc0000200u + host));
  asker->request_addresses("a.example", FamilyChoice::any);
  asker->stop();
  asker->stop();
  CHECK(asker->take_answers().names.empty());
}
