#include "net/http/http_password.hpp"

#include <algorithm>
#include <chrono>
#include <crypt.h>
#include <cstdlib>
#include <memory>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <stdexcept>
#include <utility>

#include "net/http/http_head.hpp"

namespace ecmp::net {

namespace {

constexpr std::string_view kAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

void draw(std::uint8_t* into, std::size_t size) {
  if (RAND_bytes(into, static_cast<int>(size)) != 1) throw std::runtime_error("no random bytes");
}

/// "$2b$12$" and 22 characters of salt and 31 of a hash that nobody has the password to.
std::string hash_of_nobody(const PasswordCheck::Users& users) {
  std::string cost = "04";
  for (const auto& [user, hash] : users) {
    constexpr std::size_t kCost = 4;  // behind "$2b$"
    if (hash.size() > kCost + 2) cost = std::max(cost, hash.substr(kCost, 2));
  }
  std::array<std::uint8_t, 53> random{};
  draw(random.data(), random.size());
  std::string hash = "$2b$" + cost + "$";
  for (const std::uint8_t byte : random)
    hash += kAlphabet[byte % kAlphabet.size()];
  // The last character of a salt carries two bits only: libcrypt refuses what else is in it.
  hash[28] = '.';
  return hash;
}

/// The hash that `setting` would have of this password; empty when it is none of libcrypt's.
std::string compute(const std::string& password, const std::string& setting) {
  const auto scratch = std::make_unique<crypt_data>();  // 32 KiB
  const char* hash = crypt_rn(password.c_str(), setting.c_str(), scratch.get(), sizeof *scratch);
  std::string computed = hash != nullptr ? hash : "";
  OPENSSL_cleanse(scratch.get(), sizeof *scratch);
  return computed;
}

bool same(std::string_view left, std::string_view right) {
  return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

/// Strict base64 (RFC 4648 section 4), padding required.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  // EVP_DecodeBlock would skip white space at both ends.
  const auto fits = [](char byte) { return kAlphabet.find(byte) != std::string_view::npos || byte == '+'; };
  if (!std::ranges::all_of(text.substr(0, text.size() - padding),
                           [&fits](char byte) { return fits(byte) && byte != '.'; }))
    return std::nullopt;
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  if (size < 0) return std::nullopt;
  bytes.resize(bytes.size() - padding);
  return bytes;
}

}  // namespace

std::optional<Credentials> read_credentials(std::string_view authorization) {
  const std::size_t blank = authorization.find(' ');
  if (blank == std::string_view::npos || !equals_ignoring_case(authorization.substr(0, blank), "basic"))
    return std::nullopt;
  std::string_view token = authorization.substr(blank);
  token.remove_prefix(std::min(token.find_first_not_of(' '), token.size()));
  const auto text = decode_base64(token);
  if (!text) return std::nullopt;
  const std::size_t colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  Credentials credentials{text->substr(0, colon), text->substr(colon + 1)};
  // To libcrypt a NUL ends the password: what stands behind it would not count.
  if (credentials.password.find('\0') != std::string::npos) return std::nullopt;
  return credentials;
}

PasswordCheck::PasswordCheck(Users users) : users_(std::move(users)), unknown_(hash_of_nobody(users_)) {
  draw(secret_.data(), secret_.size());
}

PasswordCheck::Outcome PasswordCheck::check(const Credentials& given, const StopSignal& stop, Instant deadline,
                                            const FairPlaces::Applicant& applicant) {
  const auto user = users_.find(given.user);
  const bool known = user != users_.end();
  const std::string& hash = known ? user->second : unknown_;
  const Digest key = digest(given, hash);
  if (remembers(key)) return Outcome::right;

  const auto turn = FairPlaces::take(turn_, applicant, deadline, &stop);
  if (turn == nullptr) return Outcome::busy;
  if (remembers(key)) return Outcome::right;  // who came before asked the same
  {
    const std::lock_guard lock(mutex_);
    ++computed_;
  }
  const bool right = same(compute(given.password, hash), hash) && known;
  if (right) remember(key);
  return right ? Outcome::right : Outcome::wrong;
}

PasswordCheck::Digest PasswordCheck::digest(const Credentials& given, std::string_view hash) const {
  std::string text;
  for (const std::string_view part : {std::string_view(given.user), hash, std::string_view(given.password)}) {
    text += std::to_string(part.size()) + ":";  // so that no two sets of parts give the same text
    text += part;
  }
  Digest digest{};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  OPENSSL_cleanse(text.data(), text.size());
  if (size != digest.size()) throw std::runtime_error("no SHA-256");
  return digest;
}

bool PasswordCheck::remembers(const Digest& digest) const {
  const std::lock_guard lock(mutex_);
  // Which digests are near to one that is here is nothing that a client could choose, without the secret.
  return std::ranges::find(good_, digest) != good_.end();
}

void PasswordCheck::remember(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  if (good_.size() == kRemembered) good_.pop_front();
  good_.push_back(digest);
}

std::size_t PasswordCheck::remembered() const {
  const std::lock_guard lock(mutex_);
  return good_.size();
}

std::uint64_t PasswordCheck::computed() const {
  const std::lock_guard lock(mutex_);
  return computed_;
}

}  // namespace ecmp::net
