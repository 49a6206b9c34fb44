#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/ip_address.hpp"
#include "catch.hpp"

namespace ecmp::sim {

/// The seed of a test: fixed, told when the test fails, and replaced by ECMP_SIM_SEED from the environment when
/// somebody wants to look for others.
class Seed {
 public:
  explicit Seed(std::uint64_t usual)
      : value_(from_environment(usual)),
        message_(Catch::MessageBuilder("INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info)
                 << "seed " << value_ << " (ECMP_SIM_SEED)") {}

  operator std::uint64_t() const { return value_; }  // NOLINT(google-explicit-constructor)

 private:
  static std::uint64_t from_environment(std::uint64_t usual) {
    const char* const text = std::getenv("ECMP_SIM_SEED");
    return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
  }

  std::uint64_t value_;
  Catch::ScopedMessage message_;
};

/// How many seeds a row of a table is tried with: `usual`, or ECMP_SIM_SEEDS from the environment.
inline std::uint64_t seeds(std::uint64_t usual) {
  const char* const text = std::getenv("ECMP_SIM_SEEDS");
  return text == nullptr ? usual : std::strtoull(text, nullptr, 10);
}

}  // namespace ecmp::sim

/// So that Catch tells addresses.
template <>
struct Catch::StringMaker<ecmp::IpAddress> {
  static std::string convert(const ecmp::IpAddress& address) { return address.to_string(); }
};
