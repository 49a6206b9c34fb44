#include "config/web_config.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

#include "config/reader.hpp"
#include "config/text.hpp"
#include "config/yaml_document.hpp"

namespace ecmp::config {

namespace {

using Client = ClientCertificate;
constexpr std::array kClientChoices = {Choice<Client>{"NoClientCert", Client::none},
                                       Choice<Client>{"RequestClientCert", Client::request},
                                       Choice<Client>{"RequireAnyClientCert", Client::require_any},
                                       Choice<Client>{"RequireClientCert", Client::require_any},  // its older name
                                       Choice<Client>{"VerifyClientCertIfGiven", Client::verify_if_given},
                                       Choice<Client>{"RequireAndVerifyClientCert", Client::require_and_verify}};

constexpr std::array kVersions = {
    Choice<TlsVersion>{"TLS10", TlsVersion::tls10}, Choice<TlsVersion>{"TLS11", TlsVersion::tls11},
    Choice<TlsVersion>{"TLS12", TlsVersion::tls12}, Choice<TlsVersion>{"TLS13", TlsVersion::tls13}};

constexpr std::array kCurves = {
    Choice<std::string_view>{"CurveP256", "P-256"}, Choice<std::string_view>{"CurveP384", "P-384"},
    Choice<std::string_view>{"CurveP521", "P-521"}, Choice<std::string_view>{"X25519", "X25519"}};

/// What Go calls its cipher suites that are not insecure, and the four of RSA key exchange that once were among them.
constexpr std::array<std::string_view, 19> kCipherSuites = {"TLS_AES_128_GCM_SHA256",
                                                            "TLS_AES_256_GCM_SHA384",
                                                            "TLS_CHACHA20_POLY1305_SHA256",
                                                            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
                                                            "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
                                                            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
                                                            "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
                                                            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                                                            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                                                            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                                                            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                                                            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
                                                            "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                                                            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
                                                            "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
                                                            "TLS_RSA_WITH_AES_128_CBC_SHA",
                                                            "TLS_RSA_WITH_AES_256_CBC_SHA",
                                                            "TLS_RSA_WITH_AES_128_GCM_SHA256",
                                                            "TLS_RSA_WITH_AES_256_GCM_SHA384"};

constexpr Range<std::int64_t> kBurst{1, 1'000'000'000, "a whole number from 1 to 1000000000"};
constexpr Range<Duration> kInterval{Duration::zero(), std::chrono::hours(24), "a duration from \"0s\" to \"24h\""};
constexpr std::size_t kMostUsers = 1000;
constexpr std::size_t kMostListed = 100;  // SANs, cipher suites, curves
/// A step more doubles the time of a hash: 16 takes some four seconds, and what is beyond outlasts a scrape.
constexpr int kDearest = 16;

struct HeaderRule {
  std::string_view name;
  std::vector<std::string_view> values;  ///< none: any
};

/// The reader of a section that was given, with something in it.
std::optional<TableReader> section(TableReader& parent, std::string_view key) {
  const Entry* found = parent.entry(key);
  if (found == nullptr) return std::nullopt;
  if (std::holds_alternative<Node::Table>(found->node.value)) return TableReader(found->node, parent.problems());
  parent.problems().add(found->node.where, fmt::format("{}: expected keys and values", key));
  return std::nullopt;
}

/// A key in PEM form or a file with it.
void read_pem(TableReader& reader, std::string_view inline_key, std::string_view file_key, std::string& text,
              std::optional<WebFile>& file) {
  const auto inlined = reader.string(inline_key, "PEM text");
  const auto named = reader.string(file_key, "the path of a file");
  if (inlined) text = inlined->value;
  if (named && !named->value.empty()) file = WebFile{named->value, named->where.line, named->where.column};
  if (!text.empty() && file)
    reader.problems().add(named->where, fmt::format("{} and {}: expected one of the two", inline_key, file_key));
}

template <typename T>
void choose(TableReader& reader, std::string_view key, std::span<const Choice<T>> choices, T& wanted) {
  if (const auto given = reader.choice<T>(key, choices)) wanted = given->value;
}

/// The strings of a list that holds at most a hundred.
std::vector<Setting<std::string>> listed(TableReader& reader, std::string_view key, std::string_view expected) {
  auto given = reader.strings(key, expected);
  if (!given) return {};
  if (given->value.size() > kMostListed) {
    reader.problems().add(given->where, fmt::format("{}: more than {} of them", key, kMostListed));
    return {};
  }
  return std::move(given->value);
}

void read_algorithms(TableReader& reader, TlsSettings& tls) {
  choose<TlsVersion>(reader, "min_version", kVersions, tls.min_version);
  choose<TlsVersion>(reader, "max_version", kVersions, tls.max_version);
  if (tls.min_version > tls.max_version) {
    const Entry* least = reader.entry("min_version");
    const Entry* given = least != nullptr ? least : reader.entry("max_version");
    reader.problems().add(given->node.where, "min_version is above max_version");
  }
  for (const auto& suite : listed(reader, "cipher_suites", "a list of cipher suites")) {
    if (std::ranges::find(kCipherSuites, suite.value) != kCipherSuites.end()) {
      tls.cipher_suites.push_back(suite.value);
      continue;
    }
    const std::string_view meant = nearest(suite.value, kCipherSuites);
    reader.refuse("cipher_suites", suite,
                  meant.empty() ? "expected a cipher suite as Go names it"
                                : fmt::format("expected a cipher suite as Go names it: did you mean \"{}\"?", meant));
  }
  if (const auto prefer = reader.boolean("prefer_server_cipher_suites"))
    tls.prefer_server_cipher_suites = prefer->value;
  for (const auto& curve : listed(reader, "curve_preferences", "a list of curves")) {
    const auto known = std::ranges::find(kCurves, curve.value, &Choice<std::string_view>::name);
    if (known != kCurves.end()) {
      tls.groups.emplace_back(known->value);
    } else {
      reader.refuse("curve_preferences", curve, "expected \"X25519\", \"CurveP256\", \"CurveP384\" or \"CurveP521\"");
    }
  }
}

void read_client(TableReader& reader, TlsSettings& tls, WebConfig& config) {
  choose<Client>(reader, "client_auth_type", kClientChoices, tls.client_certificate);
  read_pem(reader, "client_ca", "client_ca_file", tls.client_ca, config.client_ca_file);
  if (reader.broken("client_auth_type")) return;
  const bool has_ca = !tls.client_ca.empty() || config.client_ca_file;
  if (has_ca && tls.client_certificate == Client::none) {
    const Entry* entry = reader.entry(config.client_ca_file ? "client_ca_file" : "client_ca");
    reader.problems().add(entry->where, "client_ca_file without a client_auth_type that asks for a certificate");
  }
  const bool required =
      tls.client_certificate == Client::require_any || tls.client_certificate == Client::require_and_verify;
  for (const auto& san : listed(reader, "client_allowed_sans", "a list of names")) {
    if (!required) {
      // A client that need not show a certificate has no name to compare.
      reader.refuse("client_allowed_sans", san,
                    "needs the client_auth_type RequireAndVerifyClientCert (or RequireAnyClientCert)");
      break;
    }
    tls.client_allowed_sans.push_back(san.value);
  }
}

void read_tls(TableReader& root, WebConfig& config) {
  auto reader = section(root, "tls_server_config");
  if (!reader) return;
  TlsSettings tls;
  read_pem(*reader, "cert", "cert_file", tls.certificate, config.certificate_file);
  read_pem(*reader, "key", "key_file", tls.key, config.key_file);
  read_client(*reader, tls, config);
  read_algorithms(*reader, tls);
  reader->refuse_unknown_keys();

  const bool has_certificate = !tls.certificate.empty() || config.certificate_file;
  const bool has_key = !tls.key.empty() || config.key_file;
  if (reader->empty()) return;  // as if it were not there: plain HTTP
  // exporter-toolkit serves plain HTTP when there are settings but no certificate: nobody who writes them wants that.
  if (!has_certificate && !reader->broken("cert_file") && !reader->broken("cert"))
    reader->problems().add(reader->where(), "tls_server_config: cert_file is missing");
  if (!has_key && !reader->broken("key_file") && !reader->broken("key"))
    reader->problems().add(reader->where(), "tls_server_config: key_file is missing");
  config.tls = std::move(tls);
}

/// A header value: whatever was written, even if it looks like a number.
std::optional<std::string> header_value(const Node& node) {
  if (std::holds_alternative<Node::Array>(node.value) || std::holds_alternative<Node::Table>(node.value))
    return std::nullopt;
  return std::string(node.text);
}

void read_headers(TableReader& reader, WebConfig& config) {
  static const std::array<HeaderRule, 5> rules = {{{"Content-Security-Policy", {}},
                                                   {"X-Frame-Options", {"deny", "sameorigin"}},
                                                   {"X-Content-Type-Options", {"nosniff"}},
                                                   {"X-XSS-Protection", {}},
                                                   {"Strict-Transport-Security", {}}}};
  constexpr std::size_t kLongest = 4096;
  for (const HeaderRule& rule : rules) {
    const Entry* entry = reader.entry(rule.name);
    if (entry == nullptr) continue;
    const auto value = header_value(entry->node);
    // What refuse() reports of a setting is its place and its text: the value, here 0, does not matter.
    const Setting<int> place{0, entry->node.where, entry->node.text};
    if (!value || value->size() > kLongest || has_control(*value) ||
        value->find_first_of("\r\n") != std::string::npos) {
      reader.refuse(rule.name, place, "expected a line of text");
    } else if (!value->empty() && !rule.values.empty() && std::ranges::find(rule.values, *value) == rule.values.end()) {
      reader.refuse(rule.name, place, fmt::format("expected {}", list_choices(rule.values)));
    } else if (!value->empty()) {
      config.headers.emplace_back(rule.name, *value);
    }
  }
  reader.refuse_unknown_keys();
}

void read_http(TableReader& root, WebConfig& config) {
  auto reader = section(root, "http_server_config");
  if (!reader) return;
  if (const auto http2 = reader->boolean("http2")) config.http2_asked = http2->value;
  if (auto headers = section(*reader, "headers")) read_headers(*headers, config);
  reader->refuse_unknown_keys();
}

void read_rate_limit(TableReader& root, WebConfig& config) {
  auto reader = section(root, "rate_limit");
  if (!reader) return;
  WebRateLimit limit;
  // "interval: 0" is how it is switched off; a duration without a unit is not one, but for that.
  const Entry* entry = reader->entry("interval");
  const auto* zero = entry != nullptr ? std::get_if<std::int64_t>(&entry->node.value) : nullptr;
  if (zero == nullptr || *zero != 0) {
    if (const auto interval = reader->duration("interval", kInterval)) limit.interval = interval->value;
  }
  const auto burst = reader->integer("burst", kBurst);
  if (burst) limit.burst = static_cast<std::uint32_t>(burst->value);
  reader->refuse_unknown_keys();
  if (limit.interval == Duration::zero()) return;
  if (!burst && !reader->broken("burst")) reader->problems().add(reader->where(), "rate_limit: burst is missing");
  config.rate_limit = limit;
}

/// "$2y$10$" and 53 characters (crypt(5)); what is wrong, in words that do not repeat it, or nothing.
std::string wrong_with_hash(std::string_view hash) {
  constexpr std::size_t kLength = 60;
  const bool prefix = hash.starts_with("$2a$") || hash.starts_with("$2b$") || hash.starts_with("$2y$");
  const auto fits = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '.' && byte <= '9');
  };
  const auto digit = [](char byte) { return byte >= '0' && byte <= '9'; };
  if (!prefix || hash.size() != kLength || !digit(hash[4]) || !digit(hash[5]) || hash[6] != '$' ||
      !std::ranges::all_of(hash.substr(7), fits)) {
    return "expected a bcrypt hash, as of: htpasswd -nBC 10 \"\" | tr -d ':\\n'";
  }
  const int cost = (hash[4] - '0') * 10 + (hash[5] - '0');
  if (cost < 4 || cost > kDearest) return fmt::format("expected a bcrypt hash of a cost from 4 to {}", kDearest);
  return {};
}

void read_users(TableReader& root, WebConfig& config) {
  const Entry* found = root.entry("basic_auth_users");
  if (found == nullptr) return;
  Problems& problems = root.problems();
  const auto* users = std::get_if<Node::Table>(&found->node.value);
  if (users == nullptr) return problems.add(found->node.where, "basic_auth_users: expected names and bcrypt hashes");
  if (users->size() > kMostUsers)
    return problems.add(found->where, fmt::format("basic_auth_users: more than {}", kMostUsers));
  for (const Entry& user : *users) {
    const auto* hash = std::get_if<std::string>(&user.node.value);
    const std::string wrong = wrong_with_hash(hash != nullptr ? *hash : std::string_view());
    if (user.key.find(':') != std::string::npos) {
      problems.add(user.where, fmt::format("basic_auth_users: {}: a name cannot have a colon", in_quotes(user.key)));
    } else if (!wrong.empty()) {
      problems.add(user.node.absent ? user.where : user.node.where,
                   fmt::format("basic_auth_users: {}: {}", in_quotes(user.key), wrong));
    } else {
      config.users.emplace(user.key, *hash);
    }
  }
}

}  // namespace

namespace {

WebConfigOutcome read_web_config(std::string_view text) {
  auto read = read_yaml(text);
  if (auto* problem = std::get_if<Problem>(&read)) return std::vector{std::move(*problem)};
  const auto& document = std::get<YamlDocument>(read);
  Problems problems(": ");
  WebConfig config;
  TableReader root(document.root, problems);
  read_tls(root, config);
  read_http(root, config);
  read_rate_limit(root, config);
  read_users(root, config);
  root.refuse_unknown_keys();
  if (!problems.empty()) return std::move(problems).sorted();
  return config;
}

}  // namespace

WebConfigOutcome parse_web_config(std::string_view text) {
  auto outcome = read_web_config(text);
  // A hash stands where a name or key is expected as soon as the blank behind the colon is forgotten.
  if (auto* problems = std::get_if<std::vector<Problem>>(&outcome)) {
    for (Problem& problem : *problems)
      problem.message = without_secrets(problem.message);
  }
  return outcome;
}

}  // namespace ecmp::config
