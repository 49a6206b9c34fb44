#include "render/report/search_text.hpp"

#include <cmath>
#include <fmt/format.h>

#include "render/fan/fan_text.hpp"
#include "render/json/json_writer.hpp"

namespace ecmp::render {

std::string search_text(const SearchProgress& progress) {
  if (progress.searching && progress.finished == 0) {
    // Not 100 before it is over.
    const double done = std::min(99.0, std::floor(100 * progress.done()));
    return fmt::format("discovering: {}, {} asked, {:.0f} %", counted(progress.paths, "path"),
                       counted(progress.flows_asked, "flow"), done);
  }
  // Rounded down: 95.0 % are not to be claimed by less.
  const double coverage = std::floor(1000 * progress.coverage) / 10;
  std::string text = fmt::format("{} found, {} asked, {} kept, ", counted(progress.paths, "path"),
                                 counted(progress.flows_asked, "flow"), progress.flows_kept);
  text += progress.coverage >= 0 ? fmt::format("coverage {:.1f} %", coverage)
                                 : "coverage unknown, since a router on the way never answers";
  if (progress.bounded) text += ", no more flows allowed";
  if (progress.searching) text += ", looking again";
  for (const SearchProgress::PerPacket& place : progress.per_packet)
    text += fmt::format(", balanced per packet at hop {} ({})", place.ttl, place.responder.to_string());
  return text;
}

void append_search(std::string& out, const SearchProgress& progress) {
  JsonWriter json(out);
  json.begin('{').key("searching").boolean(progress.searching).key("finished").number(progress.finished);
  json.key("paths").number(progress.paths).key("flows_asked").number(progress.flows_asked);
  json.key("flows_wanted").number(progress.flows_wanted).key("flows_kept").number(progress.flows_kept);
  json.key("rounds").number(progress.rounds).key("probes").number(progress.probes);
  json.key("bounded").boolean(progress.bounded).key("done").ratio(progress.done()).key("coverage");
  progress.coverage >= 0 ? json.ratio(progress.coverage) : json.null();
  json.key("per_packet").list(progress.per_packet, [&json](const SearchProgress::PerPacket& place) {
    json.begin('{').key("ttl").number(place.ttl).key("ip").address(place.responder).end('}');
  });
  json.end('}');
}

}  // namespace ecmp::render
