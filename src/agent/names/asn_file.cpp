#include "agent/names/asn_file.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <pthread.h>
#include <sys/stat.h>
#include <utility>
#include <zlib.h>

#include "agent/log.hpp"
#include "agent/names/mmdb_file.hpp"
#include "net/host/regular_file.hpp"

namespace ecmp {

namespace {

/// Between two looks at the file.
constexpr std::chrono::seconds kLook(10);
/// Of text; 20 times what the Internet's table is. A gzipped file can be a thousandth of that.
constexpr std::uint64_t kMostText = 1'000'000'000;

class TableSource final : public AddressSource {
 public:
  explicit TableSource(OriginTable table) : table_(std::move(table)) {}
  [[nodiscard]] std::string_view origin(const IpAddress& address) const override { return table_.origin(address); }

 private:
  OriginTable table_;
};

}  // namespace

Result<OriginTable> read_asn_file(const std::string& path) {
  struct ::stat found{};
  if (::stat(path.c_str(), &found) != 0) return Error{path + ": " + std::strerror(errno)};
  // A pipe or a terminal would hold us up for ever.
  if (!S_ISREG(found.st_mode)) return Error{path + ": is not a regular file"};
  const std::unique_ptr<gzFile_s, decltype(&::gzclose)> file(::gzopen(path.c_str(), "rb"), &::gzclose);
  if (file == nullptr) return Error{path + ": " + std::strerror(errno)};
  ::gzbuffer(file.get(), 1u << 17);
  OriginTableBuilder builder;
  std::array<char, 1u << 16> piece;
  std::uint64_t size = 0;
  for (;;) {
    const int got = ::gzread(file.get(), piece.data(), static_cast<unsigned>(piece.size()));
    int error = Z_OK;
    const char* const why = ::gzerror(file.get(), &error);
    if (got < 0 || (got == 0 && error != Z_OK && error != Z_STREAM_END))
      return Error{path + ": cannot be read: " + (error == Z_ERRNO ? std::strerror(errno) : why)};
    if (got == 0) break;
    size += static_cast<std::uint64_t>(got);
    if (size > kMostText) return Error{path + ": is longer than 1 GB"};
    if (const auto wrong = builder.feed({piece.data(), static_cast<std::size_t>(got)}))
      return Error{path + ":" + wrong->message};
  }
  auto table = builder.finish();
  if (!table.ok()) return Error{path + ":" + table.error()};
  return table;
}

Result<std::shared_ptr<const AddressSource>> open_asn_database(const std::string& path) {
  if (is_mmdb(path)) return open_mmdb(path);
  auto table = read_asn_file(path);
  if (!table.ok()) return Error{table.error()};
  return std::shared_ptr<const AddressSource>(std::make_shared<const TableSource>(std::move(*table)));
}

Result<std::shared_ptr<const AddressSource>> open_city_database(const std::string& path) {
  return open_mmdb(path);
}

AddressWatch::~AddressWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void AddressWatch::watch(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    if (path.empty() && path_.empty()) return;
    if (path != path_) source_ = nullptr;
    path_ = path;
    asked_ = true;
  }
  wake_.notify_all();
  if (started_) make_thread();
}

void AddressWatch::start() {
  started_ = true;
  bool asked = false;
  {
    const std::lock_guard lock(mutex_);
    asked = asked_;
  }
  if (asked) make_thread();
}

void AddressWatch::make_thread() {
  if (thread_.joinable()) return;
  // Signals are for the main thread.
  sigset_t all{}, before{};
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void AddressWatch::run() {
  std::string path;
  net::FileState read;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const bool asked = std::exchange(asked_, false);
    if (asked && path != path_) {
      path = path_;
      read = {};
    }
    lock.unlock();
    const net::FileState now = net::state_of(path);
    std::shared_ptr<const AddressSource> source;
    if (!path.empty() && (asked || now != read) && !(asked && now != net::FileState{} && now == read)) {
      read = now;
      auto made = open_(path);
      if (made.ok()) {
        source = std::move(*made);
      } else {
        log::warn(made.error());
      }
    }
    lock.lock();
    if (source != nullptr && path == path_) source_ = std::move(source);
    if (asked_) continue;
    wake_.wait_for(lock, kLook, [this] { return stop_ || asked_; });
  }
}

std::shared_ptr<const render::HopNames> AddressWatch::with(std::shared_ptr<const render::HopNames> names) const {
  const std::lock_guard lock(mutex_);
  return with_source(std::move(names), source_);
}

}  // namespace ecmp
