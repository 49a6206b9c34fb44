#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "render/hop_names.hpp"
#include "sim/engine_fixture.hpp"
#include "tui/live_view.hpp"

namespace ecmp::tui::test {

/// Names as a test wants them.
class GivenNames final : public render::HopNames {
 public:
  std::map<IpAddress, std::string> names;

  [[nodiscard]] std::string_view name(const IpAddress& address) const override {
    const auto found = names.find(address);
    return found == names.end() ? std::string_view() : std::string_view(found->second);
  }
};

/// A scenario and the live view of its destination "dst", with names for all of its routers. The same in every run.
class WatchedNetwork {
 public:
  static constexpr std::uint64_t kSeed = 20260101;

  explicit WatchedNetwork(std::string_view scenario, std::uint16_t flows = 12, Family family = Family::ipv4);

  /// Lets `time` of the network pass; the view sees its rounds.
  void run(Duration time);

  /// Keys as a terminal sends them.
  LiveView::Request press(std::string_view bytes);
  Grid screen(std::size_t rows, std::size_t columns, Charset charset = Charset::unicode);
  std::string text(std::size_t rows, std::size_t columns, Charset charset = Charset::unicode) {
    return screen(rows, columns, charset).text();
  }

  /// What the view took.
  [[nodiscard]] const std::vector<std::shared_ptr<const RoundRecord>>& records() const { return records_; }

  LiveView& view() { return *view_; }
  GivenNames& names() { return *names_; }
  sim::EngineRun& engine_run() { return run_; }

 private:
  sim::EngineRun run_;
  std::shared_ptr<GivenNames> names_ = std::make_shared<GivenNames>();
  std::unique_ptr<LiveView> view_;
  std::vector<std::shared_ptr<const RoundRecord>> records_;
  Instant began_;
};

}  // namespace ecmp::tui::test
