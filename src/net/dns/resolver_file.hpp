#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/host/regular_file.hpp"

namespace ecmp::net {

/// Sees when a file is not what it was, however it was replaced: written, renamed over, or another target of a symbolic
/// link on the way to it, as systemd-resolved's and NetworkManager's resolv.conf are.
class FileSignature {
 public:
  explicit FileSignature(std::string path) : path_(std::move(path)) { (void)changed(); }

  /// Whether it has changed since the last call, also by coming or going.
  bool changed() {
    const FileState now = state_of(path_);
    return std::exchange(seen_, now) != now;
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  FileState seen_;
};

/// Name servers of a resolv.conf(5) that are of a link, as they stand there: addresses with a zone such as
/// fe80::1%eth0, which c-ares before 1.20 passes over, and link-local ones of IPv6 without, which nobody can ask. What
/// is before "%" is an address.
std::vector<std::string> servers_with_zone(std::string_view resolv_conf);

}  // namespace ecmp::net
