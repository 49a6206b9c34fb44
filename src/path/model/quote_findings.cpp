#include "path/model/quote_findings.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>

#include "base/names.hpp"

namespace ecmp {
namespace {

using packet::ReplyKind;
using packet::ReplyNotes;

const ReplyNotes& notes_of(const HopEvidence& hop) {
  static const ReplyNotes none;
  return hop.notes != nullptr ? *hop.notes : none;
}

/// Whether the reply is an ICMP error: only those quote.
bool quotes(const HopEvidence& hop) {
  switch (hop.newest.kind) {
    case ReplyKind::none:
    case ReplyKind::echo_reply:
    case ReplyKind::syn_ack:
    case ReplyKind::rst:
    case ReplyKind::challenge_ack:
    case ReplyKind::udp:
      return false;
    default:
      return true;
  }
}

/// A traffic class relative to what was sent: without notes it is what it was. What was sent is only told where it is
/// not.
struct Class {
  bool told = false;
  std::uint8_t sent = 0;
  std::uint8_t quoted = 0;
};

Class class_of(const HopEvidence& hop) {
  if (hop.notes == nullptr) return {};
  return {true, hop.notes->sent_traffic_class, hop.notes->quoted_traffic_class};
}

std::string_view ecn_name(std::uint32_t bits) {
  // RFC 3168 section 5.
  static constexpr std::array<std::string_view, 4> kNames = {"not-ect", "ect1", "ect0", "ce"};
  return kNames[bits & 3u];
}

/// Whether what came to both hops had been rewritten in the same way before: no NAT is between them.
bool same_nat(const HopEvidence& a, const HopEvidence& b) {
  return notes_of(a).quoted_source == notes_of(b).quoted_source &&
         notes_of(a).checksum_shifted == notes_of(b).checksum_shifted;
}

std::string nat_detail(const ReplyNotes& notes) {
  if (!notes.quoted_source.is_unspecified()) return "source " + notes.quoted_source.to_string();
  return notes.checksum_shifted ? "checksum" : "as sent again";
}

std::string interface_detail(const packet::InterfaceInfo& told) {
  std::string text(to_string(told.role));
  if (!told.name.empty()) text += " " + told.name;
  if (told.index) fmt::format_to(std::back_inserter(text), " index {}", *told.index);
  if (!told.address.is_unspecified()) text += " address " + told.address.to_string();
  if (told.mtu) fmt::format_to(std::back_inserter(text), " mtu {}", *told.mtu);
  return text;
}

class Search {
 public:
  explicit Search(std::span<const HopEvidence> hops) : hops_(hops) {}

  std::vector<Finding> go() {
    for (std::size_t begin = 0; begin < hops_.size();) {
      std::size_t end = begin + 1;
      while (end < hops_.size() && hops_[end].ttl == hops_[begin].ttl)
        ++end;
      for (std::size_t i = begin; i < end; ++i)
        look_at(i);
      take(begin, end, quoting_, [](const HopEvidence& hop) { return quotes(hop); });
      take(begin, end, answering_,
           [](const HopEvidence& hop) { return hop.newest.kind != ReplyKind::none && hop.newest.reply_ttl != 0; });
      begin = end;
    }
    return std::move(found_);
  }

 private:
  /// The hops of the nearest TTL before, of those that can be compared.
  using Before = std::span<const HopEvidence>;

  template <typename Takes>
  void take(std::size_t begin, std::size_t end, Before& before, Takes takes) {
    const Before all = hops_.subspan(begin, end - begin);
    if (std::ranges::all_of(all, takes)) before = all;
  }

  void add(FindingKind kind, std::size_t hop, Before before, std::uint32_t was, std::uint32_t now, std::string detail) {
    found_.push_back({kind, static_cast<std::uint32_t>(hop), before.empty() ? IpAddress() : before.front().responder,
                      was, now, std::move(detail)});
  }

  void look_at(std::size_t at) {
    const HopEvidence& hop = hops_[at];
    if (quotes(hop)) {
      if (differs(hop, [](const HopEvidence& a, const HopEvidence& b) { return same_nat(a, b); }))
        add(FindingKind::nat, at, quoting_, 0, 0, nat_detail(notes_of(hop)));
      if (differs(hop, [](const HopEvidence& a, const HopEvidence& b) {
            return notes_of(a).sequence_shifted == notes_of(b).sequence_shifted;
          }))
        add(FindingKind::sequence, at, quoting_, 0, 0, notes_of(hop).sequence_shifted ? "shifted" : "as sent again");
      look_at_class(at);
      if (hop.newest.kind == ReplyKind::time_exceeded && hop.newest.quoted_ttl > 1)
        add(FindingKind::quoted_ttl, at, {}, 1, hop.newest.quoted_ttl, fmt::format("{}", hop.newest.quoted_ttl));
    }
    look_at_return(at);
    const ReplyNotes& notes = notes_of(hop);
    // Who refuses one TTL refuses those beyond as well.
    const bool again = at > 0 && hops_[at - 1].responder == hop.responder && notes_of(hops_[at - 1]).mtu == notes.mtu;
    if (notes.mtu != 0 && !again) add(FindingKind::mtu, at, {}, 0, notes.mtu, fmt::format("{}", notes.mtu));
    for (const packet::InterfaceInfo& told : notes.interfaces)
      add(FindingKind::interface, at, {}, 0, told.index.value_or(0), interface_detail(told));
  }

