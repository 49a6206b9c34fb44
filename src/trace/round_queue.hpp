#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "net/host/file_descriptor.hpp"
#include "path/model/round_record.hpp"

namespace ecmp {

/// Finished rounds on their way from the probing thread to the one that shows and writes them. The probing thread never
/// waits for a reader: of what does not fit the newest are left out and counted. In a simulated network, which has its
/// own time, it waits instead.
class RoundQueue {
 public:
  enum class WhenFull : std::uint8_t { leave_out, wait };
  static constexpr std::size_t kCapacity = 65536;

  explicit RoundQueue(WhenFull when_full);

  void push(std::shared_ptr<const RoundRecord> record);
  /// Nothing more will come. May be called more than once.
  void close();
  /// The reader is gone: what is pushed from now on is dropped, and nobody waits.
  void abandon();

  struct Taken {
    std::vector<std::shared_ptr<const RoundRecord>> records;  ///< oldest first
    bool closed = false;                                      ///< and these were the last
  };
  /// All that is there; never waits.
  Taken take();

  /// Readable when take() has something to say.
  [[nodiscard]] int descriptor() const { return ready_.get(); }
  [[nodiscard]] std::uint64_t left_out() const;

 private:
  void signal();

  const WhenFull when_full_;
  net::FileDescriptor ready_;  ///< an eventfd
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::vector<std::shared_ptr<const RoundRecord>> records_;
  std::uint64_t left_out_ = 0;
  bool closed_ = false;
  bool abandoned_ = false;
};

}  // namespace ecmp
