#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "net/http/fair_places.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

struct Credentials {
  std::string user;
  std::string password;
};

/// Of an Authorization header with the scheme Basic (RFC 7617); nullopt for anything else.
std::optional<Credentials> read_credentials(std::string_view authorization);

/// Decides on users and passwords, against bcrypt hashes. Called by many threads at once.
///
/// bcrypt is slow on purpose: at most one is computed at a time, for what probes needs the processor, too, and clients
/// take turns. Credentials
/// that were good are remembered as a keyed hash, so that a scrape costs no bcrypt; those that were not never are.
class PasswordCheck {
 public:
  using Users = std::map<std::string, std::string, std::less<>>;  ///< bcrypt hash by name

  explicit PasswordCheck(Users users);

  enum class Outcome : std::uint8_t {
    right,
    wrong,  ///< or an unknown user: takes as long
    busy,   ///< too many others are waiting for their answer, or the server stops
  };

  /// Waits until `deadline` for the turn of this client, see client_of().
  Outcome check(const Credentials& given, const StopSignal& stop, Instant deadline,
                const FairPlaces::Applicant& applicant = {});

  /// Credentials that are remembered: never more than kRemembered.
  [[nodiscard]] std::size_t remembered() const;
  /// Hashes computed so far.
  [[nodiscard]] std::uint64_t computed() const;

  static constexpr std::size_t kRemembered = 64;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  [[nodiscard]] Digest digest(const Credentials& given, std::string_view hash) const;
  [[nodiscard]] bool remembers(const Digest& digest) const;
  void remember(const Digest& digest);

  const Users users_;
  std::string unknown_;  ///< a hash of nothing, as dear as the dearest
  Digest secret_{};      ///< so that what is remembered tells nothing to who reads it
  const std::shared_ptr<FairPlaces> turn_ = std::make_shared<FairPlaces>(1);
  mutable std::mutex mutex_;  ///< over what follows, and never held while a hash is computed
  std::deque<Digest> good_;   ///< oldest first
  std::uint64_t computed_ = 0;
};

}  // namespace ecmp::net
