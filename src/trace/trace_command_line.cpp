#include "trace/trace_command_line.hpp"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/format.h>
#include <limits>
#include <map>

#include "agent/arguments.hpp"
#include "agent/version.hpp"
#include "config/config.hpp"
#include "config/host.hpp"
#include "config/probe_keys.hpp"
#include "config/text.hpp"
#include "stamp/packet.hpp"

namespace ecmp {

namespace {

constexpr int kWrongValue = 1;
constexpr int kBadUsage = 2;
constexpr std::uint32_t kReportRounds = 10;
/// So many show 2 % of loss in a flow with a probability of 98 %.
constexpr std::uint32_t kFindRounds = 200;
/// As many as the configuration of the exporter allows, and as the view keeps.
constexpr std::int64_t kMostFlows = 512;
/// Rounds that follow each other faster than this say nothing more and overrun what any router answers.
constexpr Duration kLeastInterval = std::chrono::milliseconds(10);
constexpr Duration kMostTime = std::chrono::hours(24);
constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kHelpColumn = 34;

/// Said inside this file only.
struct Complaint {
  int code;
  std::string what;
};

[[noreturn]] void wrong(std::string what) {
  throw Complaint{kWrongValue, std::move(what)};
}
[[noreturn]] void misused(std::string what) {
  throw Complaint{kBadUsage, std::move(what)};
}

/// The options as they were given: flags and texts by name.
class Given {
 public:
  Given(int argc, const char* const* argv);

  [[nodiscard]] bool flag(std::string_view name) const { return flags_.at(std::string(name)); }
  [[nodiscard]] bool has(std::string_view name) const { return options_.at(std::string(name))->count() > 0; }
  [[nodiscard]] const std::string& text(std::string_view name) const { return texts_.at(std::string(name)); }
  [[nodiscard]] const std::string& destination() const { return destination_; }

  /// The number given, or `otherwise`. What is no number is bad usage; what is out of range is refused with `range`.
  [[nodiscard]] std::int64_t number(std::string_view name, std::int64_t otherwise, std::int64_t least,
                                    std::int64_t most, const std::string& range) const;
  /// "100ms", "1.5s", "0".
  [[nodiscard]] Duration time(std::string_view name, Duration otherwise, Duration least) const;
  /// "0.95", and with `percent` also "95".
  [[nodiscard]] double ratio(std::string_view name, double otherwise, const config::Range<double>& range,
                             bool percent) const;

