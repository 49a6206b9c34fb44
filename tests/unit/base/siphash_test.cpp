#include "base/siphash.hpp"

#include <numeric>
#include <vector>

#include "catch.hpp"

TEST_CASE("SipHash-2-4 gives the values of its authors' paper", "[base]") {
  // Appendix A of the paper: key 00..0f, message 00..0e, result a129ca6149be45e5.
  const ecmp::SipKey key{0x0706050403020100u, 0x0f0e0d0c0b0a0908u};
  std::vector<std::uint8_t> message(15);
  std::iota(message.begin(), message.end(), std::uint8_t{0});
  CHECK(ecmp::siphash(key, message) == 0xa129ca6149be45e5u);
}

TEST_CASE("the form for two words agrees with the form for bytes", "[base]") {
  const ecmp::SipKey key{1, 2};
  std::vector<std::uint8_t> message(16);
  std::iota(message.begin(), message.end(), std::uint8_t{0});
  CHECK(ecmp::siphash(key, 0x0706050403020100u, 0x0f0e0d0c0b0a0908u) == ecmp::siphash(key, message));
}