  /// Whether none of those before is as this one; the first of all is compared with what was sent.
  template <typename Same>
  bool differs(const HopEvidence& hop, Same same) const {
    if (quoting_.empty()) return !same(HopEvidence{}, hop);
    return std::ranges::none_of(quoting_, [&](const HopEvidence& before) { return same(before, hop); });
  }

  void look_at_class(std::size_t at) {
    const Class now = class_of(hops_[at]);
    bool same_dscp = false;
    bool same_ecn = false;
    std::uint32_t was = 0;
    std::uint32_t is = 0;
    // Where nothing is told it is as it was sent, which the other one tells. If one of those before is the same,
    // nothing has changed.
    const auto compare = [&](const Class& before) {
      was = before.told ? before.quoted : now.sent;
      is = now.told ? now.quoted : before.sent;
      same_dscp = same_dscp || was >> 2 == is >> 2;
      same_ecn = same_ecn || (was & 3u) == (is & 3u);
    };
    if (quoting_.empty()) compare({});
    for (const HopEvidence& before : quoting_)
      compare(class_of(before));
    if (!same_dscp) add(FindingKind::dscp, at, quoting_, was >> 2, is >> 2, fmt::format("{} to {}", was >> 2, is >> 2));
    if (!same_ecn)
      add(FindingKind::ecn, at, quoting_, was & 3u, is & 3u, fmt::format("{} to {}", ecn_name(was), ecn_name(is)));
  }

  void look_at_return(std::size_t at) {
    const HopEvidence& hop = hops_[at];
    const int back = hops_back(hop.newest.reply_ttl);
    if (hop.newest.kind == ReplyKind::none || back == 0 || back == hop.ttl) return;
    const int more = back - hop.ttl;
    const auto as_before = [more](const HopEvidence& before) {
      return hops_back(before.newest.reply_ttl) - before.ttl == more;
    };
    if (std::ranges::any_of(answering_, as_before)) return;
    add(FindingKind::return_path, at, answering_, hop.ttl, static_cast<std::uint32_t>(back),
        fmt::format("{} there, {} back", hop.ttl, back));
  }

  std::span<const HopEvidence> hops_;
  Before quoting_;
  Before answering_;
  std::vector<Finding> found_;
};

}  // namespace

std::string_view to_string(FindingKind kind) {
  constexpr auto kNames = std::to_array<std::string_view>(
      {"nat", "sequence", "dscp", "ecn", "quoted_ttl", "return_path", "mtu", "interface"});
  return name_at(kNames, kind);
}

std::vector<Finding> findings_of(std::span<const HopEvidence> hops) {
  return Search(hops).go();
}

std::vector<Finding> findings_of(const Round& round) {
  const bool plain = std::ranges::all_of(round.hops, [](const HopResult& hop) {
    return hop.mpls.notes() == nullptr && hop.quoted_ttl <= 1 &&
           (hop.reply_ttl == 0 || hops_back(hop.reply_ttl) == hop.ttl);
  });
  if (plain) return {};
  std::vector<HopEvidence> evidence;
  evidence.reserve(round.hops.size());
  for (const HopResult& hop : round.hops)
    evidence.push_back(evidence_of(hop));
  return findings_of(evidence);
}

HopEvidence evidence_of(const HopSnapshot& hop) {
  return {hop.ttl, hop.responder, hop.newest, hop.mpls.notes()};
}

HopEvidence evidence_of(const HopResult& hop) {
  const bool answered = hop.outcome == HopOutcome::replied || hop.outcome == HopOutcome::unreachable;
  if (!answered) return {hop.ttl, {}, {}, nullptr};
  // Who refuses stands before the hop that was asked: its way back says nothing of this TTL.
  const std::uint8_t reply_ttl = hop.outcome == HopOutcome::unreachable ? std::uint8_t{0} : hop.reply_ttl;
  return {hop.ttl, hop.responder, {hop.reply, reply_ttl, hop.quoted_ttl}, hop.mpls.notes()};
}

std::uint8_t hops_back(std::uint8_t reply_ttl) {
  if (reply_ttl == 0) return 0;
  for (const int initial : {32, 64, 128, 255}) {
    if (reply_ttl <= initial) return static_cast<std::uint8_t>(initial - reply_ttl + 1);
  }
  return 0;
}

}  // namespace ecmp
