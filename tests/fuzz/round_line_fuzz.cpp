// Lines that `ecmp_trace --replay` reads. The first is read as it is; what was understood is written and read again,
// and says the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "render/json/ndjson.hpp"
#include "trace/round_line.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::string written(const ecmp::RoundRecord& record, const ecmp::RecordedNames& names) {
  std::string line;
  ecmp::render::append_round(line, record, names);
  require(line.ends_with('\n'));
  line.pop_back();
  return line;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  ecmp::RecordedNames names;
  const auto read = ecmp::read_round_line(line, names);
  if (!read.ok()) {
    require(!read.error().empty() && read.error().find('\n') == std::string::npos);
    return 0;
  }
  const ecmp::RoundRecord& record = **read;
  require(record.round.hops.size() <= 255 && record.round.finished >= record.round.started);
  const std::string once = written(record, names);
  const auto again = ecmp::read_round_line(once, names);
  require(again.ok());
  require(written(**again, names) == once);
  return 0;
}
