#include "net/http/http_encoding.hpp"

#include "catch.hpp"
#include "unit/net/http_test_client.hpp"

using ecmp::net::GzipEncoder;
using ecmp::net::prefers_gzip;

TEST_CASE("gzip is chosen by the weights a client gives", "[http]") {
  for (const char* wanted : {"gzip", "GZIP", "x-gzip", "br, gzip", "gzip, deflate, br", "*", "gzip;q=0.001",
                             "gzip ; q=0.5", "identity;q=0.5, gzip", "br;q=1.0, gzip;q=0.8, *;q=0.1", "*;q=0.3",
                             "gzip;Q=1.000", "*;q=0, gzip;q=1", "gzip;q=0.5, identity;q=0.5"}) {
    INFO(wanted);
    CHECK(prefers_gzip(wanted));
  }
  for (const char* unwanted : {"", "br", "identity", "gzip;q=0", "gzip;q=0.000", "*;q=0", "gzip;q=0, *", "deflate, br",
                               "gzip;q=0.3, identity;q=0.7", "gzip;q=2", "gzip;q=0.1234", "gzip;q=", "gzip;q=-1",
                               "gzip;level=9", "gzipped", ",,,", "gzip;q=nan"}) {
    INFO(unwanted);
    CHECK_FALSE(prefers_gzip(unwanted));
  }
}

TEST_CASE("what is compressed comes out the same, whole and in pieces", "[http]") {
  std::string plain;
  for (int line = 0; line < 20000; ++line)
    plain += "ecmp_paths{destination=\"d" + std::to_string(line) + "\"} 16\n";
  const std::string whole = ecmp::net::gzip(plain);
  CHECK(whole.size() < plain.size() / 4);
  CHECK(ecmp::test::gunzip(whole) == plain);
  CHECK(ecmp::test::gunzip(ecmp::net::gzip("")).empty());

  GzipEncoder encoder;
  std::string out;
  std::size_t at = 0;
  for (std::size_t size = 1; at < plain.size(); size = size * 3 + 1) {
    encoder.append(std::string_view(plain).substr(at, size), GzipEncoder::Flush::none, out);
    at += size;
  }
  encoder.append("", GzipEncoder::Flush::end, out);
  CHECK(ecmp::test::gunzip(out) == plain);
}

TEST_CASE("after a sync flush everything so far can be read", "[http]") {
  GzipEncoder encoder;
  std::string out;
  encoder.append("first line\n", GzipEncoder::Flush::sync, out);
  CHECK(ecmp::test::gunzip_available(out) == "first line\n");
  encoder.append("second line\n", GzipEncoder::Flush::sync, out);
  CHECK(ecmp::test::gunzip_available(out) == "first line\nsecond line\n");
}
