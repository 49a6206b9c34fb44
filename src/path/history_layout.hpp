#pragma once

// Private to the .cpp files of the history codec: what a batch is made of.

#include <cstdint>

namespace ecmp::history_layout {

/// What an item is. Readers pass over what they do not know.
enum Tag : std::uint8_t { kFacts = 1, kResponders = 2, kWindow = 3, kRound = 4, kEvent = 5 };

// Of a hop's first byte: the lowest three bits are its outcome.
constexpr std::uint8_t kOutcomeMask = 0x07;
constexpr std::uint8_t kNextTtl = 0x08;      ///< one more than that of the hop before
constexpr std::uint8_t kAnswer = 0x10;       ///< somebody said something
constexpr std::uint8_t kPathsAnswer = 0x20;  ///< the responder is that of the path at this TTL
constexpr std::uint8_t kLabels = 0x40;       ///< there are MPLS labels

}  // namespace ecmp::history_layout
