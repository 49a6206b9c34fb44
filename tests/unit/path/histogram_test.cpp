#include "path/statistics/histogram.hpp"

#include <algorithm>
#include <cmath>
#include <random>

#include "catch.hpp"
#include "path/statistics/statistics.hpp"

namespace ecmp {
namespace {

std::uint64_t sum_of_buckets(const HistogramView& view) {
  std::uint64_t sum = 0;
  view.each([&](const HistogramView::Bucket& bucket) { sum += bucket.count; });
  return sum;
}

}  // namespace

TEST_CASE("a bucket reaches up to and with its upper edge", "[histogram]") {
  using namespace log_buckets;
  // 1 = 2^0 is the last value of bucket 0; the next one begins bucket 1.
  CHECK(index_of_key(key_of(1)) == 0);
  CHECK(index_of_key(key_of(std::nextafter(1, 2))) == 1);
  CHECK(index_of_key(key_of(2)) == 8);
  CHECK(index_of_key(key_of(0.5)) == -8);
  CHECK(index_of_key(key_of(0.001)) == static_cast<int>(std::ceil(std::log2(0.001) * 8)));
  CHECK(upper_edge(0) == 1);
  CHECK(upper_edge(-80) == std::ldexp(1.0, -10));
  for (int index = kLowest; index <= kHighest; ++index) {
    CHECK(index_of_key(key_of(upper_edge(index))) == index);
    CHECK(upper_edge(index) == Approx(std::exp2(index / 8.0)).epsilon(1e-14));
  }
}

TEST_CASE("zero has a bucket of its own, and the ends take what lies beyond them", "[histogram]") {
  using namespace log_buckets;
  CHECK(key_of(0) == 0);
  CHECK(key_of(-1) == 0);
  CHECK(key_of(std::nan("")) == 0);
  CHECK(index_of_key(key_of(1e-300)) == kLowest);
  CHECK(index_of_key(key_of(1e300)) == kHighest);
  CHECK(index_of_key(key_of(INFINITY)) == kHighest);
}

TEST_CASE("count, sum and buckets tell of the same observations", "[histogram]") {
  Histogram histogram;
  CHECK(histogram.view().empty());
  CHECK(histogram.view().quantile(0.5) == 0);
  for (const double value : {0.0, 0.001, 0.00101, 0.5, 0.0})
    histogram.observe(value);
  histogram.observe(std::chrono::milliseconds(250));
  const HistogramView view = histogram;
  CHECK(view.count() == 6);
  CHECK(view.zero_count() == 2);
  CHECK(view.sum() == Approx(0.75201));
  CHECK(sum_of_buckets(view) == view.count());
  int before = -1;
  view.each([&](const HistogramView::Bucket& bucket) {
    CHECK(static_cast<int>(bucket.key) > before);
    before = static_cast<int>(bucket.key);
  });
}

TEST_CASE("counts beyond what one word holds are exact", "[histogram]") {
  constexpr std::uint64_t kMany = (std::uint64_t{1} << 21) - 1;
  Histogram histogram;
  const std::uint32_t key = log_buckets::key_of(0.01);
  histogram.add(key, kMany);
  histogram.observe(1.0);
  CHECK(histogram.view().count() == kMany + 1);
  histogram.add(key, 1);
  CHECK(histogram.view().count() == kMany + 2);
  for (int i = 0; i < 5; ++i)
    histogram.add(key, kMany * 1000 + 7);
  CHECK(histogram.view().count() == kMany + 2 + 5 * (kMany * 1000 + 7));
  Histogram twice = histogram;
  twice.merge(histogram);
  CHECK(twice.view().count() == 2 * histogram.view().count());
  std::size_t buckets = 0;
  twice.view().each([&](const HistogramView::Bucket&) { ++buckets; });
  CHECK(buckets == 2);
}

TEST_CASE("quantiles lie in the bucket of the exact ones", "[histogram]") {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> spread(-6, 1.5);
  for (const std::size_t count : {1u, 2u, 10u, 1000u}) {
    Histogram histogram;
    std::vector<double> values;
    for (std::size_t i = 0; i < count; ++i)
      histogram.observe(values.emplace_back(spread(random)));
    std::ranges::sort(values);
    for (const double q : {0.0, 0.5, 0.9, 0.95, 0.99, 1.0}) {
      CAPTURE(count, q);
      const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(q * static_cast<double>(count))));
      CHECK(log_buckets::key_of(histogram.view().quantile(q)) == log_buckets::key_of(values[rank - 1]));
    }
  }
}

