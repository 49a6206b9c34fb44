#include "agent/http/scrape_stream.hpp"

#include <stdexcept>
#include <utility>

namespace ecmp {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

/// Prometheus gives up after a minute at most, as a rule after ten seconds. Whoever reads for longer keeps old
/// snapshots in memory.
constexpr auto kLongest = std::chrono::seconds(90);

}  // namespace

ScrapeStream::ScrapeStream(std::shared_ptr<const Snapshots> snapshots, const render::HopNames& names,
                           const render::ExpositionOptions& options, std::shared_ptr<const void> slot, Finish finish)
    : slot_(std::move(slot)),
      snapshots_(std::move(snapshots)),
      begin_(Clock::now()),
      exposition_(*snapshots_, names, options),
      took_(Clock::now() - begin_),
      finish_(std::move(finish)) {}

net::BodyStream::Next ScrapeStream::next(std::string& out, Instant /*deadline*/) {
  const auto begin = Clock::now();
  if (begin - begin_ > kLongest) throw std::runtime_error("the reader is too slow");
  const bool more = exposition_.next(out, kPiece);
  took_ += Clock::now() - begin;
  if (more) return Next::more;
  finish_(out, exposition_.outcome(), took_);
  return Next::end;
}

}  // namespace ecmp
