#include "path/model/path_content.hpp"

#include <algorithm>

#include "base/siphash.hpp"

namespace ecmp {
namespace {

bool intersect(std::span<const IpAddress> a, std::span<const IpAddress> b) {
  return std::ranges::any_of(a, [&](const IpAddress& one) { return std::ranges::binary_search(b, one); });
}

bool compatible(const ContentSlot& a, const ContentSlot& b) {
  if (!a.known() || !b.known()) return true;
  if (a.balanced != b.balanced) return false;
  return a.balanced ? intersect(a.responders(), b.responders()) : a == b;
}

bool knows(const PathContent& content, std::size_t index) {
  return index < content.slots.size() && content.slots[index].known();
}

}  // namespace

bool ContentSlot::add(const IpAddress& responder) {
  if (!known()) {
    one_ = responder;
    return true;
  }
  if (several_ == nullptr) {
    if (one_ == responder) return false;
    several_ = std::make_unique<std::vector<IpAddress>>(1, one_);
  }
  const auto at = std::ranges::lower_bound(*several_, responder);
  if (at != several_->end() && *at == responder) return false;
  several_->insert(at, responder);
  return true;
}

bool compatible(const PathContent& a, const PathContent& b) {
  if (a.complete != b.complete || (a.complete && a.slots.size() != b.slots.size())) return false;
  const std::size_t common = std::min(a.slots.size(), b.slots.size());
  return std::equal(a.slots.begin(), a.slots.begin() + static_cast<std::ptrdiff_t>(common), b.slots.begin(),
                    [](const ContentSlot& one, const ContentSlot& other) { return compatible(one, other); });
}

bool may_become(const PathContent& view, const PathContent& path) {
  return !view.complete && path.complete && view.slots.size() <= path.slots.size() &&
         std::equal(view.slots.begin(), view.slots.end(), path.slots.begin(),
                    [](const ContentSlot& one, const ContentSlot& other) { return compatible(one, other); });
}

bool adds(const PathContent& view, const PathContent& path) {
  if (view.slots.size() > path.slots.size()) return true;
  for (std::size_t i = 0; i < view.slots.size(); ++i)
    if (!std::ranges::includes(path.slots[i].responders(), view.slots[i].responders())) return true;
  return false;
}

bool fills(const PathContent& path, const PathContent& view, const PathContent& than) {
  for (std::size_t i = 0; i < view.slots.size(); ++i)
    if (knows(view, i) && !knows(than, i) && !knows(path, i)) return false;
  return true;
}

bool same_knowledge(const PathContent& a, const PathContent& b) {
  return std::ranges::equal(
      a.slots, b.slots, [](const ContentSlot& one, const ContentSlot& other) { return one.known() == other.known(); });
}

bool refines(const PathContent& fine, const PathContent& rough) {
  if (rough.complete && (!fine.complete || rough.slots.size() != fine.slots.size())) return false;
  if (rough.slots.size() > fine.slots.size()) return false;
  for (std::size_t i = 0; i < rough.slots.size(); ++i)
    if (rough.slots[i].known() && (!fine.slots[i].known() || !compatible(rough.slots[i], fine.slots[i]))) return false;
  return true;
}

void unite(PathContent& path, const PathContent& view) {
  if (path.slots.size() < view.slots.size()) path.slots.resize(view.slots.size());
  for (std::size_t i = 0; i < view.slots.size(); ++i) {
    if (!path.slots[i].known()) {
      path.slots[i] = view.slots[i];
      continue;
    }
    // A balancer this wide is told well enough by its first members; a set must not grow without bound.
    constexpr std::size_t kWidest = 16;
    for (const IpAddress& responder : view.slots[i].responders())
      if (path.slots[i].responders().size() < kWidest) path.slots[i].add(responder);
  }
}

std::uint64_t content_hash(const PathContent& content, std::uint64_t salt) {
  // Each slot starts with what it is, so that no two contents give the same bytes.
  enum Tag : std::uint8_t { unknown = 0, single_v4 = 4, single_v6 = 6, balanced_v4 = 14, balanced_v6 = 16, end = 255 };
  std::vector<std::uint8_t> bytes;
  bytes.reserve(content.slots.size() * 17 + 2);
  for (const ContentSlot& slot : content.slots) {
    if (!slot.known()) {
      bytes.push_back(unknown);
      continue;
    }
    const IpAddress& lowest = slot.responders().front();
    if (slot.balanced) {
      bytes.push_back(lowest.is_v4() ? balanced_v4 : balanced_v6);
    } else {
      bytes.push_back(lowest.is_v4() ? single_v4 : single_v6);
    }
    bytes.insert(bytes.end(), lowest.bytes().begin(), lowest.bytes().end());
  }
  bytes.push_back(end);
  bytes.push_back(content.complete ? 1 : 0);
  // A fixed key: ids have to survive a restart. Whoever forges a collision within a destination only gets a salted id.
  constexpr std::uint64_t kPathKey = 0x65636d705f706174u;
  return siphash(SipKey{kPathKey, salt}, bytes);
}

}  // namespace ecmp
