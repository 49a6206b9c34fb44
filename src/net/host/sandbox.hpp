#pragma once

#include <cstdint>
#include <linux/filter.h>
#include <optional>
#include <vector>

#include "base/result.hpp"

namespace ecmp::net {

/// What becomes of a system call that is not on the list of those we make (docs/adr/0018).
enum class Sandbox : std::uint8_t {
  off,   ///< no filter
  on,    ///< it fails with ENOSYS, and libraries fall back to an older call
  kill,  ///< it ends the process with SIGSYS: for tests, which have to be told of it
};

/// A sanitizer makes calls of its own: built with one, there is no filter whatever is asked for.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSandboxBuilt = false;
#else
constexpr bool kSandboxBuilt = true;
#endif

/// The filter as the kernel takes it. Calls that only an intruder makes (to run programs, to look into other processes,
/// to load code into the kernel) end the process in every mode, and so do calls of another architecture's table.
std::vector<sock_filter> sandbox_program(Sandbox mode);

/// Puts all threads of the process, and those it will start, under the filter; there is no way back. Sets
/// no_new_privs. One line for the user if the kernel has no filters.
std::optional<Error> enter_sandbox(Sandbox mode);

}  // namespace ecmp::net
