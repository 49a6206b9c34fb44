#pragma once

#include <cassert>

/// States an invariant: something that holds whatever anyone sends or configures, so that a violation is our own
/// mistake. Builds without NDEBUG (dev, the sanitizers, fuzz) test it and abort with the place; in release it costs
/// nothing, and `condition` is compiled but not evaluated, so it must have no effect. What input can bring about is an
/// error to be handled, and nothing for this.
#ifdef NDEBUG
#define ECMP_CHECK(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#else
#define ECMP_CHECK(condition) assert(condition)
#endif
