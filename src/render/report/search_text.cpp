#include "render/report/search_text.hpp"

#include <cmath>
#include <fmt/format.h>

#include "render/append.hpp"
#include "render/fan/fan_text.hpp"
#include "render/json/json_parts.hpp"

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
  out.append(R"({"searching":)");
  append_bool(out, progress.searching);
  out += fmt::format(
      R"(,"finished":{},"paths":{},"flows_asked":{},"flows_wanted":{},"flows_kept":{},"rounds":{},"probes":{})",
      progress.finished, progress.paths, progress.flows_asked, progress.flows_wanted, progress.flows_kept,
      progress.rounds, progress.probes);
  out.append(R"(,"bounded":)");
  append_bool(out, progress.bounded);
  out.append(R"(,"done":)");
  append_ratio(out, progress.done());
  out.append(R"(,"coverage":)");
  if (progress.coverage >= 0) {
    append_ratio(out, progress.coverage);
  } else {
    out.append("null");
  }
  out.append(R"(,"per_packet":[)");
  for (std::size_t i = 0; i < progress.per_packet.size(); ++i) {
    out += fmt::format(R"({}{{"ttl":{},"ip":)", i > 0 ? "," : "", progress.per_packet[i].ttl);
    append_known_address(out, progress.per_packet[i].responder);
    out.push_back('}');
  }
  out.append("]}");
}

}  // namespace ecmp::render
