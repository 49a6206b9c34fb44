#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "path/model/event.hpp"
#include "path/model/round_record.hpp"

namespace ecmp {

/// Makes events of what streams of one destination say with its rounds: a reflector that began anew or turned out to be
/// another one, and paths that lose in one direction. Pure.
///
/// A path loses once it is certain (99.9 %) that more than one packet in a thousand is lost within the rolling window,
/// by at least five losses. It loses no more once as many packets as used to contain seven losses came through since
/// the last one, or no stream has been on it for a while.
class OnewayWatch {
 public:
  static constexpr double kLeastLoss = 0.001;
  static constexpr std::uint64_t kLeastLosses = 5;
  static constexpr double kQuietLosses = 7;

  /// Takes in a round that has something of streams; puts events behind `events`.
  void on_round(const RoundRecord& record, std::vector<std::shared_ptr<const PathEvent>>& events);

 private:
  /// One direction of one path.
  struct Way {
    std::uint32_t path = 0;
    OneWay direction{};
    bool losing = false;
    WallTime begun;
    std::uint64_t losses = 0;           ///< of all time, when they grew last
    std::uint64_t packets_at_loss = 0;  ///< of all time, then
    double loss = 0;                    ///< the highest ratio since it began
    WallTime seen;
    std::vector<std::uint16_t> flows;  ///< source ports on it
  };
  struct Figures {
    std::uint64_t packets = 0;
    std::uint64_t losses = 0;
    std::uint64_t window_packets = 0;
    std::uint64_t window_losses = 0;
  };

  void note_reflector(const RoundRecord& record, std::vector<std::shared_ptr<const PathEvent>>& events);
  void note_way(const RoundRecord& record, std::uint32_t path, OneWay direction, const Figures& figures,
                std::vector<std::shared_ptr<const PathEvent>>& events);
  void end_unused(const RoundRecord& record, std::vector<std::shared_ptr<const PathEvent>>& events);
  Way& way_of(std::uint32_t path, OneWay direction);

  std::optional<ReflectorSnapshot> reflector_;
  std::vector<Way> ways_;
};

}  // namespace ecmp
