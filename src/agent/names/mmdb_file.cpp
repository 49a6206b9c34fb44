#include "agent/names/mmdb_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <maxminddb.h>
#include <mutex>
#include <netinet/in.h>
#include <optional>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <utility>

#include "base/utf8.hpp"
#include "net/host/file_descriptor.hpp"

namespace ecmp {
namespace {

/// Ten times what the largest have.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
/// What a label or a line of a terminal bears; names of places are shorter.
constexpr std::size_t kLongestName = 120;
/// The mark of the metadata stands within so many bytes before the end, by the format.
constexpr std::size_t kTail = 128 * 1024;
constexpr std::string_view kMark = "\xab\xcd\xefMaxMind.com";
constexpr std::size_t kPiece = 65536;

Error failure(const std::string& path, int error) {
  return {path + ": " + std::generic_category().message(error)};
}

net::FileDescriptor open_file(const std::string& path) {
  return net::FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
}

/// Nothing, or why not.
std::optional<Error> copy(const std::string& path, int from, int to) {
  std::array<char, kPiece> piece;
  for (std::uint64_t size = 0;;) {
    const ssize_t got = ::read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failure(path, errno);
    if (got == 0) return std::nullopt;
    size += static_cast<std::uint64_t>(got);
    if (size > kMostBytes) return Error{path + ": is longer than 1 GiB"};
    for (ssize_t put = 0; put < got;) {
      const ssize_t more = ::write(to, piece.data() + put, static_cast<std::size_t>(got - put));
      if (more < 0 && errno != EINTR) return failure(path, errno);
      put += std::max<ssize_t>(more, 0);
    }
  }
}

class Mmdb final : public AddressSource {
 public:
  explicit Mmdb(const MMDB_s& database) : database_(database) {}
  Mmdb(const Mmdb&) = delete;
  Mmdb& operator=(const Mmdb&) = delete;
  ~Mmdb() override { MMDB_close(&database_); }

  [[nodiscard]] std::string_view origin(const IpAddress& address) const override;
  [[nodiscard]] std::string_view city(const IpAddress& address) const override {
    const auto entry = find(address);
    return !entry ? std::string_view{} : text_of(*entry, {"city", "names", "en"}, {"city"});
  }
  [[nodiscard]] std::string_view country(const IpAddress& address) const override {
    const auto entry = find(address);
    return !entry ? std::string_view{} : text_of(*entry, {"country", "iso_code"}, {"country"});
  }

 private:
  using Path = std::array<const char*, 4>;  // ends with a null

  [[nodiscard]] std::optional<MMDB_entry_s> find(const IpAddress& address) const;
  static std::optional<MMDB_entry_data_s> value_of(MMDB_entry_s entry, const Path& path);
  static std::string_view text_of(const MMDB_entry_s& entry, const Path& path, const Path& otherwise);

