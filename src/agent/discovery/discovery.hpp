#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/http_poll.hpp"
#include "agent/file_problem.hpp"
#include "base/result.hpp"
#include "config/discovery.hpp"
#include "net/host/file_watch.hpp"
#include "net/host/regular_file.hpp"

namespace ecmp {

/// One file or URL that tells of destinations, as it is now.
struct SourceReport {
  std::string source;  ///< path, or what may be shown of a URL
  bool up = false;     ///< what it said last was good
  std::uint64_t failures = 0;
  std::uint64_t destinations = 0;  ///< of its last good word
};

/// Destinations from elsewhere: reads the files and asks the servers of [discovery]. What a source said last that was
/// good holds until it says something else that is. One thread uses it.
class Discovery {
 public:
  using Clock = std::chrono::steady_clock;

  struct Outputs {
    std::function<void()> wake;  ///< refresh() has something to do; called by other threads
    /// A source is bad now, or good again: one line for the log.
    std::function<void(bool bad, std::string_view source, std::string_view line)> tell;
  };

  /// Patterns are relative to the directory of `config_file`. The error is one line for the user.
  static Result<std::unique_ptr<Discovery>> open(const std::string& config_file, Outputs outputs);

  /// Goes over to the sources and defaults of a configuration, and reads all files.
  void configure(std::shared_ptr<const config::Config> base);
  /// Begins to ask servers.
  void start();
  void stop() { polls_.clear(); }

  /// Looks at what may have changed. True if what sources say has.
  bool refresh();
  /// Readable when files may have changed; refresh() is to be called at next_look() then, and at the latest.
  [[nodiscard]] int descriptor() const { return watch_.descriptor(); }
  /// Files have changed: look at them soon, when whoever writes them is done.
  void on_event();
  [[nodiscard]] Clock::time_point next_look() const { return next_look_; }

  /// Files by pattern and name, then servers, as configured.
  [[nodiscard]] std::vector<const std::vector<config::Found>*> found() const;
  /// What is wrong with those that are bad.
  [[nodiscard]] std::vector<FileProblem> problems() const;
  [[nodiscard]] std::vector<SourceReport> report() const;

 private:
  struct Source {
    std::string name;
    std::string named;  ///< of a file: see FileProblem
    bool toml = false;
    std::optional<std::string> text;  ///< the last good
    std::vector<config::Found> found;
    bool up = false;
    std::uint64_t failures = 0;
    std::vector<FileProblem> problems;
    net::FileState state;  ///< of what was read last
  };

  /// What a pattern with wildcards has matched; the last that could be read.
  struct Matched {
    std::vector<std::string> files;
    std::string problem;  ///< why its directory cannot be read now
  };

  Discovery(std::string directory, net::FileWatch watch, Outputs outputs)
      : directory_(std::move(directory)), watch_(std::move(watch)), outputs_(std::move(outputs)) {}

  [[nodiscard]] std::string beside_config(const std::string& path) const;
  [[nodiscard]] std::vector<std::string> match();
  bool look_at_files(bool all);
  bool look_at(Source& source, bool again);
  bool ask_servers();
  bool take(Source& source, std::string text);
  void read_again(Source& source);
  [[nodiscard]] config::FoundOutcome parse(const Source& source, std::string_view text) const;
  void fail(Source& source, std::vector<FileProblem> problems);
  /// Of the source as a whole.
  void fail(Source& source, std::string_view why);

  const std::string directory_;  ///< ends with '/', or is empty
  net::FileWatch watch_;
  Outputs outputs_;
  std::shared_ptr<const config::Config> base_;
  std::vector<std::string> files_;               ///< in their order
  std::map<std::string, std::string> named_by_;  ///< files: the path or pattern of the configuration, see FileProblem
  std::map<std::string, Source> by_file_;
  std::map<std::string, Matched> matched_;         ///< by pattern
  std::map<std::string, std::string> unreadable_;  ///< files of directories that cannot be read, and why
  std::map<std::string, Source> by_url_;
  std::map<std::string, std::unique_ptr<HttpPoll>> polls_;
  bool started_ = false;
  bool too_many_ = false;
  Clock::time_point next_look_{};
};

}  // namespace ecmp
