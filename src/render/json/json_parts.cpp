#include "render/json/json_parts.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "render/append.hpp"

namespace ecmp::render {

void append_bool(std::string& out, bool value) {
  out.append(value ? "true" : "false");
}

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

void append_quantiles(std::string& out, std::string_view key, const Quantiles& quantiles) {
  out.append(key);
  out.append(R"({"p50":)");
  append_number(out, quantiles.p50.count());
  out.append(R"(,"p95":)");
  append_number(out, quantiles.p95.count());
  out.append(R"(,"p99":)");
  append_number(out, quantiles.p99.count());
  out.push_back('}');
}

void append_place(std::string& out, const IpAddress& address, const HopNames& names) {
  const auto append = [&](std::string_view key, std::string_view text) {
    if (text.empty()) return;
    out.append(key);
    append_string(out, text);
  };
  append(R"(,"asn":)", names.origin(address));
  append(R"(,"city":)", names.city(address));
  append(R"(,"country":)", names.country(address));
}

void append_mpls(std::string& out, std::string_view key, const packet::KeptMpls& stack) {
  out.append(key);
  out.push_back('[');
  const char* before = "";
  for (const packet::MplsLabel& label : stack.view()) {
    out.append(before).append(R"({"label":)");
    before = ",";
    append_number(out, label.label);
    out.append(R"(,"tc":)");
    append_number(out, static_cast<unsigned>(label.traffic_class));
    out.append(R"(,"s":)");
    append_bool(out, label.bottom);
    out.append(R"(,"ttl":)");
    append_number(out, static_cast<unsigned>(label.ttl));
    out.push_back('}');
  }
  out.push_back(']');
}

void append_findings(std::string& out, std::string_view key, std::size_t hop, std::span<const Finding> findings) {
  bool any = false;
  for (const Finding& finding : findings) {
    if (finding.hop != hop) continue;
    out.append(any ? std::string_view(",") : key);
    if (!any) out.push_back('[');
    any = true;
    out.append(R"({"kind":")").append(to_string(finding.kind)).append(R"(","detail":)");
    append_string(out, finding.detail);
    out.append(R"(,"behind":)");
    append_known_address(out, finding.behind);
    out.append(R"(,"before":)");
    append_number(out, finding.before);
    out.append(R"(,"now":)");
    append_number(out, finding.now);
    out.push_back('}');
  }
  if (any) out.push_back(']');
}

void append_window(std::string& out, std::string_view key, const WindowFigures& figures) {
  out.append(key);
  out.append(R"({"probes":)");
  append_number(out, figures.probes);
  out.append(R"(,"replies":)");
  append_number(out, figures.rtts);
  out.append(R"(,"losses":)");
  append_number(out, figures.losses);
  out.append(R"(,"silences":)");
  append_number(out, figures.probes - std::min(figures.probes, figures.losses + figures.rtts));
  out.append(R"(,"loss_ratio":)");
  if (figures.probes > 0) {
    append_ratio(out, figures.loss_ratio());
  } else {
    out.append("null");
  }
  if (figures.rtts > 0) {
    append_quantiles(out, R"(,"rtt_ns":)", figures.rtt);
  } else {
    out.append(R"(,"rtt_ns":null)");
  }
  if (figures.jitters > 0) {
    append_quantiles(out, R"(,"jitter_ns":)", figures.jitter);
  } else {
    out.append(R"(,"jitter_ns":null)");
  }
  out.push_back('}');
}

}  // namespace ecmp::render
