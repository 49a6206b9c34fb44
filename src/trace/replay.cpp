#include "trace/replay.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <string>
#include <utility>

#include "agent/http/past_topology.hpp"
#include "config/config.hpp"
#include "config/text.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/fan/diagram.hpp"
#include "render/json/ndjson.hpp"
#include "render/report/find_report.hpp"
#include "render/report/trace_report.hpp"
#include "trace/line_output.hpp"
#include "trace/origin_numbers.hpp"
#include "trace/recording.hpp"
#include "trace/stop_signals.hpp"
#include "tui/live_screen.hpp"
#include "tui/replay_course.hpp"

namespace ecmp {
namespace {

/// Between two pictures while it plays.
constexpr Duration kPicture = std::chrono::milliseconds(100);
/// Without anything to do.
constexpr Duration kRest = std::chrono::seconds(1);

int fail(const std::string& what) {
  std::fprintf(stderr, "Error: %s\n", config::printable(what, 1000).c_str());
  return 1;
}

Instant now() {
  return Instant(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

/// One run of ecmp_trace --replay.
class Replay {
 public:
  Replay(const TraceRequest& request, Recording recording, const AddressSources& sources);

  int go();

 private:
  bool write_lines(LineOutput output);
  int watch();
  void wait(const tui::LiveScreen& screen, Duration longest);
  [[nodiscard]] std::string closing_text() const;
  [[nodiscard]] const DestinationFacts& facts() const { return *recording_.rounds.back()->destination; }

  const TraceRequest request_;
  const Recording recording_;
  const std::shared_ptr<const render::HopNames> names_;
  StopSignals signals_;
  bool stopped_ = false;
  std::string problem_;
};

Replay::Replay(const TraceRequest& request, Recording recording, const AddressSources& sources)
    : request_(request),
      recording_(std::move(recording)),
      names_(sources.with(request.names ? recording_.names : std::make_shared<render::NoNames>())) {}

int Replay::go() {
  const bool view = request_.output == TraceOutput::view;
  if (recording_.lines && (request_.output == TraceOutput::json || !request_.json_file.empty()))
    return fail(request_.recording + ": these are the lines already that --json and --json-file write");
  if (!view) {
    for (const std::string& notice : recording_.notices)
      std::fprintf(stderr, "ecmp_trace: %s\n", config::printable(notice, 1000).c_str());
  }
  if (!request_.json_file.empty()) {
    auto file = LineOutput::create(request_.json_file);
    if (!file.ok()) return fail(file.error());
    if (!write_lines(std::move(*file)) && !problem_.empty()) return fail(problem_);
  }
  if (request_.output == TraceOutput::json) {
    write_lines(LineOutput::standard_output());
    return problem_.empty() ? 0 : fail(problem_);
  }
  if (view) {
    if (const int status = watch(); status != 0) return status;
  }
  LineOutput out = LineOutput::standard_output();
  return out.write(closing_text(), signals_.descriptor()) == LineOutput::Outcome::failed ? fail(out.error()) : 0;
}

/// False: not all of them, for the reason in problem_ or since nobody reads them any more.
bool Replay::write_lines(LineOutput output) {
  std::string line;
  for (const auto& record : recording_.rounds) {
    line.clear();
    render::append_round(line, *record, *names_, request_.hash);
    const auto outcome = output.write(line, signals_.descriptor());
    if (outcome == LineOutput::Outcome::written) continue;
    if (outcome == LineOutput::Outcome::failed) problem_ = output.error();
    return false;
  }
  return true;
}

int Replay::watch() {
  Instant before = now();
  auto opened =
      tui::LiveScreen::open(recording_.rounds.front()->destination,
                            {.names = request_.names, .program = "ecmp_trace --replay", .replay = true}, before);
  if (!opened.ok()) return fail(opened.error());
  tui::LiveScreen& screen = **opened;
  screen.view().set_names(names_);
  screen.view().set_as_numbers(std::make_shared<OriginNumbers>(names_));
  if (!recording_.notices.empty()) screen.view().notice(recording_.notices.front());
  tui::ReplayCourse course(recording_.rounds);
  course.show(screen.view());
  screen.set_elapsed(course.elapsed());
  while (screen.turn(now()) && !stopped_) {
    const auto moves = screen.view().take_moves();
    for (const tui::Action move : moves)
      course.act(move);
    const Instant current = now();
    course.pass(current - std::exchange(before, current));
    if (!moves.empty() || course.playing() || screen.view().moment() != course.moment()) {
      course.show(screen.view());
      screen.set_elapsed(course.elapsed());
      screen.touched();
    }
    wait(screen, course.playing() ? kPicture : kRest);
  }
  return 0;
}

/// Until there is something to do, or for so long at most while it may be playing.
void Replay::wait(const tui::LiveScreen& screen, Duration longest) {
  const auto descriptors = screen.descriptors();
  std::array<pollfd, 3> ready = {pollfd{signals_.descriptor(), POLLIN, 0}, pollfd{descriptors[0], POLLIN, 0},
                                 pollfd{descriptors[1], POLLIN, 0}};
  const Duration wait = std::min(longest, screen.wait(now()));
  if (::poll(ready.data(), ready.size(), static_cast<int>(wait / std::chrono::milliseconds(1)) + 1) > 0)
    stopped_ = ready[0].revents != 0;
}

std::string Replay::closing_text() const {
  DestinationTally tally;
  for (const auto& record : recording_.rounds)
    tally.take(*record);
  std::string text;
  const auto& newest = *recording_.rounds.back();
  const Duration window = config::Config().window;
  const auto fan = [&] { return fan_of(recording_.rounds, newest.wall(newest.round.finished), window).snapshot; };
  if (request_.output == TraceOutput::diagram) {
    render::append_diagram(text, request_.diagram, *fan(), *names_);
  } else if (request_.find_loss) {
    render::append_trace_summary(text, facts(), tally);
    render::append_find_report(text, facts(), tally, fan().get(), *names_);
  } else if (request_.output == TraceOutput::report) {
    render::append_trace_report(text, facts(), tally, *names_);
  } else {
    render::append_trace_summary(text, facts(), tally);
  }
  return text;
}

}  // namespace

int run_replay(const TraceRequest& request, const AddressSources& sources) {
  auto recording = read_recording(request.recording, request.host);
  if (!recording.ok()) return fail(recording.error());
  return Replay(request, std::move(*recording), sources).go();
}

}  // namespace ecmp
