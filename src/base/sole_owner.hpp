#pragma once

#include <memory>

namespace ecmp {

/// Whether no other pointer to the object is left: then the caller may write it, or use it for something else. To be
/// called by the one thread that makes copies of `pointer`, so that no other copy can be made meanwhile.
template <typename T>
bool is_sole_owner(const std::shared_ptr<T>& pointer) {
  if (pointer.use_count() != 1) return false;
  // use_count() is relaxed. The release of a copy is not: all that others did before they released theirs is over.
  std::shared_ptr<T>(pointer).reset();
  return true;
}

}  // namespace ecmp
