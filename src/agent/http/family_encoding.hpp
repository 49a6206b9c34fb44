#pragma once

#include <prometheus/metric_family.h>
#include <span>
#include <string>

#include "render/metrics/encoder.hpp"

namespace ecmp {

/// Appends families of prometheus-cpp in any of the formats, and what ends a scrape. It can write text 0.0.4 itself,
/// but neither of the others; and one writer makes the same labels in all of them.
void append_families(std::string& out, render::Format format, std::span<const prometheus::MetricFamily> families,
                     WallTime began = {});

}  // namespace ecmp
