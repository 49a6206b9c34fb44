// Accept and Accept-Encoding, whatever stands there: always one of the formats there are, and protobuf or OpenMetrics
// only for who names them.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "net/http/http_encoding.hpp"
#include "render/metrics/accept.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace ecmp;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto [format, content_type] = render::negotiate_format(text);
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (content_type.empty()) std::abort();
  const bool named = lower.find("openmetrics-text") != std::string::npos || lower.find("protobuf") != std::string::npos;
  if (format != render::Format::text && !named) std::abort();
  if (net::prefers_gzip(text) && lower.find("gzip") == std::string::npos && lower.find('*') == std::string::npos)
    std::abort();
  return 0;
}
