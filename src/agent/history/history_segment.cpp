#include "agent/history/history_segment.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <zstd.h>

#include "path/history/history_codec.hpp"

namespace ecmp {
namespace {

/// Measured, see docs/adr/0017-history-on-disk.md: higher levels cost more than they save.
constexpr int kCompression = 1;
constexpr std::size_t kSearchBytes = 64 * 1024;

Error failure(const std::string& what, int error) {
  return {what + ": " + std::generic_category().message(error)};
}

ByteView view(const std::string& bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// As many bytes as there are, at most. `error` is what kept it from reading more, or 0.
std::size_t read_at(int file, std::uint64_t offset, MutableBytes into, int& error) {
  std::size_t done = 0;
  error = 0;
  while (done < into.size()) {
    const ssize_t got = ::pread(file, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

/// 0, or what kept it from being written.
int write_at(int file, std::uint64_t offset, ByteView bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t put = ::pwrite(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    if (put == 0) return ENOSPC;
    done += static_cast<std::size_t>(put);
  }
  return 0;
}

}  // namespace

HistorySegment::HistorySegment(std::string path, net::FileDescriptor file, std::uint64_t first)
    : path_(std::move(path)),
      first_(first),
      file_(std::make_shared<const net::FileDescriptor>(std::move(file))),
      end_(first) {
  struct stat facts{};
  if (::fstat(file_->get(), &facts) != 0) return;
  device_ = facts.st_dev;
  inode_ = facts.st_ino;
}

/// The open file, opened again where it was closed; null if it cannot be, or another one stands there.
HistorySegment::File HistorySegment::file() const {
  const std::lock_guard lock(file_mutex_);
  if (file_ != nullptr) return file_;
  net::FileDescriptor opened(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat facts{};
  if (!opened.valid() || ::fstat(opened.get(), &facts) != 0) return nullptr;
  if (facts.st_dev != device_ || facts.st_ino != inode_) return nullptr;
  file_ = std::make_shared<const net::FileDescriptor>(std::move(opened));
  return file_;
}

void HistorySegment::close() {
  const std::lock_guard lock(file_mutex_);
  file_ = nullptr;
}

Result<std::shared_ptr<HistorySegment>> HistorySegment::create(const std::string& path, HistoryKind kind,
                                                               std::uint64_t first) {
  net::FileDescriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return failure(path, errno);
  const auto head = HistoryFileHead{.version = kHistoryVersion, .kind = kind, .first = first}.bytes();
  if (const int error = write_at(file.get(), 0, head); error != 0) {
    ::unlink(path.c_str());
    return failure(path, error);
  }
  std::shared_ptr<HistorySegment> made(new HistorySegment(path, std::move(file), first));
  made->size_ = made->good_ = head.size();
  return made;
}

HistorySegment::Opened HistorySegment::open(const std::string& path, HistoryKind kind, HistoryAccess access) {
  const int mode = access == HistoryAccess::write ? O_RDWR : O_RDONLY;
  // Not to wait for whoever writes into a pipe of that name.
  net::FileDescriptor file(::open(path.c_str(), mode | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  const auto unreadable = [&](int error) { return Refused{.why = failure(path, error).message, .unreadable = true}; };
  if (!file.valid()) return errno == ELOOP ? Opened(Refused{failure(path, errno).message}) : unreadable(errno);
  struct stat facts{};
  if (::fstat(file.get(), &facts) != 0) return unreadable(errno);
  if (!S_ISREG(facts.st_mode)) return Refused{path + ": not a file"};
  std::array<std::uint8_t, HistoryFileHead::kBytes> bytes{};
  int error = 0;
  const std::size_t got = read_at(file.get(), 0, bytes, error);
  if (error != 0) return unreadable(error);
  if (got < bytes.size()) return Refused{.why = path + ": too short", .empty = true};
  const auto head = HistoryFileHead::parse(bytes);
  if (!head) return Refused{path + ": damaged, or not a file of the history"};
  if (head->version > kHistoryVersion) {
    return Refused{.why = path + ": of version " + std::to_string(head->version) +
                          ", written by a newer program; this one knows versions up to " +
                          std::to_string(kHistoryVersion),
                   .newer = true};
  }
  if (head->kind != kind) return Refused{path + ": holds something else than its name says"};
  std::shared_ptr<HistorySegment> opened(new HistorySegment(path, std::move(file), head->first));
  opened->size_ = static_cast<std::uint64_t>(facts.st_size);
  if (const int broken = opened->look_through(); broken != 0) return unreadable(broken);
  return opened;
}

void HistorySegment::take_in(const HistoryBlockHead& head) {
  const std::int64_t oldest = head.oldest.time_since_epoch().count();
  const std::int64_t newest = head.newest.time_since_epoch().count();
  const bool first = empty();
  oldest_ = first ? oldest : std::min(oldest_.load(), oldest);
  newest_ = first ? newest : std::max(newest_.load(), newest);
  end_ = std::max(end_.load(), head.end);
}

/// 0, or what kept it from being read to its end.
int HistorySegment::look_through() {
  const File file = this->file();
  good_ = HistoryFileHead::kBytes;
  int error = 0;
  while (const auto found = find(file->get(), good_, damaged_, error)) {
    take_in(found->head);
    good_ = found->next();
  }
  return error;
}

std::optional<Error> HistorySegment::cut_tail() {
  if (good_ == size_) return std::nullopt;
  if (::ftruncate(file_->get(), static_cast<off_t>(good_)) != 0) return failure(path_, errno);
  size_ = good_;
  return std::nullopt;
}

std::optional<Error> HistorySegment::append(std::vector<HistoryBatch>& batches) {
  std::string out;
  for (HistoryBatch& batch : batches) {
    std::string stored(ZSTD_compressBound(batch.bytes.size()), '\0');
    const std::size_t size =
        ZSTD_compress(stored.data(), stored.size(), batch.bytes.data(), batch.bytes.size(), kCompression);
    if (ZSTD_isError(size) != 0) return Error{path_ + ": zstd: " + ZSTD_getErrorName(size)};
    stored.resize(size);
    batch.head.raw = static_cast<std::uint32_t>(batch.bytes.size());
    batch.head.stored = static_cast<std::uint32_t>(size);
    batch.head.checksum = crc32c(view(stored));
    const auto head = batch.head.bytes();
    out.append(reinterpret_cast<const char*>(head.data()), head.size());
    out.append(stored);
  }
  const std::uint64_t at = size_.load();
  if (const int error = write_at(file_->get(), at, view(out)); error != 0) {
    // What was written of it stands behind the end that readers know, and the next block comes over it. Where even
    // that fails, the tail is cut when the file is opened again.
    static_cast<void>(::ftruncate(file_->get(), static_cast<off_t>(at)) == 0);
    return failure(path_, error);
  }
  for (const HistoryBatch& batch : batches)
    take_in(batch.head);
  good_ = at + out.size();
  size_ = good_;
  return std::nullopt;
}

std::optional<Error> HistorySegment::sync() {
  if (::fdatasync(file_->get()) == 0) return std::nullopt;
  return failure(path_, errno);
}

bool HistorySegment::in_place() const {
  struct stat here{}, there{};
  return ::fstat(file_->get(), &here) == 0 && ::lstat(path_.c_str(), &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

std::optional<HistorySegment::Block> HistorySegment::block(std::uint64_t offset, std::uint64_t& damaged) const {
  if (offset + HistoryBlockHead::kBytes > size_.load()) return std::nullopt;
  const File file = this->file();
  if (file == nullptr) return std::nullopt;
  int error = 0;
  return find(file->get(), offset, damaged, error);
}

std::optional<HistorySegment::Block> HistorySegment::find(int file, std::uint64_t offset, std::uint64_t& damaged,
                                                          int& error) const {
  const std::uint64_t size = size_.load();
  if (offset + HistoryBlockHead::kBytes > size) return std::nullopt;
  std::array<std::uint8_t, HistoryBlockHead::kBytes> bytes{};
  if (read_at(file, offset, bytes, error) == bytes.size()) {
    if (const auto head = HistoryBlockHead::parse(bytes)) {
      const Block found{offset, *head};
      if (found.next() <= size) return found;
    }
  }
  if (error != 0) return std::nullopt;
  ++damaged;
  return search(file, offset + 1, size, error);
}

/// Byte by byte: what is damaged may also be the length that leads to the next block.
std::optional<HistorySegment::Block> HistorySegment::search(int file, std::uint64_t offset, std::uint64_t size,
                                                            int& error) const {
  std::vector<std::uint8_t> bytes(kSearchBytes);
  while (offset + HistoryBlockHead::kBytes <= size) {
    const ByteView got = ByteView(bytes).first(read_at(file, offset, bytes, error));
    if (error != 0 || got.size() < HistoryBlockHead::kBytes) break;
    const std::size_t starts = got.size() - HistoryBlockHead::kBytes + 1;
    for (std::size_t at = 0; at < starts; ++at) {
      const auto head = HistoryBlockHead::parse(got.subspan(at));
      if (!head) continue;
      const Block found{offset + at, *head};
      if (found.next() <= size) return found;
    }
    offset += starts;
  }
  return std::nullopt;
}

std::optional<std::string> HistorySegment::batch(const Block& block) const {
  const File file = this->file();
  if (file == nullptr) return std::nullopt;
  std::vector<std::uint8_t> stored(block.head.stored);
  int error = 0;
  const std::uint64_t at = block.offset + HistoryBlockHead::kBytes;
  if (read_at(file->get(), at, stored, error) != stored.size()) return std::nullopt;
  if (crc32c(stored) != block.head.checksum) return std::nullopt;
  std::string raw(block.head.raw, '\0');
  const std::size_t size = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
  if (ZSTD_isError(size) != 0 || size != raw.size()) return std::nullopt;
  return raw;
}

}  // namespace ecmp
