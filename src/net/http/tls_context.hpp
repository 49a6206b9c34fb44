#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/tls_settings.hpp"

// OpenSSL's types, without its headers.
struct ssl_ctx_st;         // NOLINT(readability-identifier-naming)
struct x509_store_ctx_st;  // NOLINT(readability-identifier-naming)

namespace ecmp::net {

/// Why a TLS server cannot be made, and of which of its parts.
struct TlsProblem {
  enum class Part : std::uint8_t { certificate, key, client_ca, settings };
  Part part = Part::settings;
  std::string message;  ///< one line
};

/// The server's side of TLS: what all connections that begin under one configuration share. Immutable once made.
class TlsContext {
 public:
  static std::variant<std::shared_ptr<const TlsContext>, TlsProblem> make(const TlsSettings& settings);

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  [[nodiscard]] ssl_ctx_st* native() const { return context_; }

 private:
  explicit TlsContext(const TlsSettings& settings);
  void apply(const TlsSettings& settings);
  void use_certificate(const std::string& pem);
  void use_key(const std::string& pem);
  void ask_clients(const TlsSettings& settings);
  void limit_algorithms(const TlsSettings& settings);
  static int judge_client(x509_store_ctx_st* store, void* self);
  [[nodiscard]] bool allowed(x509_store_ctx_st* store) const;

  ssl_ctx_st* context_ = nullptr;
  bool verifies_ = false;
  std::vector<std::string> allowed_sans_;  ///< addresses in their canonical form
};

}  // namespace ecmp::net
