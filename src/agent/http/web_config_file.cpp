#include "agent/http/web_config_file.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/result.hpp"

namespace ecmp {
namespace {

constexpr std::size_t kLargest = std::size_t{1} << 20;

Result<std::string> read_file(const std::string& path) {
  return net::read_regular_file(path, kLargest);
}

/// Reads what a configuration names, and tells problems at the place where it does.
class Loading {
 public:
  Loading(std::string path, config::WebConfig config) : path_(std::move(path)), config_(std::move(config)) {}

  /// The absolute paths of what is named.
  [[nodiscard]] std::vector<std::string> named() const {
    std::vector<std::string> paths;
    for (const auto* file : {&config_.certificate_file, &config_.key_file, &config_.client_ca_file})
      if (*file) paths.push_back(resolved(**file));
    return paths;
  }

  WebLoadOutcome load() && {
    LoadedWebConfig loaded;
    if (config_.tls) {
      TlsSettings settings = *config_.tls;
      read(config_.certificate_file, "cert_file", settings.certificate);
      read(config_.key_file, "key_file", settings.key);
      read(config_.client_ca_file, "client_ca_file", settings.client_ca);
      if (problems_.empty()) make_tls(settings, loaded);
      std::ranges::fill(settings.key, '\0');
    }
    if (!problems_.empty()) return std::move(problems_);
    loaded.config = std::move(config_);
    return loaded;
  }

 private:
  [[nodiscard]] std::string resolved(const config::WebFile& file) const {
    return (std::filesystem::path(path_).parent_path() / file.path).string();
  }

  void read(const std::optional<config::WebFile>& file, const char* key, std::string& text) {
    if (!file) return;
    auto content = read_file(resolved(*file));
    if (content.ok()) {
      text = std::move(*content);
    } else {
      tell(*file, key, content.error());
    }
  }

  void tell(const config::WebFile& file, const char* key, const std::string& what) {
    add({file.line, file.column, std::string(key) + ": " + resolved(file) + ": " + what});
  }

  void add(const config::Problem& problem) { problems_.push_back({"", config::format_problem(path_, problem)}); }

  void make_tls(const TlsSettings& settings, LoadedWebConfig& loaded) {
    auto made = net::TlsContext::make(settings);
    if (auto* context = std::get_if<std::shared_ptr<const net::TlsContext>>(&made)) {
      loaded.tls = std::move(*context);
      return;
    }
    using Part = net::TlsProblem::Part;
    const auto& problem = std::get<net::TlsProblem>(made);
    if (problem.part == Part::certificate && config_.certificate_file) {
      tell(*config_.certificate_file, "cert_file", problem.message);
    } else if (problem.part == Part::key && config_.key_file) {
      tell(*config_.key_file, "key_file", problem.message);
    } else if (problem.part == Part::client_ca && config_.client_ca_file) {
      tell(*config_.client_ca_file, "client_ca_file", problem.message);
    } else {
      add({1, 1, "tls_server_config: " + problem.message});
    }
  }

  const std::string path_;  ///< its own: the list of files changes under it
  config::WebConfig config_;
  std::vector<FileProblem> problems_;
};

}  // namespace

bool WebFiles::changed() {
  bool any = false;
  for (File& file : files_) {
    const net::FileState state = net::state_of(file.path);
    any = any || state != file.state;
    file.state = state;
  }
  return any;
}

void WebFiles::follow(const std::vector<std::string>& others) {
  std::vector<File> files{files_.front()};
  for (const std::string& path : others) {
    const auto known = std::ranges::find(files_, path, &File::path);
    files.push_back(known != files_.end() ? *known : File{path, net::state_of(path)});
  }
  files_ = std::move(files);
}

WebLoadOutcome load_web_config(WebFiles& files) {
  const auto text = read_file(files.path());
  if (!text.ok()) return std::vector{FileProblem{files.path(), files.path() + ": " + text.error()}};
  auto parsed = config::parse_web_config(*text);
  if (const auto* problems = std::get_if<std::vector<config::Problem>>(&parsed)) {
    std::vector<FileProblem> lines;
    for (const auto& problem : *problems)
      lines.push_back({"", config::format_problem(files.path(), problem)});
    return lines;
  }
  Loading loading(files.path(), std::move(std::get<config::WebConfig>(parsed)));
  files.follow(loading.named());
  return std::move(loading).load();
}

}  // namespace ecmp
