#include "render/json/json_parts.hpp"

#include <array>
#include <charconv>
#include <utility>

#include "render/append.hpp"
#include "render/json/json_writer.hpp"

namespace ecmp::render {

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  append_json(out, text);
  out.push_back('"');
}

void append_known_address(std::string& out, const IpAddress& address) {
  out.push_back('"');
  if (!address.is_unspecified()) append_address(out, address);
  out.push_back('"');
}

void append_ratio(std::string& out, double ratio) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), ratio);
  const std::string_view written(text.data(), end);
  out.append(written);
  if (written.find_first_of(".e") == std::string_view::npos) out.append(".0");
}

void append_quantiles(std::string& out, const Quantiles& quantiles) {
  JsonWriter json(out);
  json.begin('{').key("p50").number(quantiles.p50.count()).key("p95").number(quantiles.p95.count());
  json.key("p99").number(quantiles.p99.count()).end('}');
}

void append_place(std::string& out, const IpAddress& address, const HopNames& names) {
  JsonWriter json(out);
  const auto append = [&json](std::string_view key, std::string_view text) {
    if (!text.empty()) json.key(key).text(text);
  };
  append("asn", names.origin(address));
  append("city", names.city(address));
  append("country", names.country(address));
}

void append_mpls(std::string& out, const packet::KeptMpls& stack) {
  JsonWriter json(out);
  json.list(stack.view(), [&json](const packet::MplsLabel& label) {
    json.begin('{').key("label").number(label.label).key("tc").number(label.traffic_class);
    json.key("s").boolean(label.bottom).key("ttl").number(label.ttl).end('}');
  });
}

void append_findings(std::string& out, std::size_t hop, std::span<const Finding> findings) {
  JsonWriter json(out);
  bool any = false;
  for (const Finding& finding : findings) {
    if (finding.hop != hop) continue;
    if (!std::exchange(any, true)) json.key("findings").begin('[');
    json.begin('{').key("kind").text(to_string(finding.kind)).key("detail").text(finding.detail);
    json.key("behind").address(finding.behind).key("before").number(finding.before).key("now").number(finding.now);
    json.end('}');
  }
  if (any) json.end(']');
}

void append_window(std::string& out, const WindowFigures& figures) {
  JsonWriter json(out);
  json.begin('{').key("probes").number(figures.probes).key("replies").number(figures.rtts);
  json.key("losses").number(figures.losses).key("silences").number(figures.silences());
  json.key("loss_ratio").loss(figures.losses, figures.probes);
  json.key("rtt_ns").quantiles(figures.rtt, figures.rtts).key("jitter_ns").quantiles(figures.jitter, figures.jitters);
  json.end('}');
}

}  // namespace ecmp::render
