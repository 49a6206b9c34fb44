#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/tls_settings.hpp"
#include "config/config.hpp"

namespace ecmp::config {

/// A file that a web configuration names, and where it does, for messages about the file.
struct WebFile {
  std::string path;  ///< as written: relative to the directory of the configuration
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

struct WebRateLimit {
  Duration interval{};  ///< between two requests, in the long run
  std::uint32_t burst = 1;

  friend bool operator==(const WebRateLimit&, const WebRateLimit&) = default;
};

/// A web.config.file in the format of Prometheus' exporter-toolkit.
struct WebConfig {
  std::optional<TlsSettings> tls;  ///< without the text of files
  std::optional<WebFile> certificate_file;
  std::optional<WebFile> key_file;
  std::optional<WebFile> client_ca_file;
  bool http2_asked = false;  ///< it was written as true: we speak HTTP/1.1 only
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<WebRateLimit> rate_limit;
  std::map<std::string, std::string, std::less<>> users;  ///< bcrypt hashes by name; none: no password is asked for
};

using WebConfigOutcome = std::variant<WebConfig, std::vector<Problem>>;

/// Reads a web configuration. Pure: files that it names are not looked at. Problems never quote hashes or keys.
WebConfigOutcome parse_web_config(std::string_view text);

}  // namespace ecmp::config
