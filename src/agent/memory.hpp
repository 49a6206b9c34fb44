#pragma once

namespace ecmp {

/// Tells malloc how this process uses memory; to be called once, before threads are started. What is large comes from
/// the kernel and goes back to it at once.
void settle_memory();

}  // namespace ecmp
