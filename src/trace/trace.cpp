#include "trace/trace.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <tuple>
#include <unistd.h>

#include "agent/log.hpp"
#include "agent/names/address_source.hpp"
#include "agent/names/asn_file.hpp"
#include "config/text.hpp"
#include "net/host/regular_file.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/json/ndjson.hpp"
#include "render/report/find_report.hpp"
#include "render/report/oneway_report.hpp"
#include "render/report/search_text.hpp"
#include "render/report/trace_report.hpp"
#include "trace/line_output.hpp"
#include "trace/origin_numbers.hpp"
#include "trace/replay.hpp"
#include "trace/stop_signals.hpp"
#include "trace/trace_network.hpp"
#include "trace/trace_session.hpp"
#include "tui/live_screen.hpp"

namespace ecmp {

namespace {

constexpr int kFailure = 1;
constexpr std::size_t kLargestScenario = std::size_t{16} << 20;

int fail(const std::string& what) {
  std::fprintf(stderr, "Error: %s\n", config::printable(what, 1000).c_str());
  return kFailure;
}

/// Rounds of one destination as lines of JSON, to a file or to standard output.
class JsonLines {
 public:
  JsonLines(LineOutput output, render::PathHash hash, int stop)
      : output_(std::move(output)), hash_(hash), stop_(stop) {}

  LineOutput::Outcome write(const std::vector<std::shared_ptr<const RoundRecord>>& records,
                            const render::HopNames& names) {
    for (const auto& record : records) {
      text_.clear();
      render::append_round(text_, *record, names, hash_);
      const auto outcome = output_.write(text_, stop_);
      if (outcome != LineOutput::Outcome::written) return outcome;
    }
    return LineOutput::Outcome::written;
  }
  [[nodiscard]] const LineOutput& output() const { return output_; }

 private:
  LineOutput output_;
  render::PathHash hash_;
  int stop_;
  std::string text_;
};

/// One run of ecmp_trace.
class Run {
 public:
  Run(const TraceRequest& request, std::unique_ptr<TraceNetwork> network, std::optional<LineOutput> lines,
      AddressSources sources);

  int go();

 private:
  bool wait();
  void take_rounds();
  bool open_screen();
  void show_rounds();
  void end() { session_.stop(); }
  void tell_warnings();
  void show_progress();
  void hide_progress();
  int finish();
  int print(const std::string& text, bool on_standard_error);
  [[nodiscard]] std::string closing_text() const;
  /// With what is known of addresses besides.
  [[nodiscard]] std::shared_ptr<const render::HopNames> names() const;

