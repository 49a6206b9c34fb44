#include <algorithm>
#include <utility>

#include "path/localisation/localisation.hpp"

namespace ecmp {
namespace {

/// Passes in a row that begin a verdict, and that end it: estimates sway, and nobody wants to hear of each time.
constexpr int kBeginPasses = 2;
constexpr int kEndPasses = 3;

PathEvent finding(EventKind kind, WallTime time, WallTime begun, bool ended) {
  PathEvent event;
  event.kind = kind;
  event.time = time;
  event.settled = begun;
  event.ended = ended;
  return event;
}

}  // namespace

/// A link that loses no more is in the report with the end of it.
void Localisation::note_end(WatchedLoss& watched, const LocalisationReport& report) {
  const auto over = std::ranges::find_if(report.links, [&](const LinkVerdict& verdict) {
    return verdict.ended != WallTime{} &&
           std::ranges::find_first_of(verdict.links, watched.verdict->links) != verdict.links.end();
  });
  if (over == report.links.end()) return;
  LinkVerdict ended = *over;
  if (watched.verdict->began != WallTime{}) ended.began = watched.verdict->began;
  watched.verdict = std::make_shared<const LinkVerdict>(std::move(ended));
}

/// A verdict goes on as long as one of its links is blamed: what flows can tell apart changes with their paths.
void Localisation::watch_losses(LocalisationReport& report) {
  std::vector<bool> met(report.links.size());
  for (WatchedLoss& watched : watched_losses_) {
    std::size_t at = 0;
    while (at < report.links.size() &&
           (met[at] || !report.links[at].blamed ||
            std::ranges::find_first_of(report.links[at].links, watched.verdict->links) == report.links[at].links.end()))
      ++at;
    if (at == report.links.size()) {
      ++watched.missed;
      note_end(watched, report);
      continue;
    }
    met[at] = true;
    // It began when it was first seen to, although that has left the window by now.
    WallTime& began = report.links[at].began;
    const WallTime known = watched.verdict->began;
    if (known != WallTime{} && (began == WallTime{} || known < began)) began = known;
    watched.missed = 0;
    ++watched.seen;
    watched.verdict = std::make_shared<const LinkVerdict>(report.links[at]);
  }
  for (std::size_t i = 0; i < report.links.size(); ++i) {
    if (met[i] || !report.links[i].blamed) continue;
    watched_losses_.push_back({std::make_shared<const LinkVerdict>(report.links[i]), report.time, 1, 0, false});
  }
  std::erase_if(watched_losses_, [&](WatchedLoss& watched) {
    const bool over = watched.missed >= (watched.told ? kEndPasses : 1);
    if (watched.told ? over : watched.seen >= kBeginPasses && watched.missed == 0) {
      PathEvent event = finding(EventKind::loss_verdict, report.time, watched.begun, watched.told);
      LinkVerdict said = *watched.verdict;
      said.blamed = !watched.told;
      event.detail = detail_of(said);
      events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
      watched.told = true;
    }
    return over;
  });
}

/// These change with each period only: nothing to sway.
void Localisation::watch_delays(const LocalisationReport& report) {
  const auto find = [](auto& among, const LinkEnds& link) {
    return std::ranges::find(among, link, [](const DelayVerdict& verdict) { return verdict.link; });
  };
  const auto tell_event = [&](const DelayVerdict& verdict, WallTime begun, bool ended) {
    PathEvent event = finding(EventKind::delay_verdict, report.time, begun, ended);
    event.detail = detail_of(verdict);
    events_.push_back(std::make_shared<const PathEvent>(std::move(event)));
  };
  std::erase_if(watched_delays_, [&](const WatchedDelay& watched) {
    if (find(report.delays, watched.verdict.link) != report.delays.end()) return false;
    tell_event(watched.verdict, watched.begun, true);
    return true;
  });
  for (const DelayVerdict& verdict : report.delays) {
    const auto known = std::ranges::find(watched_delays_, verdict.link,
                                         [](const WatchedDelay& watched) { return watched.verdict.link; });
    if (known != watched_delays_.end()) {
      known->verdict = verdict;
      continue;
    }
    watched_delays_.push_back({verdict, report.time});
    tell_event(verdict, report.time, false);
  }
}

}  // namespace ecmp
