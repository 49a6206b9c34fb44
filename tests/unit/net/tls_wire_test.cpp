#include "net/http/tls_wire.hpp"

#include <arpa/inet.h>
#include <memory>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

#include "catch.hpp"
#include "unit/net/http_test_server.hpp"

using ecmp::ClientCertificate;
using ecmp::TlsSettings;
using ecmp::net::HttpGate;
using ecmp::net::HttpRequest;
using ecmp::net::HttpResponse;
using ecmp::net::StopSignal;
using ecmp::net::TlsContext;
using ecmp::net::TlsProblem;
using ecmp::test::TestServer;

namespace {

std::string text_of(BIO* bio) {
  char* start = nullptr;
  const long size = BIO_get_mem_data(bio, &start);
  std::string text(start, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

struct Pair {
  std::string certificate;
  std::string key;
};

/// A certificate that is its own authority, for localhost.
Pair self_signed(const char* passphrase = nullptr) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  X509_EXTENSION* san = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost,IP:192.0.2.9");
  X509_add_ext(certificate, san, -1);
  X509_EXTENSION_free(san);
  X509_sign(certificate, key, EVP_sha256());

  BIO* certificate_text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(certificate_text, certificate);
  BIO* key_text = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(key_text, key, passphrase != nullptr ? EVP_aes_128_cbc() : nullptr, nullptr, 0, nullptr,
                           const_cast<char*>(passphrase));
  X509_free(certificate);
  EVP_PKEY_free(key);
  return {text_of(certificate_text), text_of(key_text)};
}

std::shared_ptr<const TlsContext> must_make(const TlsSettings& settings) {
  auto made = TlsContext::make(settings);
  if (const auto* problem = std::get_if<TlsProblem>(&made)) FAIL(problem->message);
  return std::get<std::shared_ptr<const TlsContext>>(made);
}

class FixedGate : public HttpGate {
 public:
  explicit FixedGate(std::shared_ptr<const TlsContext> context) : context_(std::move(context)) {}
  std::shared_ptr<const TlsContext> tls() override { return context_; }
  bool encrypts() const override { return context_ != nullptr; }
  Verdict judge(const HttpRequest& request, const StopSignal&) override {
    Verdict verdict;
    if (request.path == "/closed") verdict.refusal = HttpResponse::text(401, "unauthorized");
    verdict.headers = headers_;
    return verdict;
  }

 private:
  std::shared_ptr<const TlsContext> context_;
  std::shared_ptr<const Headers> headers_ =
      std::make_shared<const Headers>(Headers{{"X-Frame-Options", "deny"}, {"X-Content-Type-Options", "nosniff"}});
};

int connected(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval patience{20, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return socket;
}

/// Whatever is sent until the connection ends.
std::string rest_of(int socket) {
  std::string text;
  char chunk[4096];
  for (ssize_t size = 0; (size = recv(socket, chunk, sizeof chunk, 0)) > 0;)
    text.append(chunk, static_cast<std::size_t>(size));
  return text;
}

/// One request over TLS; empty when no handshake came about, or no answer.
std::string ask(std::uint16_t port, const std::string& request, const Pair* own = nullptr) {
  ERR_clear_error();
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  if (own != nullptr) {
    BIO* text = BIO_new_mem_buf(own->certificate.data(), static_cast<int>(own->certificate.size()));
    X509* certificate = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    text = BIO_new_mem_buf(own->key.data(), static_cast<int>(own->key.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    SSL_CTX_use_certificate(context.get(), certificate);
    SSL_CTX_use_PrivateKey(context.get(), key);
    X509_free(certificate);
    EVP_PKEY_free(key);
  }
  const int socket = connected(port);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), socket);
  std::string answer;
  if (SSL_connect(ssl.get()) == 1 && SSL_write(ssl.get(), request.data(), static_cast<int>(request.size())) > 0) {
    char chunk[4096];
    for (int size = 0; (size = SSL_read(ssl.get(), chunk, sizeof chunk)) > 0;)
      answer.append(chunk, static_cast<std::size_t>(size));
  }
  close(socket);
  return answer;
}

std::string get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
}

/// The first message of a client.
std::string client_hello() {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), out);
  SSL_connect(ssl.get());
  char* start = nullptr;
  const long size = BIO_get_mem_data(out, &start);
  return {start, static_cast<std::size_t>(size)};
}

}  // namespace

TEST_CASE("a TLS server tells what it cannot use", "[tls]") {
  const Pair good = self_signed();
  const Pair other = self_signed();
  using Part = TlsProblem::Part;
  struct Row {
    TlsSettings settings;
    Part part;
    const char* words;
  };
  const Row rows[] = {
      {{.certificate = "", .key = good.key}, Part::certificate, "no certificate in PEM form"},
      {{.certificate = good.key, .key = good.key}, Part::certificate, "no certificate in PEM form"},
      {{.certificate = good.certificate + "-----BEGIN CERTIFICATE-----\n!\n", .key = good.key},
       Part::certificate,
       "chain"},
      {{.certificate = good.certificate, .key = good.certificate}, Part::key, "no private key"},
      {{.certificate = good.certificate, .key = other.key}, Part::key, "not that of the certificate"},
      {{.certificate = good.certificate, .key = self_signed("words").key}, Part::key, "without a passphrase"},
      {{.certificate = good.certificate,
        .key = good.key,
        .client_ca = "none",
        .client_certificate = ClientCertificate::require_and_verify},
       Part::client_ca,
       "no certificate in PEM form"},
      {{.certificate = good.certificate, .key = good.key, .cipher_suites = {"TLS_NONE_AT_ALL"}},
       Part::settings,
       "not known"},
      {{.certificate = good.certificate, .key = good.key, .groups = {"P-0"}}, Part::settings, "curves"}};
  for (const Row& row : rows) {
    CAPTURE(row.words);
    const auto made = TlsContext::make(row.settings);
    const auto* problem = std::get_if<TlsProblem>(&made);
    REQUIRE(problem != nullptr);
    CHECK(problem->part == row.part);
    CHECK_THAT(problem->message, Catch::Contains(row.words));
    CHECK(problem->message.find('\n') == std::string::npos);
  }
}