  const TraceRequest request_;
  StopSignals signals_;
  TraceSession session_;
  std::optional<JsonLines> lines_;
  DestinationTally tally_;  ///< of the whole run; the view has one that the user may reset
  std::unique_ptr<tui::LiveScreen> screen_;
  std::shared_ptr<const DestinationFacts> facts_;
  const AddressSources sources_;
  std::string problem_;  ///< why the lines ended
  const bool progress_;  ///< printed on standard error
  bool shown_ = false;
  bool reader_gone_ = false;
  bool stopping_ = false;
  bool closed_ = false;
};

bool is_terminal(int descriptor) {
  return ::isatty(descriptor) == 1;
}

Run::Run(const TraceRequest& request, std::unique_ptr<TraceNetwork> network, std::optional<LineOutput> lines,
         AddressSources sources)
    : request_(request),
      session_(request, std::move(network),
               request.scenario_file.empty() ? RoundQueue::WhenFull::leave_out : RoundQueue::WhenFull::wait),
      sources_(std::move(sources)),
      progress_((request.output == TraceOutput::report || request.output == TraceOutput::diagram) &&
                is_terminal(STDERR_FILENO)) {
  if (lines) lines_.emplace(std::move(*lines), request.hash, signals_.descriptor());
}

std::shared_ptr<const render::HopNames> Run::names() const {
  return sources_.with(session_.names());
}

/// What is known of the destination before its first round.
std::shared_ptr<const DestinationFacts> facts_of(const TraceRequest& request) {
  auto facts = std::make_shared<DestinationFacts>();
  facts->name = facts->host = request.host;
  facts->address = request.address.value_or(IpAddress());
  facts->protocol = request.protocol;
  facts->port = request.port;
  facts->source_ports = ports_of(TraceSession::destination_of(request), facts->name);
  facts->flows = request.flows;
  return facts;
}

/// Of the screen, which shares it with no probe.
Instant now_of_screen() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

bool Run::open_screen() {
  if (request_.output != TraceOutput::view) return true;
  auto screen =
      tui::LiveScreen::open(facts_of(request_), {.names = request_.names, .program = "ecmp_trace"}, now_of_screen());
  if (!screen.ok()) {
    problem_ = screen.error();
    return false;
  }
  screen_ = std::move(*screen);
  if (sources_.asn != nullptr) screen_->view().set_as_numbers(std::make_shared<OriginNumbers>(names()));
  return true;
}

/// Acts on keys and draws; a user who quits ends the session.
void Run::show_rounds() {
  if (screen_ == nullptr) return;
  screen_->view().set_names(names());
  if (screen_->turn(now_of_screen()) || stopping_) return;
  stopping_ = true;
  end();
}

int Run::go() {
  if (!open_screen()) return fail(problem_);
  session_.start();
  while (!closed_ && wait()) {
    take_rounds();
    tell_warnings();
    show_progress();
    show_rounds();
  }
  screen_.reset();
  hide_progress();
  return finish();
}

/// Until there is something to do. False when the reader of the lines is gone.
bool Run::wait() {
  const bool piped = lines_ && request_.output == TraceOutput::json;
  const auto screen = screen_ ? screen_->descriptors() : std::array{-1, -1};
  std::array<pollfd, 5> ready = {pollfd{session_.rounds().descriptor(), POLLIN, 0},
                                 pollfd{stopping_ ? -1 : signals_.descriptor(), POLLIN, 0},
                                 pollfd{piped ? lines_->output().descriptor() : -1, 0, 0}, pollfd{screen[0], POLLIN, 0},
                                 pollfd{screen[1], POLLIN, 0}};
  constexpr int kWarnings = 200;  // nobody wakes us for these
  int wait = kWarnings;
  if (screen_)
    wait = std::min(wait, static_cast<int>(screen_->wait(now_of_screen()) / std::chrono::milliseconds(1)) + 1);
  if (::poll(ready.data(), ready.size(), wait) < 0) return true;
  if (ready[1].revents != 0) {
    stopping_ = true;
    end();
  }
  if ((ready[2].revents & POLLERR) == 0) return true;
  reader_gone_ = true;
  return false;
}

void Run::take_rounds() {
  const RoundQueue::Taken taken = session_.rounds().take();
  closed_ = taken.closed;
  if (taken.records.empty()) return;
  for (const auto& record : taken.records)
    tally_.take(*record);
  if (screen_) {
    for (const auto& record : taken.records)
      screen_->view().take(*record);
    screen_->touched();
  }
  facts_ = taken.records.back()->destination;
  if (request_.find_loss && !stopping_ && render::loss_is_clear(tally_)) {
    stopping_ = true;
    end();
  }
  if (!lines_) return;
  const auto outcome = lines_->write(taken.records, *names());
  if (outcome == LineOutput::Outcome::written) return;
  reader_gone_ = outcome == LineOutput::Outcome::reader_gone;
  problem_ = lines_->output().error();
  lines_.reset();
  session_.rounds().abandon();
  closed_ = true;
}

void Run::tell_warnings() {
  for (const std::string& warning : session_.take_warnings()) {
    hide_progress();
    if (screen_) {
      screen_->view().notice(warning);
      screen_->touched();
      continue;
    }
    // With the log on standard error it stands there already.
    if (request_.log_file.empty() && request_.log_level <= log::Level::warn) continue;
    std::fprintf(stderr, "ecmp_trace: %s\n", config::printable(warning, 1000).c_str());
  }
}

void Run::show_progress() {
  if (!progress_ || closed_) return;
  std::fprintf(stderr, "\r\x1b[Kround %llu of %u, %zu path%s", static_cast<unsigned long long>(tally_.rounds()),
               request_.rounds, tally_.paths(), tally_.paths() == 1 ? "" : "s");
  if (const auto& search = tally_.search(); search != nullptr && search->finished == 0)
    std::fprintf(stderr, ", %s", render::search_text(*search).c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Run::hide_progress() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

std::string Run::closing_text() const {
  std::string text;
  const auto names = this->names();
  switch (request_.output) {
    case TraceOutput::report:
      if (request_.find_loss) {
        render::append_trace_summary(text, *facts_, tally_);
        render::append_find_report(text, *facts_, tally_, session_.snapshot().get(), *names);
      } else {
        render::append_trace_report(text, *facts_, tally_, *names);
        if (const auto snapshot = session_.snapshot()) render::append_oneway_report(text, *snapshot);
      }
      break;
    case TraceOutput::diagram:
      if (const auto snapshot = session_.snapshot()) render::append_diagram(text, request_.diagram, *snapshot, *names);
      break;
    case TraceOutput::view:
    case TraceOutput::json:
      render::append_trace_summary(text, *facts_, tally_);
      break;
  }
  return text;
}

int Run::print(const std::string& text, bool on_standard_error) {
  if (on_standard_error) {
    std::fputs(text.c_str(), stderr);
    return 0;
  }
  LineOutput out = LineOutput::standard_output();
  const auto outcome = out.write(text, signals_.descriptor());
  return outcome == LineOutput::Outcome::failed ? fail(out.error()) : 0;
}

int Run::finish() {
  if (reader_gone_) return 0;
  if (!problem_.empty()) return fail(problem_);
  if (const auto failure = session_.failure()) return fail(*failure);
  tell_warnings();
  if (const auto left_out = session_.rounds().left_out(); left_out > 0) {
    std::fprintf(stderr, "ecmp_trace: %llu rounds were not written: their reader was too slow\n",
                 static_cast<unsigned long long>(left_out));
  }
  if (facts_ == nullptr) {
    std::fputs("ecmp_trace: no round was finished\n", stderr);
    return 0;
  }
  return print(closing_text(), request_.output == TraceOutput::json);
}

/// Opens the network, and finds the destination in it if it is a simulated one.
Result<std::unique_ptr<TraceNetwork>> open_network(TraceRequest& request) {
  if (request.scenario_file.empty()) return open_real_network(request.names);
  const auto text = net::read_file_or_pipe(request.scenario_file, kLargestScenario);
  if (!text.ok()) return Error{request.scenario_file + ": " + text.error()};
  const auto destination = simulated_destination(*text, request.scenario_file, request.host, request.family);
  if (!destination.ok()) return Error{destination.error()};
  request.address = destination->address;
  request.host = destination->name;
  // A view of a network whose hours pass in a second shows nothing.
  const bool paced = request.rounds == 0 || request.output == TraceOutput::view;
  return open_simulated_network(*text, request.scenario_file, request.seed, paced, request.names);
}

}  // namespace

int run_trace(const TraceRequest& asked) {
  TraceRequest request = asked;
  log::configure(request.log_level, log::Format::logfmt);
  if (!request.log_file.empty()) {
    if (const auto error = log::append_to(request.log_file)) return fail(error->message);
  } else if (request.output == TraceOutput::view) {
    log::discard();  // it would be written across the view
  }
  AddressSources sources;
  for (const auto& [file, open, source] : {std::tuple(&request.asn_database, &open_asn_database, &sources.asn),
                                           std::tuple(&request.city_database, &open_city_database, &sources.cities)}) {
    if (file->empty()) continue;
    auto opened = open(*file);
    if (!opened.ok()) return fail(opened.error());
    *source = std::move(*opened);
  }
  if (!request.recording.empty()) return run_replay(request, sources);
  auto network = open_network(request);
  if (!network.ok()) return fail(network.error());
  std::optional<LineOutput> lines;
  if (request.output == TraceOutput::json) lines = LineOutput::standard_output();
  if (!request.json_file.empty()) {
    auto file = LineOutput::create(request.json_file);
    if (!file.ok()) return fail(file.error());
    lines = std::move(*file);
  }
  return Run(request, std::move(*network), std::move(lines), std::move(sources)).go();
}

}  // namespace ecmp
