#include "agent/secret.hpp"

#include <cstdlib>
#include <sys/random.h>

namespace ecmp {

SipKey random_secret() {
  SipKey key{};
  // 16 bytes never come short, and after boot never wait (getrandom(2)).
  if (getrandom(key.data(), sizeof key, 0) != static_cast<ssize_t>(sizeof key)) std::abort();
  return key;
}

}  // namespace ecmp
