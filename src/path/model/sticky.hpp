#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "base/time.hpp"

namespace ecmp {

/// What an answer did to the value it was about.
enum class Hearing : std::uint8_t {
  steady,      ///< the value holds
  other,       ///< a different value was heard: a candidate now
  alternates,  ///< it goes to and fro between few values: balance() may be called
  widened,     ///< balanced, and a value was heard that had not been among the members
  settled,     ///< it was balanced, but has kept to one value for long: that is the value now
};

/// A value that holds until another one has been heard often enough in a row: the responder of a TTL, or the distance
/// of a flow. Value{} means "never heard". Silence needs no call: it is compatible with everything, so it neither
/// confirms nor resets a candidate.
///
/// What a steady value does not need is on the heap and goes away again, so that a flow-hop costs little memory.
template <typename Value>
class Sticky {
 public:
  static constexpr std::size_t kHistory = 8;     ///< answers looked at for alternation
  static constexpr std::size_t kMembers = 8;     ///< values of a balanced set
  static constexpr std::uint32_t kSwitches = 3;  ///< within the history: it alternates
  static constexpr std::uint32_t kSettled = 16;  ///< answers in a row that end a balanced period

  [[nodiscard]] bool known() const { return value_ != Value{}; }
  [[nodiscard]] const Value& value() const { return value_; }
  [[nodiscard]] Instant last_heard() const { return last_heard_; }
  [[nodiscard]] bool balanced() const { return unrest_ && unrest_->member_count > 0; }
  /// The balanced set, the newest first; empty if it is not balanced.
  [[nodiscard]] std::span<const Value> members() const {
    return unrest_ ? std::span(unrest_->members.data(), unrest_->member_count) : std::span<const Value>();
  }
  /// The newest answer, whatever the value is.
  [[nodiscard]] const Value& latest() const {
    return unrest_ && unrest_->heard > 0 ? unrest_->history[unrest_->heard - 1] : value_;
  }
  /// Whether different answers were among the newest.
  [[nodiscard]] bool varied() const { return unrest_ && unrest_->distinct() > 1; }

  [[nodiscard]] bool has_candidate() const { return unrest_ && unrest_->count > 0; }
  [[nodiscard]] bool has_candidate(Instant not_older) const {
    return has_candidate() && unrest_->candidate_last >= not_older;
  }
  /// Only when has_candidate().
  [[nodiscard]] const Value& candidate() const { return unrest_->candidate; }
  [[nodiscard]] std::uint32_t candidate_count() const { return has_candidate() ? unrest_->count : 0; }
  [[nodiscard]] Instant candidate_first() const { return unrest_->candidate_first; }

  /// The quick way for the usual answer: true if `value` is what holds and there has been no other of late.
  bool confirm(const Value& value, Instant at) {
    if (unrest_ || value_ != value) return false;
    last_heard_ = at;
    return true;
  }

  /// An answer while known().
  Hearing hear(const Value& value, Instant at) {
    if (confirm(value, at)) return Hearing::steady;
    if (!unrest_) {
      unrest_ = std::make_unique<Unrest>();
      unrest_->push(value_);
    }
    last_heard_ = at;
    unrest_->push(value);
    if (balanced()) return hear_balanced(value);
    if (value == value_) {
      unrest_->count = 0;
      if (unrest_->run >= kHistory) unrest_.reset();
    } else {
      unrest_->suspect(value, at);
    }
    if (unrest_ && unrest_->alternates()) return Hearing::alternates;
    return value == value_ ? Hearing::steady : Hearing::other;
  }

  /// An answer while nothing is known, but not yet to be believed.
  void suspect(const Value& value, Instant at) {
    if (!unrest_) unrest_ = std::make_unique<Unrest>();
    last_heard_ = at;
    unrest_->push(value);
    unrest_->suspect(value, at);
  }

  /// The value from now on.
  void set(const Value& value, Instant at) {
    value_ = value;
    last_heard_ = at;
    if (!balanced()) unrest_.reset();
  }

  /// The candidate becomes the value. The history stays, so that going to and fro is seen.
  void take_candidate() {
    value_ = unrest_->candidate;
    unrest_->count = 0;
  }

  /// All values of the history are equally right from now on.
  void balance() {
    unrest_->count = 0;
    for (std::size_t i = 0; i < unrest_->heard; ++i)
      unrest_->admit(unrest_->history[i]);
  }

  void clear() { *this = Sticky(); }

 private:
  struct Unrest {
    Value candidate{};
    std::uint32_t count = 0;  ///< of the candidate in a row; 0: there is none
    Instant candidate_first;
    Instant candidate_last;
    std::array<Value, kHistory> history{};  ///< newest last
    std::array<Value, kMembers> members{};  ///< newest first
    std::uint32_t run = 0;                  ///< newest answers that are the same
    std::uint8_t heard = 0;                 ///< in history
    std::uint8_t member_count = 0;

    void push(const Value& value) {
      run = heard > 0 && history[heard - 1] == value ? run + 1 : 1;
      if (heard == kHistory) {
        std::shift_left(history.begin(), history.end(), 1);
      } else {
        ++heard;
      }
      history[heard - 1] = value;
    }

    void suspect(const Value& value, Instant at) {
      if (count == 0 || candidate != value) {
        candidate = value;
        count = 0;
        candidate_first = at;
      }
      ++count;
      candidate_last = at;
    }

    /// To the front of the members; the one that was not heard for longest makes room. True if it is a new one.
    bool admit(const Value& value) {
      std::size_t at = 0;
      while (at < member_count && !(members[at] == value))
        ++at;
      const bool fresh = at == member_count;
      if (fresh && member_count < kMembers) {
        ++member_count;
      } else if (fresh) {
        --at;
      }
      for (; at > 0; --at)
        members[at] = members[at - 1];
      members[0] = value;
      return fresh;
    }

    [[nodiscard]] std::size_t distinct() const {
      std::size_t count_distinct = 0;
      for (std::size_t i = 0; i < heard; ++i)
        count_distinct += std::find(history.begin(), history.begin() + i, history[i]) == history.begin() + i ? 1u : 0u;
      return count_distinct;
    }

    /// Not only often different, but returning: one that is somewhere else each time alternates with nothing.
    [[nodiscard]] bool alternates() const {
      std::uint32_t switches = 0;
      for (std::size_t i = 1; i < heard; ++i)
        switches += history[i] != history[i - 1] ? 1u : 0u;
      return switches >= kSwitches && switches >= distinct();
    }
  };

  Hearing hear_balanced(const Value& value) {
    if (unrest_->run >= kSettled) {
      value_ = value;
      unrest_.reset();
      return Hearing::settled;
    }
    return unrest_->admit(value) ? Hearing::widened : Hearing::steady;
  }

  Value value_{};
  Instant last_heard_;
  std::unique_ptr<Unrest> unrest_;
};

}  // namespace ecmp
