#include "agent/one_off/probe_answers.hpp"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>

#include "agent/http/family_writer.hpp"
#include "agent/one_off/one_off.hpp"
#include "config/host.hpp"
#include "config/quantity.hpp"
#include "config/text.hpp"
#include "net/http/client_place.hpp"
#include "render/metrics/accept.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {
namespace {

using net::HttpRequest;
using net::HttpResponse;

constexpr Duration kLongest = std::chrono::minutes(5);
constexpr Duration kShortest = std::chrono::milliseconds(200);
/// Beyond its deadline: a turn of the probing loop, which answers then at the latest.
constexpr Duration kGrace = std::chrono::seconds(2);

Instant steady_now() {
  return Instant(std::chrono::steady_clock::now().time_since_epoch());
}

std::string_view wrong_with_family(const std::optional<IpAddress>& address, config::FamilyChoice family) {
  if (!address) return {};
  if (family == config::FamilyChoice::ipv4 && !address->is_v4())
    return "expected an IPv4 address: the module is for IPv4";
  if (family == config::FamilyChoice::ipv6 && address->is_v4())
    return "expected an IPv6 address: the module is for IPv6";
  return {};
}

constexpr render::MetricRow probe_gauge(std::string_view name, std::string_view help) {
  return {render::Subject::exporter, name, render::MetricType::gauge, "", help, false, std::nullopt};
}

/// Whether it was a success and how long it took, twice: by our names and by those of blackbox_exporter.
constexpr std::array<render::MetricRow, 4> kMetrics{
    probe_gauge("ecmp_probe_success",
                "Whether any flow reached the destination in its last round. Absent while that is not known."),
    probe_gauge("ecmp_probe_duration_seconds", "Duration of the trace, including the look-up of the name."),
    probe_gauge("probe_success", "The same as ecmp_probe_success, by the name that blackbox_exporter has for it."),
    probe_gauge("probe_duration_seconds",
                "The same as ecmp_probe_duration_seconds, by the name that blackbox_exporter has for it.")};

}  // namespace

std::span<const render::MetricRow> probe_metrics() {
  return kMetrics;
}

Result<ProbeQuery> parse_probe_query(const std::vector<std::pair<std::string, std::string>>& parameters,
                                     const std::vector<config::Module>& modules) {
  ProbeQuery query;
  std::optional<std::string> destination;
  std::optional<std::string> target;
  std::optional<std::string> module;
  std::optional<std::string> debug;
  for (const auto& [name, value] : parameters) {
    auto* const wanted = name == "destination" ? &destination
                         : name == "target"    ? &target
                         : name == "module"    ? &module
                         : name == "debug"     ? &debug
                                               : nullptr;
    if (wanted == nullptr)
      return Error{"parameter " + config::in_quotes(name) +
                   " is unknown: destination (or target), module and debug are there"};
    if (wanted->has_value()) return Error{"parameter " + name + " is there twice"};
    *wanted = value;
  }
  if (!module) return Error{"parameter module is missing: the name of a table [modules.NAME] of the configuration"};
  if (destination && target && *destination != *target)
    return Error{"parameters destination and target name different hosts: one of them is enough"};
  if (!destination) destination = std::move(target);
  if (!destination) return Error{"parameter destination is missing: an address or a host name"};
  if (debug && *debug != "true" && *debug != "false") return Error{"parameter debug: must be true or false"};
  query.debug = debug && *debug == "true";
  const auto found = std::ranges::find(modules, *module, &config::Module::name);
  if (found == modules.end()) return Error{"parameter module: " + config::in_quotes(*module) + " is not configured"};
  query.module = static_cast<std::size_t>(found - modules.begin());
  const auto wrong = [&destination](std::string_view what) {
    return Error{"parameter destination=" + config::in_quotes(*destination) + ": " + std::string(what)};
  };
  auto host = config::parse_host(*destination);
  if (!host.ok()) return wrong(host.error());
  const std::string_view family = wrong_with_family(host->address, found->probe.family);
  if (!family.empty()) return wrong(family);
  const auto link = host->address ? config::wrong_with_link(*host->address, found->probe.interface) : "";
  if (!link.empty()) return wrong(link);
  query.host = std::move(host->name);
  query.address = host->address;
  return query;
}

std::optional<bool> trace_reached(const DestinationSnapshot* snapshot) {
  if (snapshot == nullptr) return false;
  if (snapshot->measured) return snapshot->up;
  if (std::ranges::any_of(snapshot->paths, &PathSnapshot::complete)) return true;
  switch (snapshot->unjudged) {
    case Unjudged::suppressed:
    case Unjudged::left_out:
    case Unjudged::undecided:
      return std::nullopt;
    default:
      return false;
  }
}

