#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ecmp {

/// What a TLS server asks of its clients; the words behind are those of Go, which exporter-toolkit made its own.
enum class ClientCertificate : std::uint8_t {
  none,                ///< NoClientCert: not asked for
  request,             ///< RequestClientCert: asked for, whatever comes is good
  require_any,         ///< RequireAnyClientCert: must come, and is not verified
  verify_if_given,     ///< VerifyClientCertIfGiven
  require_and_verify,  ///< RequireAndVerifyClientCert
};

enum class TlsVersion : std::uint8_t { tls10, tls11, tls12, tls13 };

/// A TLS server as it is configured; certificates and keys are PEM text, not file names.
struct TlsSettings {
  std::string certificate;  ///< the server's, and those that lead from it to a root
  std::string key;
  std::string client_ca;  ///< roots of client certificates; empty: those that the system trusts
  ClientCertificate client_certificate = ClientCertificate::none;
  std::vector<std::string> client_allowed_sans;  ///< one must be a subject alternative name of the client; none: any
  TlsVersion min_version = TlsVersion::tls12;
  TlsVersion max_version = TlsVersion::tls13;
  std::vector<std::string> cipher_suites;  ///< IANA names, of TLS 1.2 and older; none: ours
  bool prefer_server_cipher_suites = true;
  std::vector<std::string> groups;  ///< for the key exchange: "X25519", "P-256", "P-384", "P-521"; none: the library's
};

}  // namespace ecmp
