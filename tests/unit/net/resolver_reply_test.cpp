#include "net/dns/resolver_reply.hpp"

#include <random>

#include "catch.hpp"
#include "unit/net/dns_test_server.hpp"

using namespace ecmp;
using namespace ecmp::net;
using namespace ecmp::test;

namespace {

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

std::string good_reply() {
  Question question;
  question.packet = std::string("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 12) + wire_name("1.in-addr.arpa") +
                    std::string("\x00\x0c\x00\x01", 4);
  return Reply(question)
      .add(kTypeCname, 300, wire_name("1.rev.example"))
      .add(kTypePtr, 600, wire_label("host") + "\xc0\x0e")
      .bytes();
}

}  // namespace

TEST_CASE("reverse names are written as RFC 1035 and RFC 3596 say", "[resolver]") {
  CHECK(reverse_query_name(*IpAddress::parse("192.0.2.1")) == "1.2.0.192.in-addr.arpa");
  CHECK(reverse_query_name(*IpAddress::parse("4321:0:1:2:3:4:567:89ab")) ==
        "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa");
}

TEST_CASE("a PTR reply with a compressed name is read", "[resolver]") {
  const auto record = parse_ptr_reply(view(good_reply()));
  REQUIRE(record);
  CHECK(record->name == "host.in-addr.arpa");
  CHECK(record->ttl_seconds == 300);
}

TEST_CASE("a PTR reply cut off anywhere is not a reply", "[resolver]") {
  const std::string reply = good_reply();
  for (std::size_t size = 0; size < reply.size(); ++size)
    CHECK_FALSE(parse_ptr_reply(view(reply.substr(0, size))));
}

TEST_CASE("100,000 mutated PTR replies are survived, and every name read is clean", "[resolver]") {
  constexpr unsigned kSeed = 20260101;
  INFO("seed " << kSeed);
  std::mt19937 random(kSeed);
  const std::string reply = good_reply();
  int read = 0;
  for (int count = 0; count < 100000; ++count) {
    std::string mutated = reply;
    for (unsigned times = 1 + random() % 4; times > 0; --times)
      mutated[random() % mutated.size()] = static_cast<char>(random());
    if (const auto record = parse_ptr_reply(view(mutated))) {
      ++read;
      if (record->name.empty() || record->name.size() > 253 || clean_name(record->name + ".") != record->name) {
        FAIL("bad name " << record->name);
      }
    }
  }
  CHECK(read > 100);
}

TEST_CASE("names are cleaned of what is no text, hides or reorders it", "[resolver]") {
  CHECK(clean_name("plain.example.") == "plain.example");
  CHECK(clean_name("") == "");
  CHECK(clean_name(".") == "");
  CHECK(clean_name("m\xc3\xbcnchen") == "m\xc3\xbcnchen");
  CHECK(clean_name("\xf0\x9f\x90\x99") == "\xf0\x9f\x90\x99");
  CHECK(clean_name("a\xff\xfe"
                   "b") == "a??b");
  CHECK(clean_name("\xc3") == "?");
  CHECK(clean_name("\xc0\xaf") == "??");            // an overlong slash
  CHECK(clean_name("\xed\xa0\x80") == "???");       // a surrogate
  CHECK(clean_name("\xf4\x90\x80\x80") == "????");  // beyond Unicode
  CHECK(clean_name("\xc2\x9b"
                   "31m") == "?31m");  // CSI in one character
  CHECK(clean_name("\xe2\x80\xae"
                   "moc") == "?moc");  // right-to-left override
  CHECK(clean_name("a\tb\nc\rd\x7f") == "a?b?c?d?");
  CHECK(clean_name(std::string(300, 'a')).size() == 253);
  CHECK(clean_name(std::string(252, 'a') + "\xc3\xbc") == std::string(252, 'a'));  // no half character
}
