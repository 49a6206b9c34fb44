#include "net/http/tls_context.hpp"

#include <algorithm>
#include <array>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <optional>
#include <string_view>
#include <utility>

#include "base/ip_address.hpp"

namespace ecmp::net {

namespace {

using Part = TlsProblem::Part;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;

/// Certificates that a client may send; OpenSSL's own limit is three times that.
constexpr long kLargestClientChain = 32L << 10;

/// Forward secrecy and authenticated encryption only, as Go and RFC 9325 section 4.2 have it.
constexpr const char* kModernCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
/// What older versions have at all, behind those.
constexpr const char* kOldCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:RSA+AES";

struct Failure {
  TlsProblem problem;
};

/// Throws, with the library's reason behind the words.
[[noreturn]] void fail(Part part, std::string message) {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = code != 0 ? ERR_reason_error_string(code) : nullptr;
  if (reason != nullptr) message += std::string(": ") + reason;
  ERR_clear_error();
  throw Failure{{part, std::move(message)}};
}

Bio memory(const std::string& text) {
  Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &BIO_free);
  if (bio == nullptr) throw std::bad_alloc();
  return bio;
}

/// Without it OpenSSL would ask for the passphrase on the terminal.
int no_passphrase(char* /*into*/, int /*size*/, int /*writing*/, void* /*user*/) {
  return -1;
}

/// The end of a PEM text shows as an error of its own.
bool at_end_of_pem() {
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (at_end) ERR_clear_error();
  return at_end;
}

int version_number(TlsVersion version) {
  switch (version) {
    case TlsVersion::tls10:
      return TLS1_VERSION;
    case TlsVersion::tls11:
      return TLS1_1_VERSION;
    case TlsVersion::tls12:
      return TLS1_2_VERSION;
    case TlsVersion::tls13:
      return TLS1_3_VERSION;
  }
  return TLS1_3_VERSION;
}

/// HTTP/1.1 is what we speak. A client that offers protocols, and not that one, is told so (RFC 7301 section 3.2).
int choose_protocol(SSL* /*ssl*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* /*user*/) {
  static constexpr std::string_view kOurs = "\x08http/1.1\x08http/1.0";
  // The names differ in constness only: the library writes through neither.
  auto* out = const_cast<unsigned char**>(chosen);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  const int found = SSL_select_next_proto(out, size, reinterpret_cast<const unsigned char*>(kOurs.data()),
                                          static_cast<unsigned int>(kOurs.size()), offered, offered_size);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// A name as it is compared: addresses in one form, everything else as it is.
std::string canonical(std::string_view name) {
  const auto address = IpAddress::parse(name);
  return address ? address->to_string() : std::string(name);
}

std::string text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

/// A subject alternative name of the four kinds that are compared (RFC 5280 section 4.2.1.6).
std::optional<std::string> name_text(const GENERAL_NAME* name) {
  int kind = 0;
  const void* value = GENERAL_NAME_get0_value(name, &kind);
  if (kind == GEN_DNS || kind == GEN_EMAIL || kind == GEN_URI) return text_of(static_cast<const ASN1_STRING*>(value));
  if (kind != GEN_IPADD) return std::nullopt;
  const std::string bytes = text_of(static_cast<const ASN1_STRING*>(value));
  std::array<std::uint8_t, 16> octets{};
  if (bytes.size() != 4 && bytes.size() != octets.size()) return std::nullopt;
  std::ranges::transform(bytes, octets.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  if (bytes.size() == octets.size()) return IpAddress::v6(octets).to_string();
  return IpAddress::v4(std::uint32_t{octets[0]} << 24 | std::uint32_t{octets[1]} << 16 | std::uint32_t{octets[2]} << 8 |
                       octets[3])
      .to_string();
}

}  // namespace

std::variant<std::shared_ptr<const TlsContext>, TlsProblem> TlsContext::make(const TlsSettings& settings) {
  ERR_clear_error();
  try {
    std::shared_ptr<TlsContext> made(new TlsContext(settings));
    made->apply(settings);
    return std::shared_ptr<const TlsContext>(std::move(made));
  } catch (Failure& failure) {
    return std::move(failure.problem);
  }
}

TlsContext::TlsContext(const TlsSettings& settings) : context_(SSL_CTX_new(TLS_server_method())) {
  if (context_ == nullptr) fail(Part::settings, "TLS is not available");
  for (const std::string& san : settings.client_allowed_sans)
    allowed_sans_.push_back(canonical(san));
}

TlsContext::~TlsContext() {
  SSL_CTX_free(context_);
}

void TlsContext::apply(const TlsSettings& settings) {
  // Tickets would let a client in whose certificate has ended since; scrapers keep their connections anyway.
  SSL_CTX_set_options(context_, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context_, 0);
  // Each call returns after what it has read once, so that our deadlines are looked at in between; and a connection at
  // rest keeps no buffers.
  SSL_CTX_clear_mode(context_, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_mode(context_,
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(context_, kLargestClientChain);
  SSL_CTX_set_alpn_select_cb(context_, &choose_protocol, nullptr);
  limit_algorithms(settings);
  use_certificate(settings.certificate);
  use_key(settings.key);
  ask_clients(settings);
}

void TlsContext::use_certificate(const std::string& pem) {
  const Bio text = memory(pem);
  const Certificate own(PEM_read_bio_X509_AUX(text.get(), nullptr, &no_passphrase, nullptr), &X509_free);
  if (own == nullptr) fail(Part::certificate, "no certificate in PEM form");
  if (SSL_CTX_use_certificate(context_, own.get()) != 1) fail(Part::certificate, "the certificate cannot be used");
  for (;;) {
    const Certificate next(PEM_read_bio_X509(text.get(), nullptr, &no_passphrase, nullptr), &X509_free);
    if (next == nullptr) break;
    if (SSL_CTX_add1_chain_cert(context_, next.get()) != 1) fail(Part::certificate, "the chain cannot be used");
  }
  if (!at_end_of_pem()) fail(Part::certificate, "a certificate of the chain cannot be read");
}

void TlsContext::use_key(const std::string& pem) {
  const Bio text = memory(pem);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      PEM_read_bio_PrivateKey(text.get(), nullptr, &no_passphrase, nullptr), &EVP_PKEY_free);
  if (key == nullptr) fail(Part::key, "no private key in PEM form without a passphrase");
  if (SSL_CTX_use_PrivateKey(context_, key.get()) != 1 || SSL_CTX_check_private_key(context_) != 1)
    fail(Part::key, "the key is not that of the certificate");
}

void TlsContext::ask_clients(const TlsSettings& settings) {
  const ClientCertificate wanted = settings.client_certificate;
  if (wanted == ClientCertificate::none) return;
  verifies_ = wanted == ClientCertificate::verify_if_given || wanted == ClientCertificate::require_and_verify;
  const bool required = wanted == ClientCertificate::require_any || wanted == ClientCertificate::require_and_verify;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
  SSL_CTX_set_cert_verify_callback(context_, &TlsContext::judge_client, this);
  if (settings.client_ca.empty()) {
    if (verifies_ && SSL_CTX_set_default_verify_paths(context_) != 1)
      fail(Part::client_ca, "the system's certificates cannot be used");
    return;
  }
  const Bio text = memory(settings.client_ca);
  X509_STORE* roots = SSL_CTX_get_cert_store(context_);
  // As in Go, which exporter-toolkit is written in: each certificate of the file is trusted for itself, an intermediate
  // without its root, too.
  X509_STORE_set_flags(roots, X509_V_FLAG_PARTIAL_CHAIN);
  bool any = false;
  for (;; any = true) {
    const Certificate root(PEM_read_bio_X509(text.get(), nullptr, &no_passphrase, nullptr), &X509_free);
    if (root == nullptr) break;
    if (X509_STORE_add_cert(roots, root.get()) != 1) fail(Part::client_ca, "a certificate cannot be used");
    SSL_CTX_add_client_CA(context_, root.get());
  }
  if (!at_end_of_pem()) fail(Part::client_ca, "a certificate cannot be read");
  if (!any) fail(Part::client_ca, "no certificate in PEM form");
}

void TlsContext::limit_algorithms(const TlsSettings& settings) {
  const bool old = settings.min_version < TlsVersion::tls12;
  // TLS 1.0 and 1.1 sign with SHA-1 and MD5, which the library's default level refuses; who asks for them gets them.
  if (old) SSL_CTX_set_security_level(context_, 0);
  if (SSL_CTX_set_min_proto_version(context_, version_number(settings.min_version)) != 1 ||
      SSL_CTX_set_max_proto_version(context_, version_number(settings.max_version)) != 1) {
    fail(Part::settings, "the versions cannot be used");
  }
  if (settings.prefer_server_cipher_suites) SSL_CTX_set_options(context_, SSL_OP_CIPHER_SERVER_PREFERENCE);
  std::string ciphers;
  for (const std::string& suite : settings.cipher_suites) {
    const std::string name = OPENSSL_cipher_name(suite.c_str());
    if (name == "(NONE)") fail(Part::settings, suite + " is not known to the TLS library");
    if (name.starts_with("TLS_")) continue;  // of TLS 1.3, whose three are always on, as in Go
    ciphers += (ciphers.empty() ? "" : ":") + name;
  }
  if (!settings.cipher_suites.empty() && ciphers.empty()) {
    if (settings.max_version < TlsVersion::tls13) fail(Part::settings, "no cipher suite is left");
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);  // nothing older could be agreed on
  } else {
    if (ciphers.empty()) ciphers = old ? kOldCiphers : kModernCiphers;
    if (SSL_CTX_set_cipher_list(context_, ciphers.c_str()) != 1) fail(Part::settings, "no cipher suite can be used");
  }
  std::string groups;
  for (const std::string& group : settings.groups)
    groups += (groups.empty() ? "" : ":") + group;
  if (!groups.empty() && SSL_CTX_set1_groups_list(context_, groups.c_str()) != 1)
    fail(Part::settings, "the curves cannot be used");
}

/// Called by OpenSSL instead of its own check of a client's certificate. That the client has the key to it is proven by
/// the handshake itself.
int TlsContext::judge_client(x509_store_ctx_st* store, void* self) {
  const auto* context = static_cast<const TlsContext*>(self);
  if (context->verifies_ && X509_verify_cert(store) != 1) return 0;
  bool good = false;
  try {
    good = context->allowed_sans_.empty() || context->allowed(store);
  } catch (...) {
    good = false;  // no memory: nobody is let in for that, and nothing may be thrown through the library
  }
  if (!good) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return good ? 1 : 0;
}

bool TlsContext::allowed(x509_store_ctx_st* store) const {
  const X509* client = X509_STORE_CTX_get0_cert(store);
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(client, NID_subject_alt_name, nullptr, nullptr));
  const std::unique_ptr<GENERAL_NAMES, decltype(&GENERAL_NAMES_free)> owner(names, &GENERAL_NAMES_free);
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const auto name = name_text(sk_GENERAL_NAME_value(names, i));
    if (name && std::ranges::find(allowed_sans_, *name) != allowed_sans_.end()) return true;
  }
  return false;
}

}  // namespace ecmp::net