 private:
  CLI::App app_;
  std::map<std::string, bool> flags_;
  std::map<std::string, std::string> texts_;
  std::map<std::string, CLI::Option*> options_;
  std::string destination_;
};

Given::Given(int argc, const char* const* argv) {
  app_.set_help_flag();
  for (const TraceOption& option : trace_options()) {
    const std::string name(option.name);
    const std::string names = (option.letter != 0 ? fmt::format("-{},", option.letter) : "") + "--" + name;
    if (option.value.empty()) {
      options_[name] = app_.add_flag(names, flags_[name])->disable_flag_override();
    } else {
      options_[name] = app_.add_option(names, texts_[name])->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    }
  }
  app_.add_option("DESTINATION", destination_);
  try {
    const std::vector<std::string> arguments = with_empty_values(argc, argv);
    app_.parse(static_cast<int>(arguments.size()), pointers_to(arguments).data());
  } catch (const CLI::ParseError& error) {
    misused(error.what());
  }
}

std::int64_t Given::number(std::string_view name, std::int64_t otherwise, std::int64_t least, std::int64_t most,
                           const std::string& range) const {
  if (!has(name)) return otherwise;
  const std::string& given = text(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error == std::errc::result_out_of_range) wrong(range);
  if (error != std::errc{} || end != given.data() + given.size())
    misused(fmt::format("--{}: \"{}\" is not a number", name, given));
  if (value < least || value > most) wrong(range);
  return value;
}

Duration Given::time(std::string_view name, Duration otherwise, Duration least) const {
  if (!has(name)) return otherwise;
  const std::string& given = text(name);
  const auto value = given == "0" ? std::optional<Duration>(Duration{}) : config::parse_duration(given);
  if (!value) misused(fmt::format("--{}: \"{}\" is not a time such as 100ms, 1.5s or 1m", name, given));
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(least).count();
  if (*value < least) wrong(fmt::format("--{} must be at least {}ms", name, milliseconds));
  if (*value > kMostTime) wrong(fmt::format("--{} must be at most 24h", name));
  return *value;
}

double Given::ratio(std::string_view name, double otherwise, const config::Range<double>& range, bool percent) const {
  if (!has(name)) return otherwise;
  const std::string& given = text(name);
  double value = 0;
  const auto [end, error] = std::from_chars(given.data(), given.data() + given.size(), value);
  if (error == std::errc::invalid_argument || end != given.data() + given.size())
    misused(fmt::format("--{}: \"{}\" is not a number", name, given));
  if (percent && value > 1) value /= 100;
  if (error != std::errc{} || !(value >= range.least && value <= range.most))
    wrong(fmt::format("--{}: expected {}{}", name, range.words, percent ? ", or percent, such as 99" : ""));
  return value;
}

void read_output(const Given& given, TraceRequest& request) {
  const bool json = given.flag("json");
  if (json && given.has("json-file")) wrong("cannot use both --json and --json-file");
  if (json && given.flag("report")) wrong("cannot use both --json and --report");
  if (json && given.has("diagram")) wrong("cannot use both --json and --diagram");
  if (given.flag("report") && given.has("diagram")) wrong("cannot use both --report and --diagram");
  if (given.has("json-file") && given.text("json-file").empty()) wrong("--json-file needs the path of a file");
  request.json_file = given.text("json-file");
  if (json) request.output = TraceOutput::json;
  if (given.flag("report")) request.output = TraceOutput::report;
  if (given.has("diagram")) {
    request.output = TraceOutput::diagram;
    const std::string& form = given.text("diagram");
    using enum render::DiagramForm;
    static const std::map<std::string, render::DiagramForm> forms = {
        {"ascii", ascii}, {"utf8", utf8}, {"dot", dot}, {"svg", svg}};
    const auto found = forms.find(form);
    if (found == forms.end()) wrong("diagram must be 'ascii', 'utf8', 'dot' or 'svg'");
    request.diagram = found->second;
  }
  if (given.has("find")) {
    if (given.text("find") != "loss") wrong("--find knows only 'loss'");
    if (json || given.flag("report") || given.has("diagram"))
      wrong("--find has an output of its own: it goes without --json, --report and --diagram");
    request.output = TraceOutput::report;
    request.find_loss = true;
  }
  if (given.has("asn-database") && given.text("asn-database").empty()) wrong("--asn-database needs the path of a file");
  request.asn_database = given.text("asn-database");
  if (given.has("city-database") && given.text("city-database").empty())
    wrong("--city-database needs the path of a file");
  request.city_database = given.text("city-database");
  if (given.has("hash-algorithm")) {
    const std::string& name = given.text("hash-algorithm");
    if (name != "crc32" && name != "sha256") wrong("hash algorithm must be either 'crc32' or 'sha256'");
    request.hash = name == "crc32" ? render::PathHash::crc32 : render::PathHash::sha256;
  }
  request.names = !given.flag("no-resolve");
  request.log_file = given.text("log");
  if (given.has("log-level")) {
    const auto level = log::parse_level(given.text("log-level"));
    if (!level) wrong("log level must be 'debug', 'info', 'warn' or 'error'");
    request.log_level = *level;
  }
}

void read_protocol(const Given& given, TraceRequest& request) {
  if (given.flag("tcp") && given.flag("udp")) wrong("cannot use both TCP and UDP");
  if (given.flag("tcp") && given.flag("icmp")) wrong("cannot use both TCP and ICMP");
  if (given.flag("udp") && given.flag("icmp")) wrong("cannot use both UDP and ICMP");
  for (const std::string_view other : {"tcp", "udp", "icmp"})
    if (given.flag("stamp") && given.flag(other)) wrong(fmt::format("cannot use both --stamp and --{}", other));
  if (given.flag("stamp") && given.has("simulate")) wrong("--stamp needs a network: there are no simulated reflectors");
  if (given.flag("ipv4") && given.flag("ipv6")) wrong("cannot force both IPv4 and IPv6");
  if (given.flag("ipv4")) request.family = config::FamilyChoice::ipv4;
  if (given.flag("ipv6")) request.family = config::FamilyChoice::ipv6;
  const std::int64_t port = given.number("dest-port", 0, 0, 65535, "destination port must be between 0 and 65535");
  if (given.flag("icmp")) {
    request.protocol = Protocol::icmp;
    request.port = 0;
    if (port != 0) wrong("ICMP has no destination port");
  } else {
    request.stamp = given.flag("stamp");
    request.protocol = given.flag("udp") || request.stamp ? Protocol::udp : Protocol::tcp;
    const std::uint16_t usual = request.stamp ? stamp::kPort : traits(request.protocol).usual_port;
    request.port = port == 0 ? usual : static_cast<std::uint16_t>(port);
  }
}

void read_flows(const Given& given, TraceRequest& request) {
  const std::string range = fmt::format("parallel probes must be between 1 and {}", kMostFlows);
  if (given.has("flows") && given.has("parallel-probes")) wrong("cannot use both --flows and --parallel-probes");
  const bool automatic = given.text("flows") == "auto";
  for (const std::string_view of_search : {"confidence", "max-flows", "p-min"})
    if (given.has(of_search) && !automatic) wrong(fmt::format("--{} is for --flows auto", of_search));
  if (automatic) {
    config::AutoFlows& search = request.auto_flows.emplace();
    search.confidence = given.ratio("confidence", search.confidence, config::kConfidence, true);
    search.p_min = given.ratio("p-min", search.p_min, config::kShare, false);
  }
  const std::string_view name = given.has("flows") ? "flows" : "parallel-probes";
  const std::int64_t flows =
      automatic ? given.number("max-flows", kMostFlows, 1, kMostFlows,
                               fmt::format("--max-flows: expected a whole number from 1 to {}", kMostFlows))
                : given.number(name, request.flows, 1, kMostFlows, range);
  const std::string ports = "source port+parallel probes must be below 65535";
  if (given.has("source-port")) {
    const std::int64_t first = given.number("source-port", 1, 1, 65535, ports);
    if (first + flows >= 65535) wrong(ports);
    request.source_port = static_cast<std::uint16_t>(first);
  }
  request.flows = static_cast<std::uint16_t>(flows);
  if (given.has("max-ttl") && given.text("max-ttl") == "0") wrong("maximum TTL must be at least 1");
  request.max_ttl = static_cast<std::uint8_t>(
      given.number("max-ttl", request.max_ttl, 1, 255, "maximum TTL must be between 0 and 255"));
  if (given.has("source-address")) {
    request.source_address = IpAddress::parse(given.text("source-address"));
    if (!request.source_address) wrong(config::in_quotes(given.text("source-address")) + " is not an address");
  }
  request.interface = given.text("interface");
  if (given.has("fwmark")) {
    const auto mark = config::parse_mark(given.text("fwmark"));
    if (!mark) wrong("--fwmark: expected a number from 0 to 4294967295, such as 7 or 0x7");
    request.fwmark = *mark;
  }
}

void read_timing(const Given& given, TraceRequest& request) {
  constexpr std::int64_t kMostRounds = std::numeric_limits<std::uint32_t>::max();
  const bool once = request.output == TraceOutput::report || request.output == TraceOutput::diagram;
  request.rounds = static_cast<std::uint32_t>(given.number("count",
                                                           request.find_loss ? kFindRounds
                                                           : once            ? kReportRounds
                                                                             : 0,
                                                           0, kMostRounds, "count must not be negative"));
  if (once && request.rounds == 0) wrong("--report, --diagram and --find need a count of at least 1");
  request.ttl_gap = given.time("inter-ttl-delay", request.ttl_gap, Duration{});
  request.interval = given.time("inter-probe-delay", request.interval, kLeastInterval);
  request.timeout = given.time("timeout", request.timeout, std::chrono::milliseconds(1));
}

/// What is recorded cannot be probed in another way.
void read_replay(const Given& given, TraceRequest& request) {
  if (!given.has("replay")) return;
  request.recording = given.text("replay");
  if (request.recording.empty()) wrong("--replay needs the path of a file or directory");
  for (const TraceOption& option : trace_options()) {
    const bool probes = option.section == TraceSection::probes || option.section == TraceSection::timing ||
                        option.section == TraceSection::simulation;
    if (probes && given.has(option.name))
      wrong(fmt::format("--replay probes nothing: it goes without --{}", option.name));
  }
}

void read_destination(const Given& given, TraceRequest& request) {
  request.scenario_file = given.text("simulate");
  constexpr std::int64_t kMostSeed = std::numeric_limits<std::int64_t>::max();
  request.seed = static_cast<std::uint64_t>(given.number("seed", 1, 0, kMostSeed, "seed must not be negative"));
  if (given.has("seed") && !given.has("simulate")) wrong("--seed is for --simulate");
  const std::string& destination = given.destination();
  if (destination.empty()) return;  // of a simulated network, or the only one of a recording
  if (!request.recording.empty()) {
    request.host = destination;  // a name that a configuration gave it
    return;
  }
  auto host = config::parse_host(destination);
  if (!host.ok()) wrong(config::in_quotes(destination) + ": " + host.error());
  request.host = std::move(host->name);
  request.address = host->address;
  if (!request.address) return;
  if (request.address->is_v4() && request.family == config::FamilyChoice::ipv6)
    wrong(request.host + " is an IPv4 address: it contradicts --ipv6");
  if (!request.address->is_v4() && request.family == config::FamilyChoice::ipv4)
    wrong(request.host + " is an IPv6 address: it contradicts --ipv4");
  if (const std::string_view link = config::wrong_with_link(*request.address, request.interface); !link.empty())
    wrong(config::in_quotes(destination) + ": " + std::string(link));
  if (request.source_address && request.source_address->family() != request.address->family())
    wrong("source address and destination are of different families");
}

/// Breaks `text` at blanks into lines of at most `width` characters.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (text.size() > width) {
    const std::size_t at = text.rfind(' ', width);
    lines.emplace_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  lines.emplace_back(text);
  return lines;
}

void append_help(std::string& out, const TraceOption& option) {
  std::string head = option.letter != 0 ? fmt::format("  -{}, ", option.letter) : std::string(6, ' ');
  head += fmt::format("--{}", option.name);
  if (!option.value.empty()) head += fmt::format(" {}", option.value);
  std::string text(option.help);
  if (!option.words.empty() && option.value != "N|auto") {
    text += ": ";
    for (const char character : option.words)
      text += character == ' ' ? std::string(", ") : std::string(1, character);
  }
  if (!option.otherwise.empty()) text += fmt::format(" (default {})", option.otherwise);
  for (const std::string& line : wrapped(text, kHelpWidth - kHelpColumn)) {
    out += fmt::format("{:<{}}{}\n", head, kHelpColumn, line);
    head.clear();
  }
}

}  // namespace

