#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "path/model/round_record.hpp"
#include "path/statistics/flow_tally.hpp"
#include "render/hop_names.hpp"
#include "tui/cells.hpp"
#include "tui/detail_view.hpp"
#include "tui/fan_view.hpp"
#include "tui/help_view.hpp"
#include "tui/key_table.hpp"
#include "tui/keys.hpp"
#include "tui/scene.hpp"
#include "tui/summary_view.hpp"

namespace ecmp::tui {

/// The live view of one destination: takes rounds and keys, draws screens. Knows no terminal, and time is an argument.
class LiveView {
 public:
  enum class View : std::uint8_t { summary, detail, fan };
  /// What the caller has to do after a key.
  enum class Request : std::uint8_t { none, redraw, suspend, quit };

  struct Options {
    bool names = true;    ///< show names, as far as they are known
    std::string program;  ///< stands at the right end of the title
    bool replay = false;  ///< rounds are recorded ones: keys of time are collected, and nothing is held
  };

  LiveView(std::shared_ptr<const DestinationFacts> facts, Options options);

  void take(const RoundRecord& record);
  /// This flow is no longer traced.
  void forget(std::uint32_t flow_index);
  /// Another address of the same destination, for instance. Its rounds carry the facts too.
  void set_facts(std::shared_ptr<const DestinationFacts> facts) { facts_ = std::move(facts); }
  void set_names(std::shared_ptr<const render::HopNames> names) { names_ = std::move(names); }
  void set_as_numbers(std::shared_ptr<const AsNumbers> numbers) { as_numbers_ = std::move(numbers); }
  /// One line that the person should read, at the bottom until the next key; the newest one stands.
  void notice(std::string_view line);

  Request on_key(const Key& key);

  // Of a replay.
  /// Actions about time, in the order of their keys, since the last call.
  std::vector<Action> take_moves() { return std::exchange(moves_, {}); }
  /// Forgets all rounds, as if none had been taken.
  void begin_anew() { tally_ = DestinationTally(); }
  /// Counts from here on; where the flows go stays known.
  void count_anew() { tally_.reset(); }
  /// What stands in front of the figures: which moment they are of.
  void set_moment(std::string moment) { moment_ = std::move(moment); }
  [[nodiscard]] const std::string& moment() const { return moment_; }

  /// `elapsed` since the trace began.
  void draw(Grid& grid, Duration elapsed);

  [[nodiscard]] View view() const { return view_; }
  [[nodiscard]] bool paused() const { return held_ != nullptr; }
  [[nodiscard]] std::uint32_t chosen_flow() const { return chosen_; }
  [[nodiscard]] const DestinationTally& tally() const { return tally_; }

 private:
  static constexpr std::size_t kLongestSearch = 64;

  [[nodiscard]] Scene scene() const;
  [[nodiscard]] const FlowRow* chosen_row(const Scene& scene) const;
  Request act(Action action);
  void type(const Key& key);
  void scroll(Action action);
  void scroll_by(std::ptrdiff_t by);
  void choose_next(std::ptrdiff_t by);
  void show(View view);
  void open();
  void back();
  void pause();

  void draw_title(Pane pane, const Scene& scene, Duration elapsed) const;
  void draw_state(Pane pane, const Scene& scene, std::size_t row, Duration elapsed) const;
  void draw_views(Pane pane, const Scene& scene);
  void draw_bottom(Pane pane, std::size_t row) const;

  std::shared_ptr<const DestinationFacts> facts_;
  std::shared_ptr<const render::HopNames> names_;
  std::shared_ptr<const AsNumbers> as_numbers_;
  std::string program_;
  DestinationTally tally_;
  std::unique_ptr<const DestinationTally> held_;  ///< what is shown while paused
  SummaryView summary_;
  DetailView detail_;
  FanView fan_;
  HelpView help_;
  View view_ = View::summary;
  std::uint32_t chosen_ = 0;  ///< index of the flow
  bool show_names_;
  bool show_labels_ = true;
  bool show_help_ = false;
  std::string search_;
  bool typing_ = false;  ///< keys go into search_
  std::string notice_;
  bool replay_;
  std::vector<Action> moves_;
  std::string moment_;
  std::size_t page_ = 10;  ///< rows of a page, as it was drawn last
};

}  // namespace ecmp::tui
