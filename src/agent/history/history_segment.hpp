#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "net/host/file_descriptor.hpp"
#include "path/history/history_block.hpp"

namespace ecmp {

/// What is to be done with files. A reader changes nothing, and may come while another process writes.
enum class HistoryAccess : std::uint8_t { write, read };

/// A batch on its way into a file. What the head says of the stored bytes is filled in when they are.
struct HistoryBatch {
  HistoryBlockHead head;
  std::string bytes;
};

/// One file of the history: a head, and blocks that only ever come behind each other. One thread appends, any thread
/// reads, also when the file has been deleted meanwhile, as long as it was not closed before. Whatever stands in it, no
/// reader gets a batch that was not written as it is.
class HistorySegment {
 public:
  /// The beginning of a block that fits together, found in a file.
  struct Block {
    std::uint64_t offset = 0;
    HistoryBlockHead head;

    [[nodiscard]] std::uint64_t next() const { return offset + HistoryBlockHead::kBytes + head.stored; }
  };
  struct Refused {
    std::string why;          ///< one line
    bool newer = false;       ///< it was written by a program that knows more than this one
    bool empty = false;       ///< it never had a head: its writer was killed before
    bool unreadable = false;  ///< nobody knows what is in it: it could not be opened or read, which may pass
  };
  using Opened = std::variant<std::shared_ptr<HistorySegment>, Refused>;

  /// A new file with only a head in it.
  static Result<std::shared_ptr<HistorySegment>> create(const std::string& path, HistoryKind kind, std::uint64_t first);
  /// A file as it is found, with what its blocks' heads tell.
  static Opened open(const std::string& path, HistoryKind kind, HistoryAccess access = HistoryAccess::write);

  // By the one thread that writes.
  /// Appends all of them or, when there is an error, none. Compresses.
  std::optional<Error> append(std::vector<HistoryBatch>& batches);
  /// Cuts off what no block begins in, as a process that was killed leaves it.
  std::optional<Error> cut_tail();
  std::optional<Error> sync();
  /// Whether the file is still found under its path.
  [[nodiscard]] bool in_place() const;
  /// Closes the file until somebody reads it: a directory may have more files than a process may have open.
  void close();

  // By any thread.
  /// The first block at `offset` or behind it, before the end of what is written. What does not fit together is passed
  /// over, and counted in `damaged`.
  [[nodiscard]] std::optional<Block> block(std::uint64_t offset, std::uint64_t& damaged) const;
  /// Its batch, if it is what was written.
  [[nodiscard]] std::optional<std::string> batch(const Block& block) const;

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::uint64_t first() const { return first_; }
  [[nodiscard]] std::uint64_t end() const { return end_.load(); }  ///< above all its numbers
  [[nodiscard]] std::uint64_t bytes() const { return size_.load(); }
  [[nodiscard]] WallTime oldest() const { return WallTime(Duration(oldest_.load())); }
  [[nodiscard]] WallTime newest() const { return WallTime(Duration(newest_.load())); }
  [[nodiscard]] bool empty() const { return end() == first_; }
  [[nodiscard]] std::uint64_t damaged() const { return damaged_; }  ///< places found when it was opened

 private:
  using File = std::shared_ptr<const net::FileDescriptor>;

  HistorySegment(std::string path, net::FileDescriptor file, std::uint64_t first);

  [[nodiscard]] File file() const;
  /// `error`: what kept it from being read, or 0.
  [[nodiscard]] std::optional<Block> find(int file, std::uint64_t offset, std::uint64_t& damaged, int& error) const;
  [[nodiscard]] std::optional<Block> search(int file, std::uint64_t offset, std::uint64_t size, int& error) const;
  void take_in(const HistoryBlockHead& head);
  [[nodiscard]] int look_through();

  const std::string path_;
  const std::uint64_t first_;
  std::uint64_t device_ = 0, inode_ = 0;
  mutable std::mutex file_mutex_;  ///< held to copy the next, or to open the file
  mutable File file_;              ///< null while it is closed
  std::atomic<std::uint64_t> end_;
  std::atomic<std::uint64_t> size_ = 0;
  std::atomic<std::int64_t> oldest_ = 0, newest_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t good_ = 0;  ///< where the last block ends
};

}  // namespace ecmp
