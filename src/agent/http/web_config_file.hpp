#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "agent/file_problem.hpp"
#include "config/web_config.hpp"
#include "net/host/regular_file.hpp"
#include "net/http/tls_context.hpp"

namespace ecmp {

/// A web configuration with what it names read, too.
struct LoadedWebConfig {
  config::WebConfig config;
  std::shared_ptr<const net::TlsContext> tls;  ///< null: plain HTTP
};

/// The configuration, or what is wrong: lines as of `file:line:column: what`.
using WebLoadOutcome = std::variant<LoadedWebConfig, std::vector<FileProblem>>;

/// Which files a web configuration is made of, and as of when. Equal ones have the same content.
class WebFiles {
 public:
  explicit WebFiles(std::string path) : files_{{std::move(path), {}}} {}

  /// Looks at them again: whether any is not as it was.
  bool changed();

  /// Besides the first. Files that are known keep what was seen of them.
  void follow(const std::vector<std::string>& others);

  [[nodiscard]] const std::string& path() const { return files_.front().path; }

 private:
  struct File {
    std::string path;
    net::FileState state;
  };

  std::vector<File> files_;
};

/// Reads a web configuration, its certificates and keys; `files` learns which ones these are. They are looked at before
/// they are read, so that a change in between is seen the next time.
WebLoadOutcome load_web_config(WebFiles& files);

}  // namespace ecmp