Result<Duration> probe_time(std::optional<Duration> scrape_timeout, const config::OneOffLimits& settings) {
  const Duration wait = scrape_timeout.value_or(settings.timeout);
  if (wait < settings.timeout_offset + kShortest) {
    return Error{fmt::format("a scrape timeout of {:.3f} s is too short: timeout_offset of [one_off] is {:.3f} s",
                             std::chrono::duration<double>(wait).count(),
                             std::chrono::duration<double>(settings.timeout_offset).count())};
  }
  return std::min(wait - settings.timeout_offset, kLongest);
}

void ProbeAnswers::add_routes(net::HttpServer& server) {
  server.route("GET", "/probe", [this](const HttpRequest& request) { return answer(request); });
}

HttpResponse ProbeAnswers::answer(const HttpRequest& request) const {
  if (modules_.empty())
    return HttpResponse::text(404, "no module is configured: GET /probe is for tables [modules.NAME]");
  // A page that somebody looks at must not send probes from his network.
  if (request.cross_site) return HttpResponse::text(403, "a browser asks for this on behalf of another site");
  const auto query = parse_probe_query(request.query, modules_);
  if (!query.ok()) return HttpResponse::text(400, query.error());
  const auto time = probe_time(request.scrape_timeout, settings_);
  if (!time.ok()) return HttpResponse::text(400, time.error());
  // Said at once where it can be, without a trace being spent on it.
  if (query->address && !one_off_allowed(*query->address, settings_.allowed_networks)) {
    sources_.desk->count(OneOffRefusal::network);
    return refused(OneOffRefusal::network, "the destination is in none of allowed_networks of [one_off]");
  }
  const Instant begun = steady_now();
  std::shared_ptr<OneOffTicket> ticket;
  const OneOffRefusal refusal = sources_.desk->admit({.module = query->module,
                                                      .host = query->host,
                                                      .address = query->address,
                                                      .client = net::client_of(request.remote_address),
                                                      .begun = begun,
                                                      .deadline = begun + *time},
                                                     ticket);
  if (refusal != OneOffRefusal::none) return refused(refusal, {});
  sources_.wake();
  const OneOffResult result = ticket->wait(begun + *time + kGrace);
  if (result.refusal != OneOffRefusal::none) return refused(result.refusal, result.problem);
  return reported(request, *query, result, steady_now() - begun);
}

HttpResponse ProbeAnswers::refused(OneOffRefusal refusal, std::string_view problem) const {
  HttpResponse response;
  switch (refusal) {
    case OneOffRefusal::rate:
      response = HttpResponse::text(
          429, fmt::format("more than requests_per_second = {} of [one_off]", settings_.requests_per_second));
      break;
    case OneOffRefusal::busy:
      response = HttpResponse::text(
          429, fmt::format("max_concurrent = {} of [one_off] are under way", settings_.max_concurrent));
      break;
    case OneOffRefusal::network:
      return HttpResponse::text(403, problem);
    default:
      return HttpResponse::text(503, problem.empty() ? "stopping" : problem);
  }
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse ProbeAnswers::reported(const HttpRequest& request, const ProbeQuery& query, const OneOffResult& result,
                                    Duration took) const {
  const std::optional<bool> success = trace_reached(result.snapshot.get());
  const auto [format, content_type] =
      query.debug ? render::negotiate_format("text/plain") : render::negotiate_format(request.accept);
  HttpResponse response;
  response.content_type = content_type;
  response.headers.emplace_back("Vary", "Accept, Accept-Encoding");
  std::string metrics;
  if (result.snapshot != nullptr) {
    render::append_exposition(metrics, std::span(&result.snapshot, 1), *sources_.names(),
                              sources_.series->options(format, {}));
  }
  const double seconds = std::chrono::duration<double>(took).count();
  FamilyWriter writer(metrics, format, {});
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    const bool of_success = i % 2 == 0;
    if (of_success && !success) continue;
    writer.begin(kMetrics[i]);
    writer(of_success ? static_cast<double>(*success) : seconds);
    writer.end();
  }
  writer.finish();
  if (!query.debug) {
    response.body = std::move(metrics);
    return response;
  }
  response.content_type = "text/plain; charset=utf-8";
  response.body =
      fmt::format("Module {}, destination {}: {}\n\n", modules_[query.module].name, config::printable(query.host),
                  !success   ? "not known whether it answers: it limits its answers"
                  : *success ? "reached"
                             : "not reached");
  for (const std::string& line : result.log)
    response.body += config::printable(line, 400) + "\n";
  if (!result.problem.empty()) response.body += result.problem + "\n";
  response.body += "\nMetrics, as a scrape returns them:\n\n" + metrics;
  return response;
}

}  // namespace ecmp
