#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "path/localisation/loss_run.hpp"
#include "path/model/event.hpp"
#include "path/model/round_record.hpp"
#include "path/oneway/oneway_watch.hpp"

namespace ecmp {

/// Makes events of rounds: one for all flows of a destination that change at one hop together, and one whenever a
/// destination goes down or comes back. Pure; time is that of the rounds.
///
/// Flows are probed one after the other, so those that move at one moment confirm it over the length of an interval.
/// An event is therefore open until every flow has finished a round begun after the newest change in it: who has moved
/// as well has said so by then. Silent hops and rounds that are skipped cannot keep it open for longer than some
/// intervals.
class EventGathering {
 public:
  using Event = std::shared_ptr<const PathEvent>;

  /// Takes in a round; those of a destination's flow come in order.
  void on_round(const RoundRecord& record);

  /// The events that are over by now, in the order in which they are.
  std::vector<Event> take(Instant now);

  /// It is traced no longer: its open events are over.
  void drop_destination(const std::string& name);

 private:
  /// Changes at one hop that are still coming in.
  struct Open {
    PathEvent event;
    Instant newest;    ///< begin of the newest round that changed
    Instant deadline;  ///< over by then at the latest
    bool per_packet = false;
  };
  struct Flow {
    Instant started = Instant::min();  ///< of its newest round
    bool steady = true;
    bool measured = false;
    bool reached = false;
  };
  struct Watched {
    std::shared_ptr<const DestinationFacts> facts;
    std::vector<Flow> flows;
    std::vector<Open> open;
    std::uint32_t steady = 0;    ///< flows that are probed all the time
    std::uint32_t measured = 0;  ///< of these, those that have finished a round
    std::uint32_t reached = 0;   ///< flows whose newest round reached the destination
    bool known = false;          ///< whether it is up or down has been told, or was up from the start
    bool up = false;
    LossRun losses{};
    OnewayWatch oneway{};
  };

  void set_facts(Watched& watched, const std::shared_ptr<const DestinationFacts>& facts);
  void note_reached(Watched& watched, const RoundRecord& record);
  void note_change(Watched& watched, const RoundRecord& record);
  static bool over(const Watched& watched, const Open& open);
  void close(Watched& watched, std::size_t index);
  void close_if_over(Watched& watched);

  std::unordered_map<std::string, Watched> watched_;
  std::vector<Watched*> with_open_;  ///< those with open events: few
  std::vector<Event> done_;
};

}  // namespace ecmp
