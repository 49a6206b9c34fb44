#include "agent/discovery/discovery.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <set>
#include <sys/stat.h>
#include <system_error>
#include <utility>

namespace ecmp {
namespace {

constexpr std::size_t kMostFiles = 1000;
constexpr std::size_t kLargestFile = 16u << 20;
/// Whoever replaces a file may take it away first.
constexpr auto kSettle = std::chrono::milliseconds(100);

constexpr std::string_view kWild = "*?[";

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash + 1);
}

/// Text that glob(3) takes as it stands.
std::string escaped(std::string_view text) {
  std::string made;
  for (const char byte : text) {
    if (kWild.find(byte) != std::string_view::npos || byte == '\\') made += '\\';
    made += byte;
  }
  return made;
}

bool is_wild(std::string_view pattern) {
  return pattern.find_first_of(kWild) != std::string_view::npos;
}

/// What to watch for changes in a directory: itself, or where it would be made.
std::string watchable(std::string directory) {
  struct stat status{};
  while (directory.size() > 1 && ::stat(directory.c_str(), &status) != 0) {
    directory.pop_back();
    directory = directory_of(directory);
  }
  return directory.empty() ? "." : directory;
}

/// Why glob() could not read a directory that is there. It calls back a plain function.
thread_local int glob_error = 0;  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

int on_glob_error(const char* /*directory*/, int error) {
  if (error == ENOENT || error == ENOTDIR) return 0;  // nothing is in what is not there
  glob_error = error;
  return 1;
}

bool is_gone(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) != 0 && errno == ENOENT;
}

/// Whether `text` is `before` up to within a line, as a full disk leaves it: no end of a line is at its end, and one
/// was at that of the whole.
bool is_cut_short(std::string_view text, std::string_view before) {
  return !text.empty() && text.size() < before.size() && before.starts_with(text) && before.ends_with('\n') &&
         !text.ends_with('\n') && before[text.size()] != '\n' && before[text.size()] != '\r';
}

std::string words(int error) {
  return std::generic_category().message(error);
}

std::vector<FileProblem> lines_of(const std::string& source, const std::vector<config::Problem>& problems) {
  std::vector<FileProblem> lines;
  lines.reserve(problems.size());
  for (const config::Problem& problem : problems)
    lines.push_back({"", config::format_problem(source, problem)});
  return lines;
}

}  // namespace

Result<std::unique_ptr<Discovery>> Discovery::open(const std::string& config_file, Outputs outputs) {
  auto watch = net::FileWatch::open();
  if (!watch.ok()) return Error{watch.error()};
  return std::unique_ptr<Discovery>(new Discovery(directory_of(config_file), std::move(*watch), std::move(outputs)));
}

void Discovery::configure(std::shared_ptr<const config::Config> base) {
  const bool other_servers = base_ == nullptr || base_->discovery != base->discovery;
  base_ = std::move(base);
  const auto& servers = base_->discovery.http;
  std::erase_if(by_url_, [&](const auto& entry) {
    return std::ranges::find(servers, entry.first, &config::HttpSource::url) == servers.end();
  });
  // What may be shown of two URLs can be the same: the second says that it is.
  std::map<std::string, int> shown;
  for (const config::HttpSource& server : servers) {
    const std::string name = masked_url(server.url);
    const int place = ++shown[name];
    by_url_[server.url].name = place == 1 ? name : fmt::format("{} ({})", name, place);
  }
  // [probe] may be another.
  for (auto* sources : {&by_file_, &by_url_}) {
    for (auto& [key, source] : *sources) {
      if (source.text) read_again(source);
    }
  }
  look_at_files(true);
  if (started_ && other_servers) start();
}