TEST_CASE("classic buckets are exact on edges, and late by less than a bucket elsewhere", "[histogram]") {
  const ClassicBounds bounds({0.25, 0.3, 1});
  std::vector<std::uint64_t> counts(4);
  Histogram histogram;
  for (const double value : {0.0, 0.1, 0.25, 0.2501, 0.28, 1.0, 1.0001})
    histogram.observe(value);
  bounds.count(histogram, {}, counts);
  // 0.28 is in (0.2726, 0.2973], below 0.3.
  CHECK(counts == std::vector<std::uint64_t>{3, 5, 6, 7});
  Histogram edge;
  edge.observe(0.299);  // in (0.2973, 0.3242], which 0.3 cuts
  bounds.count(edge, {}, counts);
  CHECK(counts == std::vector<std::uint64_t>{0, 0, 1, 1});
}

TEST_CASE("three histograms in one sequence do not mix", "[histogram]") {
  std::mt19937_64 random(8);
  std::array<Histogram, Statistics::kKinds> apart;
  Statistics together;
  for (int i = 0; i < 5000; ++i) {
    const std::size_t kind = random() % Statistics::kKinds;
    const double value = std::exp2(static_cast<double>(random() % 4000) / 100 - 20);
    apart[kind].observe(value);
    together.observe(static_cast<Statistics::Kind>(kind), value);
  }
  Statistics merged = together;
  merged.merge(together);
  for (std::size_t kind = 0; kind < apart.size(); ++kind) {
    const HistogramView view = together.view(static_cast<Statistics::Kind>(kind));
    CHECK(std::ranges::equal(view.bytes(), apart[kind].view().bytes()));
    CHECK(view.sum() == apart[kind].view().sum());
    CHECK(merged.view(static_cast<Statistics::Kind>(kind)).count() == 2 * view.count());
  }
}

TEST_CASE("observations counted at once are those counted one by one", "[histogram]") {
  std::mt19937_64 random(9);
  using Kind = Statistics::Kind;
  Statistics single;
  Statistics batched, in_place;
  for (int batch = 0; batch < 60; ++batch) {
    std::vector<Statistics::Observation> waiting;
    for (std::size_t i = random() % 150; i > 0; --i) {
      const auto kind = static_cast<Kind>(random() % Statistics::kKinds);
      if (kind == Kind::loss) {
        const auto probes = static_cast<std::uint16_t>(1 + random() % 32);
        const auto losses = static_cast<std::uint16_t>(random() % (probes + 1u));
        waiting.push_back(Statistics::Observation::of_loss(losses, probes));
        single.observe(kind, static_cast<double>(losses) / probes);
      } else {
        const Duration value(static_cast<std::int64_t>(random() % (std::uint64_t{1} << random() % 40)));
        waiting.push_back(Statistics::Observation::of(kind, log_buckets::key_of(in_seconds(value)), value));
        single.observe(kind, value);
      }
    }
    batched = Statistics(batched, waiting);
    in_place.take(waiting, nullptr);
  }
  for (const Kind kind : {Kind::rtt, Kind::jitter, Kind::loss}) {
    CHECK(std::ranges::equal(in_place.view(kind).bytes(), single.view(kind).bytes()));
    CHECK(batched.view(kind).count() > 1000);
    CHECK(std::ranges::equal(batched.view(kind).bytes(), single.view(kind).bytes()));
    CHECK(batched.view(kind).sum() == single.view(kind).sum());
  }
}