TEST_CASE("a server over TLS answers, refuses and sets headers", "[tls]") {
  const Pair own = self_signed();
  FixedGate gate(must_make({.certificate = own.certificate, .key = own.key}));
  TestServer server;
  const std::string large(300'000, 'x');
  server->route("GET", "/large", [&large](const HttpRequest&) { return HttpResponse::text(200, large); });
  server->route("GET", "/closed", [](const HttpRequest&) { return HttpResponse::text(200, "not to be seen"); });
  server->guard(gate);
  server.start();
  const std::string answer = ask(server.port(), get("/large"));
  CHECK_THAT(answer, Catch::StartsWith("HTTP/1.1 200") && Catch::Contains("X-Frame-Options: deny\r\n"));
  CHECK(answer.size() > large.size());
  CHECK(answer.find("nosniff") == answer.rfind("nosniff"));
  const std::string refused = ask(server.port(), get("/closed"));
  CHECK_THAT(refused, Catch::StartsWith("HTTP/1.1 401") && !Catch::Contains("not to be seen"));
  CHECK(server->counters().tls_failures == 0);

  const int plain = connected(server.port());
  const std::string request = get("/large");
  REQUIRE(send(plain, request.data(), request.size(), MSG_NOSIGNAL) > 0);
  CHECK_THAT(rest_of(plain), Catch::StartsWith("HTTP/1.1 400") && Catch::Contains("https://"));
  close(plain);
  CHECK(server->counters().tls_failures == 1);
}

TEST_CASE("names of client certificates are compared whole", "[tls]") {
  const Pair own = self_signed();
  for (const auto& [name, passes] :
       {std::pair{"localhost", true}, std::pair{"192.0.2.9", true}, std::pair{"local", false},
        std::pair{"localhost.example", false}, std::pair{"192.0.2.90", false}}) {
    CAPTURE(name);
    FixedGate gate(must_make({.certificate = own.certificate,
                              .key = own.key,
                              .client_ca = own.certificate,
                              .client_certificate = ClientCertificate::require_and_verify,
                              .client_allowed_sans = {name}}));
    TestServer server;
    server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
    server->guard(gate);
    server.start();
    CHECK(ask(server.port(), get("/"), &own).starts_with("HTTP/1.1 200") == passes);
    CHECK(ask(server.port(), get("/")).empty());
    const Pair stranger = self_signed();
    CHECK(ask(server.port(), get("/"), &stranger).empty());
  }
}

TEST_CASE("mutated handshakes cost their connection only", "[tls]") {
  constexpr std::uint64_t kSeed = 11;
  constexpr int kRounds = 300;
  CAPTURE(kSeed);
  const Pair own = self_signed();
  FixedGate gate(must_make({.certificate = own.certificate, .key = own.key}));
  TestServer server;
  server->route("GET", "/", [](const HttpRequest&) { return HttpResponse::text(200, "fine"); });
  server->guard(gate);
  server.start();
  std::mt19937_64 random(kSeed);
  const std::string good = client_hello();
  REQUIRE(good.size() > 100);
  for (int i = 0; i < kRounds; ++i) {
    CAPTURE(i);
    std::string hello = good;
    for (int edits = 1 + static_cast<int>(random() % 8); edits > 0; --edits)
      hello[random() % hello.size()] = static_cast<char>(random());
    if (random() % 4 == 0) hello.resize(random() % hello.size());
    const int socket = connected(server.port());
    send(socket, hello.data(), hello.size(), MSG_NOSIGNAL);
    shutdown(socket, SHUT_WR);
    rest_of(socket);
    close(socket);
  }
  CHECK_THAT(ask(server.port(), get("/")), Catch::StartsWith("HTTP/1.1 200"));
  CHECK(server->counters().tls_failures == kRounds);
}

TEST_CASE("an endless handshake is broken off, and a late one", "[tls]") {
  const Pair own = self_signed();
  FixedGate gate(must_make({.certificate = own.certificate, .key = own.key}));
  TestServer server({.head_timeout = std::chrono::milliseconds(100)});
  server->guard(gate);
  server.start();
  const int silent = connected(server.port());
  CHECK(rest_of(silent).empty());
  close(silent);

  const int trickling = connected(server.port());
  const std::string hello = client_hello();
  for (std::size_t at = 0; at < hello.size() && send(trickling, hello.data() + at, 1, MSG_NOSIGNAL) == 1; ++at) {
    char byte = 0;
    timeval patience{0, 20'000};
    setsockopt(trickling, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (recv(trickling, &byte, 1, 0) == 0) break;
  }
  close(trickling);
  CHECK(
      server.await([](const auto& counters) { return counters.tls_failures == 2 && counters.connections_open == 0; }));
}
