#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "path/origin_table.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Reads a file of prefixes, gzipped or not. The error is "FILE:LINE: what is wrong", or "FILE: why it cannot be read".
Result<OriginTable> read_asn_file(const std::string& path);

/// Names, and the origins of a table: what is rendered asks for both.
class NamesWithOrigins final : public render::HopNames {
 public:
  NamesWithOrigins(std::shared_ptr<const render::HopNames> names, std::shared_ptr<const OriginTable> origins)
      : names_(std::move(names)), origins_(std::move(origins)) {}
  [[nodiscard]] std::string_view name(const IpAddress& address) const override { return names_->name(address); }
  [[nodiscard]] std::string_view origin(const IpAddress& address) const override { return origins_->origin(address); }

 private:
  std::shared_ptr<const render::HopNames> names_;
  std::shared_ptr<const OriginTable> origins_;
};

/// Keeps the table of a file as it is now: reads it on a thread of its own, again whenever the file is another. What
/// cannot be read leaves the table that was there.
class AsnWatch {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// `warn` is called on the thread.
  explicit AsnWatch(Warn warn) : warn_(std::move(warn)) {}
  ~AsnWatch();
  AsnWatch(const AsnWatch&) = delete;
  AsnWatch& operator=(const AsnWatch&) = delete;

  /// Another file from now on; empty: none. Cheap: it only asks the thread, which is made when it is first needed, and
  /// not before start().
  void watch(const std::string& path);

  /// Threads may be made from now on: what the process may do is settled.
  void start();

  /// These names with the origins known now; the names themselves while there are none. Any thread.
  [[nodiscard]] std::shared_ptr<const render::HopNames> with_origins(
      std::shared_ptr<const render::HopNames> names) const;

 private:
  void make_thread();
  void run();

  Warn warn_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string path_;
  std::shared_ptr<const OriginTable> table_;
  bool asked_ = false;
  bool stop_ = false;
  bool started_ = false;
  std::thread thread_;
};

}  // namespace ecmp
