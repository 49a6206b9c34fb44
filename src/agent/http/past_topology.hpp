#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/http/series_answers.hpp"
#include "path/model/round_record.hpp"
#include "path/model/snapshot.hpp"

namespace ecmp {

/// The fan of a destination at a moment that is over.
struct PastFan {
  std::shared_ptr<const DestinationSnapshot> snapshot;     ///< null: no round of that moment is kept
  std::vector<std::shared_ptr<const RoundRecord>> newest;  ///< round of each flow
};

/// Makes it of the rounds of the `window` before `at`, or of three intervals where that is longer: from memory, and
/// from the disk where memory does not reach. Nothing: there is no memory for it.
std::optional<PastFan> past_fan(const PastSources& sources, const DestinationFacts& facts, WallTime at, Duration window,
                                AnswerCharge& charge);

/// The same of rounds that are given, of any order. Their windows and counters are those of these rounds.
PastFan fan_of(std::vector<std::shared_ptr<const RoundRecord>> rounds, WallTime at, Duration window);

}  // namespace ecmp