void Discovery::start() {
  started_ = true;
  polls_.clear();
  for (const config::HttpSource& server : base_->discovery.http) {
    const auto parsed = parse_url(server.url);
    if (!parsed.ok()) continue;  // the configuration has been checked
    HttpLogin login{.username = server.username,
                    .password_file = beside_config(server.password_file),
                    .bearer_token_file = beside_config(server.bearer_token_file)};
    polls_.emplace(server.url, std::make_unique<HttpPoll>(*parsed, std::move(login), base_->discovery.refresh_interval,
                                                          base_->discovery.timeout, outputs_.wake));
  }
}

/// A path as the configuration has it: relative to the directory of its file.
std::string Discovery::beside_config(const std::string& path) const {
  return path.empty() || path.starts_with('/') ? path : directory_ + path;
}

void Discovery::on_event() {
  if (watch_.take_events()) next_look_ = std::min(next_look_, Clock::now() + kSettle);
}

bool Discovery::refresh() {
  bool changed = false;
  if (Clock::now() >= next_look_) changed = look_at_files(false);
  return ask_servers() || changed;
}

/// The files that the patterns match, each once; and watches the directories where others could come.
std::vector<std::string> Discovery::match() {
  std::vector<std::string> files;
  std::set<std::string> known, directories;
  std::map<std::string, Matched> before;
  before.swap(matched_);
  named_by_.clear();
  const auto add = [&](const std::string& file, const std::string& named) {
    directories.insert(watchable(directory_of(file)));
    if (!known.insert(file).second || files.size() >= kMostFiles) return;
    files.push_back(file);
    named_by_[file] = named;
  };
  for (const std::string& pattern : base_->discovery.files) {
    const std::string directory = pattern.starts_with('/') ? std::string() : directory_;
    if (!is_wild(pattern)) {
      add(directory + pattern, directory + pattern);
      continue;
    }
    directories.insert(watchable(directory + directory_of(pattern.substr(0, pattern.find_first_of(kWild)))));
    glob_t found{};
    const std::string whole = escaped(directory) + pattern;
    glob_error = 0;
    const int status = ::glob(whole.c_str(), 0, &on_glob_error, &found);
    Matched& matched = matched_[pattern];
    if (status == GLOB_ABORTED || status == GLOB_NOSPACE) {
      // A directory that cannot be read now is not an empty one.
      matched = std::move(before[pattern]);
      const std::string problem = whole + ": " + words(status == GLOB_NOSPACE ? ENOMEM : glob_error);
      if (matched.problem != problem) outputs_.tell(true, "discovery.files", problem);
      matched.problem = problem;
    } else if (status == 0) {
      matched.files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    for (const std::string& file : matched.files) {
      add(file, directory + pattern);
      if (!matched.problem.empty()) unreadable_[file] = matched.problem;
    }
  }
  watch_.watch(directories);
  const bool too_many = known.size() > kMostFiles;
  if (too_many && !too_many_) {
    outputs_.tell(true, "discovery.files",
                  fmt::format("{} files match, the first {} are read", known.size(), kMostFiles));
  }
  too_many_ = too_many;
  return files;
}

bool Discovery::look_at_files(bool all) {
  next_look_ = Clock::now() + base_->discovery.refresh_interval;
  unreadable_.clear();
  std::vector<std::string> files = match();
  bool changed = files != files_;
  files_ = std::move(files);
  std::map<std::string, Source> still;
  for (const std::string& file : files_) {
    auto known = by_file_.extract(file);
    Source& source = known.empty() ? still[file] : still.insert(std::move(known)).position->second;
    source.name = file;
    source.named = named_by_[file];
    source.toml = file.ends_with(".toml");
    changed = look_at(source, all) || changed;
  }
  by_file_ = std::move(still);
  return changed;
}

/// `again`: also if the file is as it was.
bool Discovery::look_at(Source& source, bool again) {
  if (const auto problem = unreadable_.find(source.name); problem != unreadable_.end()) {
    source.state = {};
    fail(source, std::vector{FileProblem{source.named, problem->second}});
    return false;
  }
  auto file = net::read_changed_file(source.name, kLargestFile, again ? net::FileState{} : source.state);
  if (!file.ok()) {
    source.state = {};
    // What was removed is meant to be gone. What is there and cannot be read is not.
    const bool drops = is_gone(source.name) && !source.found.empty();
    if (drops) {
      source.found.clear();
      source.text.reset();
    }
    fail(source, file.error());
    return drops;
  }
  if (!*file) return false;
  source.state = (*file)->state;
  return take(source, std::move((*file)->text));
}

bool Discovery::ask_servers() {
  bool changed = false;
  for (const auto& [url, poll] : polls_) {
    auto outcome = poll->take();
    if (!outcome) continue;
    Source& source = by_url_[url];
    if (!outcome->ok()) {
      fail(source, outcome->error());
    } else if (!source.up || source.text != **outcome) {
      changed = take(source, std::move(**outcome)) || changed;
    }
  }
  return changed;
}

config::FoundOutcome Discovery::parse(const Source& source, std::string_view text) const {
  return source.toml ? config::parse_destinations(text, source.name, *base_)
                     : config::parse_targets(text, source.name, *base_);
}

/// The last good text, where [probe] or [limits] may be others than they were.
void Discovery::read_again(Source& source) {
  auto outcome = parse(source, *source.text);
  if (auto* found = std::get_if<std::vector<config::Found>>(&outcome)) {
    source.found = std::move(*found);
  } else {
    fail(source, lines_of(source.name, std::get<std::vector<config::Problem>>(outcome)));
  }
}

bool Discovery::take(Source& source, std::string text) {
  auto outcome = parse(source, text);
  if (const auto* problems = std::get_if<std::vector<config::Problem>>(&outcome)) {
    fail(source, lines_of(source.name, *problems));
    return false;
  }
  auto& found = std::get<std::vector<config::Found>>(outcome);
  // A TOML file that was cut short is a good one with less in it, down to nothing. A list of JSON says itself that it
  // is empty and whole.
  if (source.toml && source.text && is_cut_short(text, *source.text)) {
    fail(source, "it ends within a line of what it was, as if cut short: its last destinations stay");
    return false;
  }
  if (source.toml && found.empty() && !source.found.empty()) {
    fail(source, "no [[destination]] is left in it, its last ones stay: remove the file to drop them");
    return false;
  }
  if (!source.problems.empty()) outputs_.tell(false, source.name, "good again");
  source.found = std::move(found);
  source.text = std::move(text);
  source.problems.clear();
  source.up = true;
  return true;
}

void Discovery::fail(Source& source, std::string_view why) {
  fail(source, std::vector{FileProblem{source.named, fmt::format("{}: {}", source.name, why)}});
}

void Discovery::fail(Source& source, std::vector<FileProblem> problems) {
  ++source.failures;
  source.up = false;
  if (source.problems == problems) return;
  source.problems = std::move(problems);
  for (const FileProblem& problem : source.problems)
    outputs_.tell(true, source.name, problem.line);
}

std::vector<const std::vector<config::Found>*> Discovery::found() const {
  std::vector<const std::vector<config::Found>*> lists;
  lists.reserve(files_.size() + by_url_.size());
  for (const std::string& file : files_)
    lists.push_back(&by_file_.at(file).found);
  for (const config::HttpSource& server : base_->discovery.http)
    lists.push_back(&by_url_.at(server.url).found);
  return lists;
}

std::vector<FileProblem> Discovery::problems() const {
  std::vector<FileProblem> lines;
  for (const auto* sources : {&by_file_, &by_url_}) {
    for (const auto& [key, source] : *sources)
      lines.insert(lines.end(), source.problems.begin(), source.problems.end());
  }
  return lines;
}

std::vector<SourceReport> Discovery::report() const {
  std::vector<SourceReport> reports;
  for (const auto* sources : {&by_file_, &by_url_}) {
    for (const auto& [key, source] : *sources)
      reports.push_back({source.name, source.up, source.failures, source.found.size()});
  }
  return reports;
}

}  // namespace ecmp
