#include "agent/http/web_access.hpp"

#include <chrono>
#include <utility>

#include "agent/log.hpp"

namespace ecmp {
namespace {

using net::HttpResponse;

/// For a turn of the password check: behind it, clients with wrong passwords are kept waiting, not the processor.
constexpr Duration kTurn = std::chrono::seconds(8);

bool has_own_client_ca(const config::WebConfig& config) {
  return config.client_ca_file.has_value() || (config.tls && !config.tls->client_ca.empty());
}

HttpResponse unauthorized() {
  HttpResponse response = HttpResponse::text(401, "unauthorized");
  response.headers.emplace_back("WWW-Authenticate", "Basic realm=\"ecmp_exporter\", charset=\"UTF-8\"");
  return response;
}

HttpResponse later(int status, std::string_view line, Duration wait) {
  HttpResponse response = HttpResponse::text(status, line);
  response.headers.emplace_back("Retry-After", std::to_string(std::chrono::ceil<std::chrono::seconds>(wait).count()));
  return response;
}

}  // namespace

WebAccess::RateLimit::RateLimit(const config::WebRateLimit& limit)
    : bucket_(1e9 / static_cast<double>(limit.interval.count()), limit.burst) {}

std::optional<Duration> WebAccess::RateLimit::take(Instant now) {
  const std::lock_guard lock(mutex_);
  const Instant available = bucket_.available(now);
  if (available > now) return available - now;
  bucket_.take(now);
  return std::nullopt;
}

Result<std::unique_ptr<WebAccess>> WebAccess::open(const std::string& path) {
  std::unique_ptr<WebAccess> access(new WebAccess(path));
  access->files_.changed();
  auto outcome = load_web_config(access->files_);
  if (const auto* problems = std::get_if<std::vector<FileProblem>>(&outcome)) {
    std::string lines;
    for (const FileProblem& problem : *problems)
      lines += (lines.empty() ? "" : "\n") + problem.line;
    return Error{lines};
  }
  access->take(std::move(std::get<LoadedWebConfig>(outcome)));
  return access;
}

std::shared_ptr<const net::TlsContext> WebAccess::tls() {
  return policy()->tls;
}

net::HttpGate::Verdict WebAccess::judge(const net::HttpRequest& request, const net::StopSignal& stop) {
  const auto now_in_force = policy();
  Verdict verdict{std::nullopt, now_in_force->headers};
  if (now_in_force->rate_limit != nullptr) {
    if (const auto wait = now_in_force->rate_limit->take(net::monotonic_now())) {
      verdict.refusal = later(429, "too many requests", *wait);
      return verdict;
    }
  }
  if (now_in_force->passwords == nullptr) return verdict;
  const auto given = net::read_credentials(request.authorization);
  if (!given) {
    verdict.refusal = unauthorized();
    return verdict;
  }
  using Outcome = net::PasswordCheck::Outcome;
  switch (now_in_force->passwords->check(*given, stop, net::monotonic_now() + kTurn,
                                         {net::client_of(request.remote_address), request.place, true})) {
    case Outcome::right:
      break;
    case Outcome::wrong:
      verdict.refusal = unauthorized();
      break;
    case Outcome::busy:
      verdict.refusal = later(503, "too many passwords to check", kTurn);
      break;
  }
  return verdict;
}

std::shared_ptr<const WebAccess::Policy> WebAccess::present() const {
  const std::lock_guard lock(mutex_);
  return present_;
}

std::shared_ptr<const WebAccess::Policy> WebAccess::policy() {
  if (const std::unique_lock reading(reading_, std::try_to_lock); reading.owns_lock()) {
    reread();
  }
  return present();
}

void WebAccess::reread() {
  if (!files_.changed()) return;
  auto outcome = load_web_config(files_);
  current_.store(false);
  if (const auto* problems = std::get_if<std::vector<FileProblem>>(&outcome)) {
    for (const FileProblem& problem : *problems)
      log::error("web configuration is not good, the last good one stays", {{"problem", problem.line}});
    return;
  }
  auto& loaded = std::get<LoadedWebConfig>(outcome);
  if (const auto reasons = opened(*present(), loaded); !reasons.empty()) {
    for (const std::string& reason : reasons)
      log::error("web configuration would open the server, the last good one stays: restart to open it",
                 {{"file", files_.path()}, {"problem", reason}});
    return;
  }
  take(std::move(loaded));
  current_.store(true);
}

std::vector<std::string> WebAccess::opened(const Policy& before, const LoadedWebConfig& loaded) {
  std::vector<std::string> reasons;
  const auto asks = [](ClientCertificate wanted) {
    return wanted == ClientCertificate::require_any || wanted == ClientCertificate::require_and_verify;
  };
  const auto verifies = [](ClientCertificate wanted) {
    return wanted == ClientCertificate::verify_if_given || wanted == ClientCertificate::require_and_verify;
  };
  if (before.tls != nullptr && loaded.tls == nullptr) {
    reasons.emplace_back("tls_server_config is gone");
  } else if (const auto& settings = loaded.config.tls) {
    const ClientCertificate was = before.client_certificate;
    const ClientCertificate wanted = settings->client_certificate;
    if ((asks(was) && !asks(wanted)) || (verifies(was) && !verifies(wanted)))
      reasons.emplace_back("client_auth_type asks for less than it did");
    // Without roots of its own the server takes any certificate that the system's authorities vouch for.
    if (verifies(was) && before.own_client_ca && !has_own_client_ca(loaded.config))
      reasons.emplace_back("client_ca_file is gone");
    if (before.allowed_names && settings->client_allowed_sans.empty())
      reasons.emplace_back("client_allowed_sans is gone");
  }
  if (!before.users.empty() && loaded.config.users.empty()) reasons.emplace_back("basic_auth_users is gone");
  return reasons;
}

void WebAccess::take(LoadedWebConfig loaded) {
  const auto before = present();
  auto policy = std::make_shared<Policy>();
  policy->tls = std::move(loaded.tls);
  if (const auto& settings = loaded.config.tls) {
    policy->client_certificate = settings->client_certificate;
    policy->own_client_ca = has_own_client_ca(loaded.config);
    policy->allowed_names = !settings->client_allowed_sans.empty();
  }
  policy->headers = std::make_shared<const Headers>(std::move(loaded.config.headers));
  policy->users = std::move(loaded.config.users);
  policy->limit = loaded.config.rate_limit;
  // What has not changed goes on: credentials that are remembered, and a bucket that is empty.
  const bool same_users = before != nullptr && before->users == policy->users;
  const bool same_limit = before != nullptr && before->limit == policy->limit;
  if (!policy->users.empty())
    policy->passwords = same_users ? before->passwords : std::make_shared<net::PasswordCheck>(policy->users);
  if (policy->limit) policy->rate_limit = same_limit ? before->rate_limit : std::make_shared<RateLimit>(*policy->limit);
  if (loaded.config.http2_asked) log::info("web configuration: http2 is not spoken here, HTTP/1.1 is");
  log::info("web configuration read", {{"file", files_.path()},
                                       {"tls", policy->tls != nullptr},
                                       {"users", policy->users.size()},
                                       {"rate_limit", policy->limit.has_value()}});
  encrypts_.store(policy->tls != nullptr);
  const std::lock_guard lock(mutex_);
  present_ = std::move(policy);
}

}  // namespace ecmp
