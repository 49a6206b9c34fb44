#include "agent/memory.hpp"

#include <malloc.h>

namespace ecmp {

void settle_memory() {
#ifdef __GLIBC__
  // By itself glibc raises the threshold to the size of whatever large block was freed, up to 32 MiB: the working
  // memory of a scrape would then come from the heap and leave holes there.
  constexpr int kLarge = 1 << 20;
  constexpr int kTrim = 4 << 20;
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kTrim);
#endif
}

}  // namespace ecmp