  MMDB_s database_;
  mutable std::mutex mutex_;
  /// Numbers as text, which is what is asked for. As many as there are systems behind the addresses that were asked
  /// for.
  mutable std::unordered_map<std::uint32_t, std::string> numbers_;
};

std::optional<MMDB_entry_s> Mmdb::find(const IpAddress& address) const {
  sockaddr_storage socket{};
  if (address.is_v4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(socket);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
    v4.sin_family = AF_INET;
    std::memcpy(&v4.sin_addr, address.bytes().data(), address.bytes().size());
  } else {
    if (database_.metadata.ip_version == 4) return std::nullopt;
    auto& v6 = reinterpret_cast<sockaddr_in6&>(socket);  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
    v6.sin6_family = AF_INET6;
    std::memcpy(&v6.sin6_addr, address.bytes().data(), address.bytes().size());
  }
  int error = MMDB_SUCCESS;
  const MMDB_lookup_result_s found =
      MMDB_lookup_sockaddr(&database_, reinterpret_cast<const sockaddr*>(&socket), &error);  // NOLINT
  if (error != MMDB_SUCCESS || !found.found_entry) return std::nullopt;
  return found.entry;
}

std::optional<MMDB_entry_data_s> Mmdb::value_of(MMDB_entry_s entry, const Path& path) {
  MMDB_entry_data_s data{};
  if (MMDB_aget_value(&entry, &data, path.data()) != MMDB_SUCCESS || !data.has_data) return std::nullopt;
  return data;
}

/// Labels, logs and terminals get it as it is.
bool is_shown(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto character = decode_utf8(text, at);
    if (!character || is_deceptive(*character)) return false;
  }
  return true;
}

/// A string of the database, in which it stays; empty where it has what must not be shown, or no such string.
std::string_view Mmdb::text_of(const MMDB_entry_s& entry, const Path& path, const Path& otherwise) {
  for (const Path& one : {path, otherwise}) {
    const auto data = value_of(entry, one);
    if (!data || data->type != MMDB_DATA_TYPE_UTF8_STRING || data->data_size > kLongestName) continue;
    const std::string_view text(data->utf8_string, data->data_size);
    return is_shown(text) ? text : std::string_view();
  }
  return {};
}

std::string_view Mmdb::origin(const IpAddress& address) const {
  const auto entry = find(address);
  if (!entry) return {};
  std::uint32_t number = 0;
  if (const auto data = value_of(*entry, {"autonomous_system_number"}); data && data->type == MMDB_DATA_TYPE_UINT32) {
    number = data->uint32;
  } else {
    std::string_view written = text_of(*entry, {"asn"}, {"asn"});
    if (written.starts_with("AS")) written.remove_prefix(2);
    const auto [end, error] = std::from_chars(written.data(), written.data() + written.size(), number);
    if (error != std::errc{} || end != written.data() + written.size()) return {};
  }
  if (number == 0) return {};
  const std::lock_guard lock(mutex_);
  auto& text = numbers_[number];
  if (text.empty()) text = std::to_string(number);
  return text;
}

}  // namespace

bool is_mmdb(const std::string& path) {
  if (path.ends_with(".mmdb")) return true;
  const net::FileDescriptor file = open_file(path);
  struct stat facts{};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return false;
  const auto size = static_cast<std::size_t>(facts.st_size);
  std::string tail(std::min(size, kTail), '\0');
  const ssize_t got = ::pread(file.get(), tail.data(), tail.size(), static_cast<off_t>(size - tail.size()));
  tail.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return tail.find(kMark) != std::string::npos;
}

Result<std::shared_ptr<const AddressSource>> open_mmdb(const std::string& path) {
  const net::FileDescriptor file = open_file(path);
  struct stat facts{};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0) return failure(path, errno);
  if (!S_ISREG(facts.st_mode)) return Error{path + ": is not a regular file"};
  // The library maps what it opens: a file that somebody cuts short would end the process.
  const net::FileDescriptor held(::memfd_create("mmdb", MFD_CLOEXEC));
  if (!held.valid()) return failure(path, errno);
  if (auto error = copy(path, file.get(), held.get())) return *error;
  MMDB_s database{};
  const int status = MMDB_open(fmt::format("/proc/self/fd/{}", held.get()).c_str(), MMDB_MODE_MMAP, &database);
  if (status == MMDB_INVALID_METADATA_ERROR || status == MMDB_CORRUPT_SEARCH_TREE_ERROR ||
      status == MMDB_UNKNOWN_DATABASE_FORMAT_ERROR || status == MMDB_INVALID_DATA_ERROR || facts.st_size == 0) {
    return Error{path + ": is no database in MaxMind's format, or it is cut short or damaged"};
  }
  if (status != MMDB_SUCCESS) return Error{path + ": cannot be read: " + MMDB_strerror(status)};
  return std::shared_ptr<const AddressSource>(std::make_shared<const Mmdb>(database));
}

}  // namespace ecmp
