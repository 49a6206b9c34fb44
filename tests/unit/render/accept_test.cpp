#include "render/metrics/accept.hpp"

#include <random>
#include <string>

#include "catch.hpp"

using namespace ecmp::render;

namespace {

constexpr const char* kText = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kOpenMetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr const char* kDraft = "application/openmetrics-text; version=0.0.1; charset=utf-8";
constexpr const char* kProtobuf =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

std::string answer(std::string_view accept) {
  return std::string(negotiate_format(accept).content_type);
}

}  // namespace

TEST_CASE("the headers that Prometheus sends get what it wants most", "[render][accept]") {
  // 2.42, without and with native histograms.
  CHECK(answer("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
               "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == kOpenMetrics);
  CHECK(answer("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
               "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
               "text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == kProtobuf);
  // 3.x, without and with native histograms.
  CHECK(answer("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
               "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
               "text/plain;version=0.0.4;q=0.3,*/*;q=0.2") == kOpenMetrics);
  CHECK(answer("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
               "escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
               "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2") ==
        kProtobuf);
  // Before OpenMetrics became 1.0.0.
  CHECK(answer("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1") == kDraft);
}

TEST_CASE("who names no format gets text", "[render][accept]") {
  for (const char* accept :
       {"", "*/*", "text/*", "text/plain", "application/*", "text/html,application/xhtml+xml,*/*;q=0.8", "nonsense",
        "application/json", "image/png;q=1", "text/plain;version=1.0.0",
        "application/openmetrics-text;version=2.0.0"}) {
    CAPTURE(accept);
    CHECK(answer(accept) == kText);
  }
}

TEST_CASE("the highest quality wins, and 0 refuses", "[render][accept]") {
  CHECK(answer("application/openmetrics-text;q=0.4,text/plain;q=0.5") == kText);
  CHECK(answer("application/openmetrics-text;q=0.501,text/plain;q=0.5") == kOpenMetrics);
  CHECK(answer("application/openmetrics-text;q=0,*/*;q=0.1") == kText);
  CHECK(answer("application/openmetrics-text;q=0.000") == kText);
  CHECK(answer("text/plain;q=0,application/openmetrics-text;q=0.001") == kOpenMetrics);
  CHECK(answer("*/*;q=0.9,application/openmetrics-text;q=0.5") == kText);
  // The most exact of the ranges that fit says how good it is.
  CHECK(
      answer("application/openmetrics-text;q=0.9,application/openmetrics-text;version=1.0.0;q=0.1,text/plain;q=0.5") ==
      kDraft);
  CHECK(answer("text/*;q=1,text/plain;q=0.1,application/openmetrics-text;q=0.2") == kOpenMetrics);
}

TEST_CASE("of equal quality the more exact name wins, then the better format", "[render][accept]") {
  CHECK(answer("text/plain;version=0.0.4,application/openmetrics-text") == kText);
  CHECK(answer("text/plain,application/openmetrics-text") == kOpenMetrics);
  CHECK(answer("*/*,application/openmetrics-text") == kOpenMetrics);
  CHECK(answer("text/plain,application/openmetrics-text,application/vnd.google.protobuf") == kProtobuf);
}

TEST_CASE("parameters must fit, while case, order, spaces and quotes do not matter", "[render][accept]") {
  CHECK(answer("application/vnd.google.protobuf;encoding=text;proto=io.prometheus.client.MetricFamily") == kText);
  CHECK(answer("application/vnd.google.protobuf;encoding=delimited;proto=other.Message") == kText);
  CHECK(answer("APPLICATION/VND.Google.Protobuf ; Encoding=\"delimited\" ;\tPROTO=\"io.prometheus.client.MetricFamily\""
               " ; q=\"0.9\"") == kProtobuf);
  CHECK(answer("application/openmetrics-text;;charset=utf-8; ;version=1.0.0;") == kOpenMetrics);
  CHECK(answer(R"(text/plain;x="a,b\",application/openmetrics-text";q=0.1 , application/openmetrics-text)") ==
        kOpenMetrics);
}

TEST_CASE("what cannot be read costs itself only", "[render][accept]") {
  for (const char* bad :
       {"/", "text", "text/", ";q=1", "application/openmetrics-text;q=2", "application/openmetrics-text;q=0.1234",
        "application/openmetrics-text;q=-1", "application/openmetrics-text;q=", "application/openmetrics-text;q=1.001",
        "application/openmetrics-text;version", "application/openmetrics-text x", "\x80\xff"}) {
    CAPTURE(bad);
    CHECK(answer(bad) == kText);
    CHECK(answer(std::string(bad) + ",application/vnd.google.protobuf") == kProtobuf);
  }
  CHECK(answer("text/plain;x=\"never closed, application/openmetrics-text") == kText);
}

TEST_CASE("a header without end takes no time, and any bytes an answer", "[render][accept]") {
  std::string many;
  for (int i = 0; i < 100000; ++i) {
    many += "a/b,";
  }
  CHECK(answer(many + "application/openmetrics-text") == kText);
  CHECK(answer("application/openmetrics-text," + many) == kOpenMetrics);
  const unsigned seed = 20260301;
  CAPTURE(seed);
  std::mt19937 random(seed);
  const std::string alphabet = "application/openmetrics-text;version=1.0.0,q=\"\\ */*\t\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string accept;
    for (std::size_t size = random() % 80; size > 0; --size) {
      accept.push_back(alphabet[random() % alphabet.size()]);
    }
    CAPTURE(accept);
    const std::string type = answer(accept);
    REQUIRE((type == kText || type == kOpenMetrics || type == kDraft || type == kProtobuf));
  }
}
