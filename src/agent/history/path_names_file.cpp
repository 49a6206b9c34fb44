#include "agent/history/path_names_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>

#include "agent/log.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp {
namespace {

/// Far more than ten thousand destinations have.
constexpr std::size_t kMostBytes = std::size_t{256} << 20;

Error failure(const std::string& path) {
  return {path + ": " + std::generic_category().message(errno)};
}

struct Content {
  std::vector<std::uint8_t> bytes;
  int error = 0;  ///< why they are not all there
};

Content content_of(const std::string& path) {
  const net::FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  Content content;
  if (!file.valid()) content.error = errno;
  constexpr std::size_t kPiece = 65536;
  for (std::size_t size = 0; content.error == 0 && size < kMostBytes; size = content.bytes.size()) {
    content.bytes.resize(size + kPiece);
    const ssize_t got = ::read(file.get(), content.bytes.data() + size, kPiece);
    const bool interrupted = got < 0 && errno == EINTR;
    if (got < 0 && !interrupted) content.error = errno;
    content.bytes.resize(size + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got <= 0 && !interrupted) break;
  }
  return content;
}

}  // namespace

/// What cannot be used now may be of use to somebody later: the next write must not come over it.
void PathNamesFile::keep_aside(std::string_view what, int error) const {
  const std::string aside = path_ + ".unread";
  const bool kept = std::rename(path_.c_str(), aside.c_str()) == 0;
  log::warn("the names of paths " + std::string(what) + ": paths are numbered anew",
            {{"file", path_},
             {"error", error != 0 ? std::generic_category().message(error) : std::string()},
             {"kept_as", kept ? aside : std::string()}});
}

void PathNamesFile::load() {
  const Content found = content_of(path_);
  if (found.error == ENOENT) return;
  if (found.error != 0) return keep_aside("cannot be read", found.error);
  auto names = decode_path_names(found.bytes);
  if (!names) {
    keep_aside("are damaged or of another version", 0);
    return;
  }
  begun_with_ = *names;
  names_ = std::move(*names);
}

std::optional<PathNames> read_path_names(const std::string& directory) {
  const Content found = content_of(PathNamesFile::path_in(directory));
  if (found.error != 0) return std::nullopt;
  return decode_path_names(found.bytes);
}

std::optional<Error> PathNamesFile::update(const Snapshots& told, WallTime now, Duration retention, bool at_all_costs) {
  // Snapshots are sorted by name, and those of most destinations are the same as the last time.
  auto before = taken_.begin();
  for (const auto& snapshot : told) {
    const std::string& name = snapshot->facts->name;
    while (before != taken_.end() && (*before)->facts->name < name)
      ++before;
    if (!at_all_costs && before != taken_.end() && *before == snapshot) continue;
    if (take_in(names_, *snapshot, now)) unwritten_ = true;
  }
  taken_ = told;
  if (!unwritten_ && !at_all_costs) return std::nullopt;
  forget_old(names_, now - retention);
  if (auto error = write()) return error;
  unwritten_ = false;
  return std::nullopt;
}

std::optional<Error> PathNamesFile::update(std::span<const StoredRound> rounds, WallTime now) {
  bool changed = false;
  for (const StoredRound& round : rounds)
    changed = take_in(names_, *round.record, now) || changed;
  if (!changed && !unwritten_) return std::nullopt;
  unwritten_ = true;
  if (auto error = write()) return error;
  unwritten_ = false;
  return std::nullopt;
}

/// A process that is killed in between leaves the old file or the new one.
std::optional<Error> PathNamesFile::write() const {
  const std::string bytes = encode(names_);
  const std::string beside = path_ + ".new";
  const net::FileDescriptor file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return failure(beside);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return failure(beside);
    done += static_cast<std::size_t>(put);
  }
  if (::fdatasync(file.get()) != 0) return failure(beside);
  if (std::rename(beside.c_str(), path_.c_str()) != 0) return failure(path_);
  return std::nullopt;
}

}  // namespace ecmp
