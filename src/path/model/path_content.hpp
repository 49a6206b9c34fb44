#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/ip_address.hpp"

namespace ecmp {

/// Who is at one TTL: nobody known, one responder, or the set a per-packet balancer alternates over.
class ContentSlot {
 public:
  ContentSlot() = default;
  ContentSlot(const ContentSlot& other)
      : balanced(other.balanced),
        one_(other.one_),
        several_(other.several_ != nullptr ? std::make_unique<std::vector<IpAddress>>(*other.several_) : nullptr) {}
  ContentSlot(ContentSlot&& other) noexcept = default;
  ContentSlot& operator=(const ContentSlot& other) { return *this = ContentSlot(other); }
  ContentSlot& operator=(ContentSlot&& other) noexcept = default;
  ~ContentSlot() = default;

  bool balanced = false;

  /// Sorted, no doubles; empty: unknown.
  [[nodiscard]] std::span<const IpAddress> responders() const {
    if (several_ != nullptr) return *several_;
    return {&one_, known() ? std::size_t{1} : std::size_t{0}};
  }
  [[nodiscard]] bool known() const { return several_ != nullptr || !one_.is_unspecified(); }
  /// Takes in a responder; true if it is a new one.
  bool add(const IpAddress& responder);

  friend bool operator==(const ContentSlot& a, const ContentSlot& b) {
    return a.balanced == b.balanced && std::ranges::equal(a.responders(), b.responders());
  }

 private:
  IpAddress one_;  ///< the usual case, which takes no memory of its own
  std::unique_ptr<std::vector<IpAddress>> several_;
};

/// What is known of a path, TTL 1 first. Of an incomplete one, which has not reached the destination, everything behind
/// the last slot is unknown; its last slot is known.
struct PathContent {
  std::vector<ContentSlot> slots;
  bool complete = false;

  friend bool operator==(const PathContent&, const PathContent&) = default;
};

/// Both can be the same path: equal wherever both are known, and of the same length if they are complete. A balanced
/// slot is compatible with a balanced one that shares a responder, never with a single responder: otherwise the flows
/// of an ordinary fan would gather on the path of one odd flow.
bool compatible(const PathContent& a, const PathContent& b);

/// Whether `view`, which has not reached the destination, may go on as `path` does, which has.
bool may_become(const PathContent& view, const PathContent& path);

/// Whether `view` knows a responder which `path` does not. They are compatible.
bool adds(const PathContent& view, const PathContent& path);

/// Whether `path` knows every slot that `view` knows and `than` does not.
bool fills(const PathContent& path, const PathContent& view, const PathContent& than);

/// Whether exactly the same slots are known.
bool same_knowledge(const PathContent& a, const PathContent& b);

/// Whether `rough` is `fine` with less known: unknown slots, or an end before the destination.
bool refines(const PathContent& fine, const PathContent& rough);

/// Adds to `path` what only `view` knows. They are compatible.
void unite(PathContent& path, const PathContent& view);

/// The same for the same content in every process and version: path ids are made of it. Of a balanced set only the
/// lowest address counts, since the set may still grow.
std::uint64_t content_hash(const PathContent& content, std::uint64_t salt);

}  // namespace ecmp
