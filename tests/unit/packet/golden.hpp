#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "samples.hpp"

namespace ecmp::packet::samples {

/// A datagram as it was, or could have been, on a wire.
struct Golden {
  std::string name;
  Bytes bytes;
};

/// All of them: also the seeds of the fuzzer (tests/fuzz/corpus/packet).
const std::vector<Golden>& golden();
Bytes golden(std::string_view name);

}  // namespace ecmp::packet::samples
