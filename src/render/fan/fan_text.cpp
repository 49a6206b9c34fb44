#include "render/fan/fan_text.hpp"

#include <algorithm>
#include <cmath>

#include "base/utf8.hpp"
#include "render/append.hpp"

namespace ecmp::render {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

/// `value` with so many digits behind the point, halves rounded up.
void append_fixed(std::string& out, double value, unsigned digits) {
  double scale = 1;
  for (unsigned i = 0; i < digits; ++i)
    scale *= 10;
  const auto scaled = static_cast<std::uint64_t>(std::llround(std::max(0.0, value) * scale));
  const auto whole = static_cast<std::uint64_t>(scale);
  append_number(out, scaled / whole);
  if (digits == 0) return;
  out.push_back('.');
  const std::string rest = std::to_string(scaled % whole);
  out.append(digits - rest.size(), '0').append(rest);
}

/// The characters of UTF-8 text, one by one; a byte that begins none by itself, as U+FFFD.
template <typename Each>
void for_each_character(std::string_view text, const Each& each) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = at;
    const auto character = decode_utf8(text, at);
    each(character ? text.substr(begin, at - begin) : kReplacement, character.value_or(0xfffd));
  }
}

std::size_t cells(char32_t code) {
  if ((code >= 0x300 && code <= 0x36f) || (code >= 0x1ab0 && code <= 0x1aff) || (code >= 0x20d0 && code <= 0x20ff))
    return 0;
  const bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                    (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                    (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                    (code >= 0xffe0 && code <= 0xffe6) || (code >= 0x1f300 && code <= 0x1faff) ||
                    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

void append_endpoint(std::string& out, const IpAddress& address, bool has_port) {
  const bool brackets = has_port && !address.is_v4();
  if (brackets) out.push_back('[');
  append_address(out, address);
  if (brackets) out.push_back(']');
}

void describe(NodeText& text, const FanNode& node) {
  const WindowFigures& figures = node.figures;
  if (figures.has_rtt()) {
    std::string high;
    append_rtt(text.rtt, figures.rtt.p50);
    append_rtt(high, figures.rtt.p95);
    if (text.rtt.ends_with(" ms")) text.rtt.resize(text.rtt.size() - 3);
    text.rtt.append(" / ").append(high);
  }
  if (figures.losses > 0) {
    append_percent(text.loss, figures.loss_ratio());
    text.loss.append(" lost");
  }
  if (figures.silences() > 0) {
    text.silence = "silent ";
    append_percent(text.silence, figures.silence_ratio());
  }
  if (node.mpls != nullptr) {
    text.mpls = "MPLS ";
    for (const packet::MplsLabel& label : node.mpls->view()) {
      if (text.mpls.back() != ' ') text.mpls.push_back('/');
      append_number(text.mpls, label.label);
    }
  }
}

}  // namespace

void append_rtt(std::string& out, Duration rtt) {
  const double milliseconds = std::chrono::duration<double, std::milli>(rtt).count();
  append_fixed(out, milliseconds, milliseconds < 0.0995 ? 3 : milliseconds < 9.995 ? 2 : milliseconds < 99.95 ? 1 : 0);
  out.append(" ms");
}

void append_percent(std::string& out, double ratio) {
  const double percent = ratio * 100;
  if (percent <= 0) {
    out.append("0 %");
  } else if (percent < 0.01) {
    out.append("<0.01 %");
  } else if (percent < 0.995) {
    append_fixed(out, percent, 2);
    out.append(" %");
  } else if (percent < 100) {
    append_fixed(out, std::min(percent, 99.9), 1);
    out.append(" %");
  } else {
    out.append("100 %");
  }
}

void append_ports(std::string& out, std::span<const std::uint16_t> ports, std::size_t most) {
  std::size_t ranges = 0;
  for (std::size_t at = 0; at < ports.size(); ++ranges) {
    if (ranges == most) {
      out.append(" and ");
      append_number(out, ports.size() - at);
      out.append(" more");
      return;
    }
    std::size_t end = at + 1;
    while (end < ports.size() && ports[end] == ports[end - 1] + 1)
      ++end;
    if (ranges > 0) out.append(", ");
    append_number(out, ports[at]);
    if (end - at > 1) {
      out.append(end - at == 2 ? ", " : "-");
      append_number(out, ports[end - 1]);
    }
    at = end;
  }
}

std::string plain_text(std::string_view text) {
  std::string plain;
  for_each_character(text, [&plain](std::string_view character, char32_t code) {
    plain.append(is_deceptive(code) ? kReplacement : character);
  });
  return plain;
}

std::size_t text_width(std::string_view text) {
  std::size_t width = 0;
  for_each_character(text, [&width](std::string_view, char32_t code) { width += cells(code); });
  return width;
}

std::string shortened(std::string_view text, std::size_t width, std::string_view ellipsis) {
  if (text_width(text) <= width) return std::string(text);
  const std::size_t room = width - std::min(width, text_width(ellipsis));
  std::string cut;
  std::size_t taken = 0;
  bool full = false;
  for_each_character(text, [&](std::string_view character, char32_t code) {
    full = full || taken + cells(code) > room;
    if (full) return;
    taken += cells(code);
    cut.append(character);
  });
  return cut.append(ellipsis);
}

LossLevel loss_level(double ratio) {
  if (ratio <= 0) return LossLevel::none;
  return ratio < 0.01 ? LossLevel::some : LossLevel::heavy;
}

NodeText node_text(const FanNode& node, const HopNames& names) {
  NodeText text;
  switch (node.kind) {
    case FanNode::Kind::agent:
      text.title = "agent";
      if (!node.address.is_unspecified()) append_address(text.name, node.address);
      return text;
    case FanNode::Kind::silent:
      text.title = "*";
      text.note = "never answers";
      return text;
    case FanNode::Kind::dead_end:
      text.title = "no answer";
      text.note = "destination not reached";
      return text;
    case FanNode::Kind::responder:
    case FanNode::Kind::destination:
      break;
  }
  if (node.address.is_unspecified()) {
    text.title = "not resolved";
  } else {
    append_address(text.title, node.address);
    text.name = plain_text(names.name(node.address));
  }
  describe(text, node);
  if (node.balanced) text.note = "per packet";
  if (node.kind == FanNode::Kind::destination && node.ttl != node.last_ttl) {
    text.note = "TTL ";
    append_number(text.note, node.ttl);
    text.note.push_back('-');
    append_number(text.note, node.last_ttl);
  }
  if (node.kind == FanNode::Kind::destination && node.paths == 0) text.note = "not reached";
  return text;
}

std::string fan_title(const DestinationSnapshot& snapshot, const Fan& fan) {
  const auto complete = static_cast<std::uint64_t>(std::ranges::count_if(fan.paths, &FanPath::complete));
  std::uint32_t reaching = 0;
  for (const FanPath& path : fan.paths)
    reaching += path.complete ? path.flows : 0;
  std::string title = plain_text(snapshot.facts->name);
  title.append(": ").append(counted(complete, "path")).append(", ").append(counted(reaching, "flow"));
  if (fan.flows > reaching && snapshot.measured)
    title.append("; ").append(counted(fan.flows - reaching, "flow")).append(" never reached it");
  if (!snapshot.measured) {
    title.append("; ").append(explain(snapshot.unjudged));
  } else if (!snapshot.up) {
    title.append("; down");
  }
  return title;
}

std::string five_tuples(const DestinationSnapshot& snapshot, const Fan& fan, std::string_view arrow) {
  const DestinationFacts& facts = *snapshot.facts;
  const bool ports = has_ports(facts.protocol);
  std::vector<std::uint16_t> sources;
  sources.reserve(snapshot.flows.size());
  for (const FlowSnapshot& flow : snapshot.flows)
    sources.push_back(flow.source_port);
  std::ranges::sort(sources);
  std::string text(traits(facts.protocol).upper_name);
  text.push_back(' ');
  const IpAddress& source = fan.nodes.front().address;
  if (source.is_unspecified()) {
    text.append("no route");
  } else {
    append_endpoint(text, source, ports);
  }
  text.append(ports ? ":" : " identifier ");
  append_ports(text, sources, 4);
  text.push_back(' ');
  text.append(arrow).push_back(' ');
  if (facts.address.is_unspecified()) {
    text.append("not resolved");
  } else {
    append_endpoint(text, facts.address, ports);
  }
  if (ports) {
    text.push_back(':');
    append_number(text, facts.port);
  }
  return text;
}

std::string counted(std::uint64_t count, std::string_view singular) {
  std::string text;
  append_number(text, count);
  text.push_back(' ');
  text.append(singular);
  if (count != 1) text.push_back('s');
  return text;
}

}  // namespace ecmp::render
