#include "config/sections.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "base/url.hpp"
#include "config/quantity.hpp"
#include "config/text.hpp"

namespace ecmp::config {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = std::uint64_t{1} << 10;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

constexpr Range<double> kRate{0.001, 1e9, "a number from 0.001 to 1e9"};
constexpr Range<std::int64_t> kDestinations{1, 1'000'000, "a whole number from 1 to 1000000"};
constexpr Range<std::int64_t> kPerDestination{1, 65535, "a whole number from 1 to 65535"};
constexpr Range<std::int64_t> kSeries{1, 1'000'000'000, "a whole number from 1 to 1000000000"};
constexpr Range<std::int64_t> kWorstLinks{1, 100, "a whole number from 1 to 100"};
constexpr Range<double> kMinLoss{0.0001, 0.5, "a number from 0.0001 to 0.5"};
constexpr Range<Duration> kWindow{seconds(10), hours(24), "a duration from \"10s\" to \"24h\""};
constexpr Range<std::uint64_t> kMemory{64 * kKiB, kTiB, "a size from \"64KiB\" to \"1TiB\""};
constexpr Range<std::uint64_t> kAnswers{kKiB << 10, kTiB, "a size from \"1MiB\" to \"1TiB\""};
constexpr Range<std::int64_t> kPerAddress{1, 128, "a whole number from 1 to 128"};
constexpr Range<std::uint64_t> kDisk{16 * (kKiB << 10), 1024 * kTiB, "a size from \"16MiB\" to \"1024TiB\""};
constexpr Range<Duration> kRetention{minutes(1), hours(24) * 3650, "a duration from \"1m\" to \"3650d\""};
constexpr Range<Duration> kRefresh{seconds(1), hours(24) * 7, "\"ttl\" or a duration from \"1s\" to \"7d\""};
constexpr Range<Duration> kSourceRefresh{seconds(1), hours(24), "a duration from \"1s\" to \"24h\""};
constexpr Range<Duration> kSourceTimeout{std::chrono::milliseconds(100), minutes(10),
                                         "a duration from \"100ms\" to \"10m\""};
constexpr Range<std::int64_t> kShardIndex{0, 999, "a whole number from 0 to 999"};
constexpr Range<std::int64_t> kShardCount{1, 1000, "a whole number from 1 to 1000"};
/// Patterns; URLs, each of which has a thread.
constexpr std::size_t kMostSources = 64;

constexpr std::array kPathForms = {Choice<HistogramForm>{"classic", HistogramForm::classic},
                                   Choice<HistogramForm>{"native", HistogramForm::native},
                                   Choice<HistogramForm>{"both", HistogramForm::both}};
constexpr std::array kHopForms = {kPathForms[0], kPathForms[1], kPathForms[2],
                                  Choice<HistogramForm>{"off", HistogramForm::off},
                                  Choice<HistogramForm>{"auto", HistogramForm::automatic}};

constexpr std::string_view kSeconds = "a list of numbers of seconds, above 0 and rising";
constexpr std::string_view kRatios = "a list of ratios, above 0, rising and at most 1";

}  // namespace

namespace {

void read_web_limits(TableReader& reader, WebLimits& web) {
  constexpr std::string_view kHosts = "a list of host names such as \"probe.example.net\"";
  if (const auto hosts = reader.strings("allowed_hosts", kHosts)) {
    for (const Setting<std::string>& host : hosts->value) {
      if (const std::string_view wrong = wrong_with_host_name(host.value); !wrong.empty()) {
        reader.refuse("allowed_hosts", host, fmt::format("expected {}", wrong));
      } else if (std::ranges::find(web.allowed_hosts, host.value) != web.allowed_hosts.end()) {
        reader.refuse("allowed_hosts", host, "given twice");
      } else {
        web.allowed_hosts.push_back(host.value);
      }
    }
  }
  if (const auto memory = reader.size("answer_memory", kAnswers)) web.answer_memory = memory->value;
  if (const auto most = reader.integer("connections_per_address", kPerAddress))
    web.connections_per_address = static_cast<std::uint32_t>(most->value);
}

}  // namespace

void read_web(TableReader& reader, Config& config) {
  constexpr std::string_view kAddresses =
      "a list of addresses such as \":10815\", \"127.0.0.1:10815\", \"[::1]:10815\"";
  if (const auto given = reader.strings("listen_addresses", kAddresses)) {
    config.listen_addresses.clear();
    if (given->value.empty() && !reader.broken("listen_addresses"))
      reader.refuse("listen_addresses", *given, "expected at least one address");
    for (const Setting<std::string>& address : given->value) {
      if (const auto listen = parse_listen_address(address.value); !listen) {
        reader.refuse("listen_addresses", address, listen.error());
      } else if (std::ranges::find(config.listen_addresses, address.value) != config.listen_addresses.end()) {
        reader.refuse("listen_addresses", address, "given twice");
      } else {
        config.listen_addresses.push_back(address.value);
      }
    }
  }
  if (const auto file = reader.file("config_file", "the path of a file, or \"\"")) config.web_config_file = file->value;
  read_web_limits(reader, config.web);
}

void read_limits(TableReader& reader, Config& config) {
  Limits& limits = config.limits;

  const auto rate = [&reader](std::string_view key, double& limit) {
    if (const auto given = reader.positive_number(key, kRate)) limit = given->value;
  };
  const auto count = [&reader](std::string_view key, auto& limit, const Range<std::int64_t>& range) {
    if (const auto given = reader.integer(key, range))
      limit = static_cast<std::remove_reference_t<decltype(limit)>>(given->value);
  };
  rate("probes_per_second", limits.probes_per_second);
  rate("probes_per_second_per_responder", limits.probes_per_second_per_responder);
  if (const auto given = reader.boolean("adapt_to_responders")) limits.adapt_to_responders = given->value;
  count("max_destinations", limits.max_destinations, kDestinations);
  count("max_flows_per_destination", limits.max_flows_per_destination, kPerDestination);
  count("max_paths_per_destination", limits.max_paths_per_destination, kPerDestination);
  count("max_series", limits.max_series, kSeries);
}

void read_window(TableReader& reader, Config& config) {
  if (const auto duration = reader.duration("duration", kWindow)) config.window = duration->value;
}

void read_histograms(TableReader& reader, Config& config) {
  Histograms& histograms = config.histograms;
  if (const auto form = reader.choice<HistogramForm>("format", kPathForms)) histograms.paths = form->value;
  if (const auto form = reader.choice<HistogramForm>("hops", kHopForms)) histograms.hops = form->value;

  constexpr double kAny = std::numeric_limits<double>::max();
  const auto bounds = [&reader](std::string_view key, double most, std::string_view expected, auto& wanted) {
    if (auto given = reader.rising_numbers(key, most, expected)) wanted = std::move(given->value);
  };
  bounds("rtt_buckets", kAny, kSeconds, histograms.rtt);
  bounds("jitter_buckets", kAny, kSeconds, histograms.jitter);
  bounds("loss_buckets", 1, kRatios, histograms.loss);
}

void read_metrics(TableReader& reader, Config& config) {
  const auto group = [&reader](std::string_view key, bool& on) {
    if (const auto given = reader.boolean(key)) on = given->value;
  };
  group("flows", config.metrics.flows);
  group("path_windows", config.metrics.path_windows);
  group("hops", config.metrics.hops);
  group("hop_windows", config.metrics.hop_windows);
  group("links", config.metrics.links);
}

void read_history(TableReader& reader, Config& config) {
  if (const auto memory = reader.size("memory", kMemory)) config.history_memory = memory->value;
  constexpr std::string_view kDirectory = "the absolute path of a directory, or \"\"";
  HistoryDisk& disk = config.history_disk;
  if (const auto directory = reader.string("directory", kDirectory)) {
    // A service's working directory is nothing that its user chose.
    const bool usable = directory->value.empty() || (directory->value.front() == '/' && !has_control(directory->value));
    if (usable) {
      disk.directory = directory->value;
    } else {
      reader.refuse("directory", *directory, fmt::format("expected {}", kDirectory));
    }
  }
  if (const auto retention = reader.duration("retention", kRetention)) disk.retention = retention->value;
  if (const auto size = reader.size("max_size", kDisk)) disk.max_size = size->value;
  if (const auto retention = reader.duration("rollup_retention", kRetention)) disk.rollup_retention = retention->value;
  if (const auto size = reader.size("rollup_max_size", kDisk)) disk.rollup_max_size = size->value;
}

void read_dns(TableReader& reader, Config& config) {
  if (const auto names = reader.boolean("names")) config.dns.names = names->value;
  const Entry* refresh = reader.entry("refresh");
  const auto* word = refresh != nullptr ? std::get_if<std::string>(&refresh->node.value) : nullptr;
  if (word == nullptr || *word != "ttl") {
    if (const auto period = reader.duration("refresh", kRefresh)) config.dns.refresh = period->value;
  }
  if (const auto file = reader.string("asn_database", "the path of a file, or \"\""))
    config.dns.asn_database = file->value;
  if (const auto file = reader.string("city_database", "the path of a file, or \"\""))
    config.dns.city_database = file->value;
}

namespace {

/// One entry of `http`: a URL, or a table with one and a login. nullopt if it is refused.
std::optional<Setting<HttpSource>> read_http_source(const Node& node, Problems& problems) {
  Setting<HttpSource> source{.where = node.where, .text = node.text};
  if (const auto* url = std::get_if<std::string>(&node.value)) {
    source.value.url = *url;
    return source;
  }
  if (!std::holds_alternative<Node::Table>(node.value)) {
    problems.add_value("http", node.where, node.text,
                       "expected a URL such as \"http://127.0.0.1:8080/targets\", or { url = \"...\", username = "
                       "\"...\", password_file = \"...\" }");
    return std::nullopt;
  }
  TableReader reader(node, problems);
  const auto text = [&reader](std::string_view key, std::string_view expected, std::string& value) {
    if (const auto given = reader.string(key, expected)) value = given->value;
    return reader.broken(key);
  };
  bool broken = text("url", "a URL such as \"http://127.0.0.1:8080/targets\"", source.value.url);
  broken = text("username", "a user name", source.value.username) || broken;
  broken = text("password_file", "the path of a file", source.value.password_file) || broken;
  broken = text("bearer_token_file", "the path of a file", source.value.bearer_token_file) || broken;
  reader.refuse_unknown_keys();
  if (broken) return std::nullopt;
  const HttpSource& made = source.value;
  const char* wrong = nullptr;
  if (made.url.empty()) wrong = "a server needs a url";
  if (!made.bearer_token_file.empty() && !made.username.empty())
    wrong = "username and bearer_token_file do not go together";
  if (!made.password_file.empty() && made.username.empty()) wrong = "password_file needs a username";
  // RFC 7617 section 2: the first colon ends the user name.
  if (made.username.find(':') != std::string::npos || has_control(made.username))
    wrong = "a username has no colon and no control characters";
  if (wrong == nullptr) return source;
  problems.add(node.where, fmt::format("http: {}", wrong));
  return std::nullopt;
}

void read_http_sources(TableReader& reader, std::vector<HttpSource>& sources) {
  const Entry* entry = reader.entry("http");
  if (entry == nullptr) return;
  Problems& problems = reader.problems();
  const auto* nodes = std::get_if<Node::Array>(&entry->node.value);
  if (nodes == nullptr) {
    problems.add_value("http", entry->node.where, entry->node.text,
                       "expected a list of URLs such as \"http://127.0.0.1:8080/targets\"");
    return;
  }
  for (const Node& node : *nodes) {
    auto source = read_http_source(node, problems);
    if (!source) continue;
    const std::string shown = fmt::format("\"{}\"", masked_url(source->value.url));
    source->text = shown;  // a password is nothing for a log
    const auto parsed = parse_url(source->value.url);
    if (!parsed.ok()) {
      reader.refuse("http", *source, parsed.error());
    } else if (!parsed->credentials.empty() &&
               (!source->value.username.empty() || !source->value.bearer_token_file.empty())) {
      reader.refuse("http", *source, "a login within the URL and another beside it");
    } else if (std::ranges::find(sources, source->value.url, &HttpSource::url) != sources.end()) {
      reader.refuse("http", *source, "given twice");
    } else if (sources.size() >= kMostSources) {
      reader.refuse("http", *source, fmt::format("more than {} of them", kMostSources));
    } else {
      sources.push_back(std::move(source->value));
    }
  }
}

}  // namespace

void read_discovery(TableReader& reader, Config& config) {
  Discovery& discovery = config.discovery;

  const auto take = [&reader](const Setting<std::string>& given, std::vector<std::string>& list) {
    if (std::ranges::find(list, given.value) != list.end()) {
      reader.refuse("files", given, "given twice");
    } else if (list.size() >= kMostSources) {
      reader.refuse("files", given, fmt::format("more than {} of them", kMostSources));
    } else {
      list.push_back(given.value);
    }
  };
  constexpr std::string_view kFiles = "a list of file name patterns such as \"destinations.d/*.toml\"";
  if (const auto files = reader.strings("files", kFiles)) {
    for (const Setting<std::string>& file : files->value) {
      const bool known = file.value.ends_with(".toml") || file.value.ends_with(".json");
      if (known && !has_control(file.value)) {
        take(file, discovery.files);
        reader.problems().note_file({"files", file.value, file.where.line, file.where.column});
      } else {
        reader.refuse("files", file, "expected a file name pattern that ends with \".toml\" or \".json\"");
      }
    }
  }
  read_http_sources(reader, discovery.http);
  if (const auto period = reader.duration("refresh_interval", kSourceRefresh)) {
    discovery.refresh_interval = period->value;
  }
  if (const auto timeout = reader.duration("timeout", kSourceTimeout)) discovery.timeout = timeout->value;
}

void read_shard(TableReader& reader, Config& config) {
  const auto index = reader.integer("index", kShardIndex);
  const auto count = reader.integer("count", kShardCount);
  if (count) config.shard.count = static_cast<std::uint32_t>(count->value);
  if (index && index->value >= config.shard.count && !reader.broken("count")) {
    reader.refuse("index", *index, fmt::format("expected a number below count, {}", config.shard.count));
  } else if (index) {
    config.shard.index = static_cast<std::uint32_t>(index->value);
  }
}

void read_localisation(TableReader& reader, Config& config) {
  Localisation& localisation = config.localisation;
  if (const auto enabled = reader.boolean("enabled")) localisation.enabled = enabled->value;
  if (const auto most = reader.integer("worst_links", kWorstLinks))
    localisation.worst_links = static_cast<std::uint32_t>(most->value);
  if (const auto least = reader.positive_number("min_loss", kMinLoss)) localisation.min_loss = least->value;
}

}  // namespace ecmp::config
