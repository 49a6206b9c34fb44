#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "agent/tracing/board.hpp"
#include "net/http/http_message.hpp"
#include "render/metrics/exposition.hpp"

namespace ecmp {

/// One scrape, rendered while it is sent: what it needs besides the snapshots is a piece of some ten kilobytes, however
/// long it becomes, and pages that are in the processor's caches already.
class ScrapeStream : public net::BodyStream {
 public:
  /// Called once all families about the network are written; appends the rest. `took`: the time spent on rendering, not
  /// on waiting for the reader.
  using Finish = std::function<void(std::string& out, const render::RenderOutcome&, Duration took)>;

  /// Scrapes under way at once. Each keeps the snapshots that it tells of.
  static constexpr std::size_t kMostAtOnce = 8;

  ScrapeStream(std::shared_ptr<const Snapshots> snapshots, const render::HopNames& names,
               const render::ExpositionOptions& options, std::shared_ptr<const void> slot, Finish finish);

  Next next(std::string& out, Instant deadline) override;

 private:
  using Clock = std::chrono::steady_clock;

  std::shared_ptr<const void> slot_;
  std::shared_ptr<const Snapshots> snapshots_;
  Clock::time_point begin_;
  render::Exposition exposition_;
  Duration took_;
  Finish finish_;
};

}  // namespace ecmp