std::string trace_help() {
  std::string out =
      "Usage: ecmp_trace [OPTION]... DESTINATION\n"
      "Follows the parallel paths to DESTINATION, an address or a name, with several flows at a time.\n";
  const TraceSection* section = nullptr;
  for (const TraceOption& option : trace_options()) {
    if (section == nullptr || *section != option.section) out += fmt::format("\n{}:\n", title_of(option.section));
    section = &option.section;
    append_help(out, option);
  }
  out +=
      "\nWithout --json, --report and --diagram a live view fills the terminal; ? shows its keys, q ends it.\n"
      "Exit status: 0 at the end, also when DESTINATION was not reached; 1 after a failure and for values that make "
      "no\n"
      "sense; 2 for arguments that cannot be understood.\n";
  return out;
}

std::variant<TraceRequest, EarlyExit> parse_trace_command_line(int argc, const char* const* argv) {
  try {
    const Given given(argc, argv);
    if (given.flag("help")) return EarlyExit{0, trace_help(), ""};
    if (given.flag("version")) {
      return EarlyExit{0, fmt::format("ecmp_trace {} (commit: {}, built: {})\n", version(), revision(), built()), ""};
    }
    TraceRequest request;
    if (given.destination().empty() && !given.has("simulate") && !given.has("replay")) wrong("destination is required");
    read_output(given, request);
    read_protocol(given, request);
    read_flows(given, request);
    read_timing(given, request);
    read_replay(given, request);
    read_destination(given, request);
    return request;
  } catch (const Complaint& complaint) {
    const std::string_view hint = complaint.code == kBadUsage ? "Try 'ecmp_trace --help'.\n" : "";
    return EarlyExit{complaint.code, "", fmt::format("Error: {}\n{}", config::printable(complaint.what, 400), hint)};
  }
}

}  // namespace ecmp
