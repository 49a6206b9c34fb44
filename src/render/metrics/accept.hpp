#pragma once

#include <string_view>

#include "render/metrics/encoder.hpp"

namespace ecmp::render {

struct NegotiatedFormat {
  Format format = Format::text;
  std::string_view content_type;
};

/// The format that an Accept header asks a scrape in (RFC 9110 section 12.5.1): the one with the highest q; of those
/// with the same, what is named more exactly; of those, protobuf before OpenMetrics before text. OpenMetrics and
/// protobuf are only for those who name them: "*/*" is what browsers and curl send, and gets text 0.0.4, as does
/// whoever asks for nothing that there is. Unreadable elements, and those behind the first 64, count as absent.
NegotiatedFormat negotiate_format(std::string_view accept);

}  // namespace ecmp::render
