#pragma once

// Private to history_decode.cpp: the values that items are made of, read out of any bytes.

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

#include "base/compact.hpp"
#include "path/history/history_layout.hpp"
#include "path/model/event.hpp"
#include "path/oneway/oneway_verdict.hpp"
#include "path/statistics/statistics.hpp"

namespace ecmp::history_layout {

inline constexpr std::uint64_t kMostPort = std::numeric_limits<std::uint16_t>::max();
inline constexpr std::uint64_t kMostId = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint64_t kMostLabel = (1u << 20) - 1;
inline constexpr std::size_t kMostHops = 255;
/// Later than any clock says; sums of a few such times and lengths do not overflow.
inline constexpr std::int64_t kMostTime = std::numeric_limits<std::int64_t>::max() / 4;

inline std::int64_t sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// A value of an enumeration whose last one is `last`.
template <typename Enum>
Enum choice(CompactReader& from, Enum last) {
  const std::uint8_t value = from.byte();
  if (value <= static_cast<std::uint8_t>(last)) return static_cast<Enum>(value);
  from.fail();
  return Enum{};
}

inline Duration length(CompactReader& from) {
  const std::int64_t count = from.signed_number();
  if (count >= -kMostTime && count <= kMostTime) return Duration(count);
  from.fail();
  return {};
}

inline std::uint16_t port(CompactReader& from) {
  return static_cast<std::uint16_t>(from.number(kMostPort));
}

inline std::uint32_t id(CompactReader& from) {
  return static_cast<std::uint32_t>(from.number(kMostId));
}

inline Quantiles quantiles(CompactReader& from) {
  Quantiles read;
  read.p50 = length(from);
  read.p95 = length(from);
  read.p99 = length(from);
  return read;
}

/// Finite, and of a size that can be published.
inline double real(CompactReader& from) {
  const auto value = std::bit_cast<double>(from.number());
  if (std::abs(value) <= 1e15) return value;
  from.fail();
  return 0;
}

inline packet::ReplyNotes notes(CompactReader& in) {
  packet::ReplyNotes notes;
  const std::uint8_t first = in.byte();
  notes.checksum_shifted = (first & kChecksumShifted) != 0;
  notes.sequence_shifted = (first & kSequenceShifted) != 0;
  notes.sent_traffic_class = in.byte();
  notes.quoted_traffic_class = in.byte();
  notes.quoted_source = in.address();
  notes.mtu = id(in);
  const std::uint8_t count = in.byte();
  if (count > packet::ReplyNotes::kMostInterfaces) in.fail();
  for (std::uint8_t i = 0; i < count && in.ok(); ++i) {
    packet::InterfaceInfo interface;
    const std::uint8_t bits = in.byte();
    interface.role = static_cast<packet::InterfaceInfo::Role>(bits & kRoleMask);
    if ((bits & kIndex) != 0) interface.index = id(in);
    if ((bits & kMtu) != 0) interface.mtu = id(in);
    interface.address = in.address();
    interface.name = in.text();
    if (interface.name.size() > packet::InterfaceInfo::kLongestName) in.fail();
    notes.interfaces.push_back(std::move(interface));
  }
  return notes;
}

inline packet::MplsStack labels(CompactReader& in) {
  packet::MplsStack stack;
  stack.depth = in.byte();
  if (stack.depth == 0 || stack.depth > packet::MplsStack::kMaximum) {
    in.fail();
    return {};
  }
  for (std::size_t i = 0; i < stack.depth; ++i) {
    stack.labels[i].label = static_cast<std::uint32_t>(in.number(kMostLabel));
    const std::uint8_t bits = in.byte();
    stack.labels[i].traffic_class = bits >> 1;
    stack.labels[i].bottom = (bits & 1) != 0;
    stack.labels[i].ttl = in.byte();
  }
  return stack;
}

inline stamp::OnewayCounts oneway_counts(CompactReader& in) {
  stamp::OnewayCounts counts;
  for (std::uint64_t* const to :
       {&counts.resolved, &counts.forward, &counts.reverse, &counts.round_trips, &counts.unresolved,
        &counts.reordered_forward, &counts.reordered_reverse, &counts.restarts})
    *to = in.number();
  return counts;
}

inline ReflectorSnapshot reflector(CompactReader& in) {
  ReflectorSnapshot read;
  const std::uint8_t bits = in.byte();
  if ((bits & kUpKnown) != 0) read.up = (bits & kUp) != 0;
  read.synchronised = (bits & kSynchronised) != 0;
  const auto mode = static_cast<std::uint8_t>(bits >> kModeShift);
  if (mode > static_cast<std::uint8_t>(stamp::ReflectorMode::stateful)) in.fail();
  if (in.ok()) read.mode = static_cast<stamp::ReflectorMode>(mode);
  read.restarts = in.number();
  return read;
}

}  // namespace ecmp::history_layout
