#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "agent/names/address_source.hpp"
#include "base/result.hpp"
#include "path/model/origin_table.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Reads a file of prefixes, gzipped or not. The error is "FILE:LINE: what is wrong", or "FILE: why it cannot be read".
Result<OriginTable> read_asn_file(const std::string& path);

/// The same as a source, or of a database in MaxMind's format. The error begins with "FILE:".
Result<std::shared_ptr<const AddressSource>> open_asn_database(const std::string& path);
/// Cities and countries, of a database in MaxMind's format.
Result<std::shared_ptr<const AddressSource>> open_city_database(const std::string& path);

/// Keeps what a file says as it is now: reads it on a thread of its own, again whenever the file is another. What
/// cannot be read leaves what was there.
class AddressWatch {
 public:
  using Open = std::function<Result<std::shared_ptr<const AddressSource>>(const std::string&)>;

  /// `open` is called on the thread; what it refuses is logged.
  explicit AddressWatch(Open open) : open_(std::move(open)) {}
  ~AddressWatch();
  AddressWatch(const AddressWatch&) = delete;
  AddressWatch& operator=(const AddressWatch&) = delete;

  /// Another file from now on; empty: none. Cheap: it only asks the thread, which is made when it is first needed, and
  /// not before start().
  void watch(const std::string& path);

  /// Threads may be made from now on: what the process may do is settled.
  void start();

  /// These names with what is known now; the names themselves while there is nothing. Any thread.
  [[nodiscard]] std::shared_ptr<const render::HopNames> with(std::shared_ptr<const render::HopNames> names) const;

 private:
  void make_thread();
  void run();

  Open open_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::string path_;
  std::shared_ptr<const AddressSource> source_;
  bool asked_ = false;
  bool stop_ = false;
  bool started_ = false;
  std::thread thread_;
};

/// The watches of all files that a configuration may name.
class AddressWatches {
 public:
  void watch(const std::string& asn_database, const std::string& city_database) {
    asn_.watch(asn_database);
    cities_.watch(city_database);
  }
  void start() {
    asn_.start();
    cities_.start();
  }
  [[nodiscard]] std::shared_ptr<const render::HopNames> with(std::shared_ptr<const render::HopNames> names) const {
    return cities_.with(asn_.with(std::move(names)));
  }

 private:
  AddressWatch asn_{open_asn_database};
  AddressWatch cities_{open_city_database};
};

}  // namespace ecmp
