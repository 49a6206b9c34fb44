#pragma once

// Private to the .cpp files of the history codec: what a batch is made of.

#include <cstdint>

namespace ecmp::history_layout {

/// What an item is. Readers pass over what they do not know.
constexpr std::uint8_t kFacts = 1;
constexpr std::uint8_t kResponders = 2;
constexpr std::uint8_t kWindow = 3;
constexpr std::uint8_t kRound = 4;
constexpr std::uint8_t kEvent = 5;
constexpr std::uint8_t kSearch = 6;
constexpr std::uint8_t kOneway = 7;

// Of a hop's first byte: the lowest three bits are its outcome.
constexpr std::uint8_t kOutcomeMask = 0x07;
constexpr std::uint8_t kNextTtl = 0x08;      ///< one more than that of the hop before
constexpr std::uint8_t kAnswer = 0x10;       ///< somebody said something
constexpr std::uint8_t kPathsAnswer = 0x20;  ///< the responder is that of the path at this TTL
constexpr std::uint8_t kLabels = 0x40;       ///< there are MPLS labels
constexpr std::uint8_t kMore = 0x80;         ///< a byte of the following follows

constexpr std::uint8_t kLimitingMask = 0x03;
constexpr std::uint8_t kNotes = 0x04;  ///< there are notes other than labels

// Of notes' first byte.
constexpr std::uint8_t kChecksumShifted = 0x01;
constexpr std::uint8_t kSequenceShifted = 0x02;

// Of an interface's first byte: the lowest two bits are its role.
constexpr std::uint8_t kRoleMask = 0x03;
constexpr std::uint8_t kIndex = 0x04;
constexpr std::uint8_t kMtu = 0x08;

// Of the first byte of what an event says beyond moves: the bit of its detail is moved up by the place of its type in
// EventDetail.
constexpr std::uint8_t kEnded = 0x01;
constexpr unsigned kFirstDetail = 0x02;

// Of what streams say with a round, and of their reflector.
constexpr std::uint8_t kUpKnown = 0x01;
constexpr std::uint8_t kUp = 0x02;
constexpr std::uint8_t kSynchronised = 0x04;
constexpr std::uint8_t kModeShift = 3;  ///< two bits

// Which differences there are of a path's delays.
constexpr std::uint8_t kRelativeForward = 0x01;
constexpr std::uint8_t kRelativeReverse = 0x02;

// Of a verdict of loss.
constexpr std::uint8_t kBlamed = 0x01;
constexpr std::uint8_t kUneven = 0x02;
constexpr std::uint8_t kForwardConsistent = 0x04;
constexpr std::uint8_t kBegan = 0x08;  ///< the time follows; so does that of kIsOver
constexpr std::uint8_t kIsOver = 0x10;
constexpr std::uint8_t kHasDirection = 0x20;
constexpr std::uint8_t kOnTheWayBack = 0x40;

/// Beside the kind of a change.
constexpr std::uint8_t kUnconfirmed = 0x80;

}  // namespace ecmp::history_layout