TEST_CASE("classic buckets are exact at whatever bound", "[histogram]") {
  // Where 8 buckets to a power of two are cut: 2^(-53/8) = 0.010139 is the edge above 0.01, 2^(-54/8) = 0.009298 the
  // one below.
  const std::vector<double> bounds = {0.0000005, 0.0001, 0.0095, 0.01, 0.0101, 0.25, 1};
  auto exact = std::make_shared<Statistics::Bounds>();
  using Kind = Statistics::Kind;
  for (ExactBounds& kind : *exact)
    kind.add(bounds);
  const ExactBounds& of_rtt = (*exact)[0];
  CHECK(of_rtt.number_of(0.01));
  CHECK_FALSE(of_rtt.number_of(0.25));  // an edge
  CHECK_FALSE(of_rtt.number_of(1));
  const ClassicBounds classic(bounds, &of_rtt);

  std::vector<std::int64_t> values = {0, 1};
  for (const double bound : bounds) {
    const auto at = static_cast<std::int64_t>(std::llround(bound * 1e9));
    for (const std::int64_t value : {at - 1, at, at + 1})
      values.push_back(value);
  }
  Statistics single;
  std::vector<Statistics::Observation> waiting;
  for (const std::int64_t value : values) {
    single.observe(Kind::rtt, Duration(value), exact.get());
    waiting.push_back(
        Statistics::Observation::of(Kind::rtt, log_buckets::key_of(in_seconds(Duration(value))), Duration(value)));
  }
  const Statistics batched(Statistics(), waiting, exact.get());
  Statistics merged = single;
  merged.merge(batched);
  using Times = std::pair<const Statistics*, unsigned>;
  for (const auto& [statistics, times] : {Times{&single, 1u}, Times{&batched, 1u}, Times{&merged, 2u}}) {
    std::vector<std::uint64_t> counts(bounds.size() + 1);
    classic.count(statistics->rtt(), statistics->beside(Kind::rtt), counts);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      CAPTURE(bounds[i]);
      const auto below = std::ranges::count_if(
          values, [&](std::int64_t value) { return static_cast<double>(value) <= std::round(bounds[i] * 1e9); });
      CHECK(counts[i] == times * static_cast<std::uint64_t>(below));
    }
    CHECK(counts.back() == times * values.size());
  }
}

TEST_CASE("a loss ratio that is a bound is within it", "[histogram]") {
  const std::vector<double> bounds = {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};
  auto exact = std::make_shared<Statistics::Bounds>();
  (*exact)[static_cast<std::size_t>(Statistics::Kind::loss)].add(bounds);
  const ClassicBounds classic(bounds, &(*exact)[static_cast<std::size_t>(Statistics::Kind::loss)]);
  std::vector<Statistics::Observation> waiting;
  std::vector<std::uint64_t> expected(bounds.size() + 1);
  for (std::uint16_t probes = 1; probes <= 512; ++probes) {
    for (std::uint16_t losses = 0; losses <= probes; ++losses) {
      waiting.push_back(Statistics::Observation::of_loss(losses, probes));
      // losses / probes <= bound, in whole numbers: the bounds are hundredths.
      for (std::size_t i = 0; i < bounds.size(); ++i)
        expected[i] += 100u * losses <= std::lround(100 * bounds[i]) * probes ? 1u : 0u;
      ++expected.back();
    }
  }
  const Statistics statistics(Statistics(), waiting, exact.get());
  std::vector<std::uint64_t> counts(bounds.size() + 1);
  classic.count(statistics.loss(), statistics.beside(Statistics::Kind::loss), counts);
  CHECK(counts == expected);
}

TEST_CASE("bounds that come, go and come back count on, and no bucket falls", "[histogram]") {
  using Kind = Statistics::Kind;
  auto first = std::make_shared<Statistics::Bounds>();
  (*first)[0].add(std::vector<double>{0.01});
  auto second = std::make_shared<Statistics::Bounds>(*first);
  (*second)[0].add(std::vector<double>{0.0095});
  CHECK((*second)[0].number_of(0.01) == (*first)[0].number_of(0.01));
  Statistics statistics;
  const auto at = [&](double bound, const Statistics::Bounds& bounds) {
    std::vector<std::uint64_t> counts(2);
    ClassicBounds({bound}, bounds.data()).count(statistics.rtt(), statistics.beside(Kind::rtt), counts);
    return counts[0];
  };
  for (int i = 0; i < 100; ++i)
    statistics.observe(Kind::rtt, 0.0094, first.get());
  CHECK(at(0.01, *first) == 100);
  // Before the bound was there nobody counted for it: those of its bucket are above it.
  CHECK(at(0.0095, *second) == 0);
  for (int i = 0; i < 10; ++i)
    statistics.observe(Kind::rtt, 0.0094, second.get());
  CHECK(at(0.0095, *second) == 10);
  CHECK(at(0.01, *second) == 110);
}

TEST_CASE("more bounds than are counted for are late by less than a bucket", "[histogram]") {
  ExactBounds bounds;
  std::vector<double> many;
  for (int i = 0; i < 1000; ++i)
    many.push_back(0.0011 + 0.0000123 * i);
  bounds.add(many);
  CHECK(bounds.number_of(many[ExactBounds::kMost - 1]));
  CHECK_FALSE(bounds.number_of(many.back()));
}

}  // namespace ecmp
