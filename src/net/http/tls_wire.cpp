#include "net/http/tls_wire.hpp"

#include <algorithm>
#include <array>
#include <new>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <utility>

namespace ecmp::net {

namespace {

/// What a client may send before it has an agreement with us: the longest honest handshakes, with a chain of client
/// certificates, stay below 16 KiB.
constexpr std::uint64_t kLargestGreeting = std::uint64_t{64} << 10;

constexpr std::size_t kLargestRecord = std::size_t{16} << 10;  // RFC 8446 section 5.1

}  // namespace

TlsWire::TlsWire(OwnedSocket socket, const StopSignal& stop, std::shared_ptr<const TlsContext> context)
    : Wire(std::move(socket), stop), context_(std::move(context)), ssl_(SSL_new(context_->native())) {
  if (ssl_ == nullptr) throw std::bad_alloc();
  if (SSL_set_fd(ssl_, descriptor()) != 1) {
    SSL_free(ssl_);
    throw std::bad_alloc();
  }
  SSL_set_accept_state(ssl_);
}

TlsWire::~TlsWire() {
  SSL_free(ssl_);
}

TlsWire::Turn TlsWire::await(int result, Instant deadline) {
  const int failure = SSL_get_error(ssl_, result);
  if (failure == SSL_ERROR_ZERO_RETURN) return Turn::closed;
  if (failure != SSL_ERROR_WANT_READ && failure != SSL_ERROR_WANT_WRITE) {
    broken_ = true;
    return Turn::broken;
  }
  // wait() alone would be content at the deadline with whatever bytes are there: a client could send parts of a record
  // for ever.
  const short events = failure == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT;
  if (monotonic_now() < deadline && wait(events, deadline)) return Turn::ready;
  return stopped() ? Turn::stopped : Turn::timeout;
}

TlsWire::Greeting TlsWire::greet(Instant deadline, const TakeTurn& take_turn) {
  for (;;) {
    auto turn_taken = take_turn ? take_turn(deadline) : nullptr;
    if (take_turn && turn_taken == nullptr) {  // too many others compute: none came before the deadline
      broken_ = true;                          // no close_notify: nothing may be sent within a handshake
      return stopped() ? Greeting::stopped : Greeting::timeout;
    }
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    turn_taken.reset();
    if (result == 1) return Greeting::done;
    const bool plain = ERR_GET_REASON(ERR_peek_error()) == SSL_R_HTTP_REQUEST;
    // Looked at before waiting for more: who has spent it all is not waited for.
    if (BIO_number_read(SSL_get_rbio(ssl_)) > kLargestGreeting) {
      broken_ = true;
      return Greeting::refused;
    }
    const Turn turn = await(result, deadline);
    if (turn == Turn::timeout || turn == Turn::stopped) {
      broken_ = true;
      return turn == Turn::timeout ? Greeting::timeout : Greeting::stopped;
    }
    if (turn != Turn::ready) return plain ? Greeting::plain_http : Greeting::refused;
  }
}

void TlsWire::refuse_plainly(std::string_view answer, Instant deadline) {
  SendPace pace;
  pace.begin(deadline - monotonic_now());
  send_bare(answer, pace, false);
  Wire::finish(deadline);
}

Wire::Got TlsWire::receive(std::string& into, std::size_t limit, Instant deadline) {
  std::array<char, 4096> chunk;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by SSL_read_ex
  for (;;) {
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_read_ex(ssl_, chunk.data(), std::min(limit, chunk.size()), &size);
    if (result == 1) {
      into.append(chunk.data(), size);
      return Got::bytes;
    }
    switch (await(result, deadline)) {
      case Turn::ready:
        break;
      case Turn::timeout:
        return Got::timeout;
      case Turn::stopped:
        return Got::stopped;
      case Turn::closed:
      case Turn::broken:
        return Got::end;
    }
  }
}

Wire::Sent TlsWire::send(std::string_view bytes, SendPace& pace, bool /*more_follows*/) {
  while (!bytes.empty()) {
    ERR_clear_error();
    std::size_t size = 0;
    const int result = SSL_write_ex(ssl_, bytes.data(), std::min(bytes.size(), kLargestRecord), &size);
    if (result == 1) {
      pace.took(size);
      bytes.remove_prefix(size);
      continue;
    }
    const Turn turn = await(result, pace.wait_begins(monotonic_now()));
    pace.wait_ends(monotonic_now());
    switch (turn) {
      case Turn::ready:
        break;
      case Turn::timeout:
        broken_ = true;  // half a record is out: what came behind it would be taken for its rest
        return Sent::timeout;
      case Turn::stopped:
        broken_ = true;
        return Sent::stopped;
      case Turn::closed:
      case Turn::broken:
        return Sent::gone;
    }
  }
  return Sent::all;
}

void TlsWire::finish(Instant deadline) {
  if (!broken_) {
    ERR_clear_error();
    SSL_shutdown(ssl_);  // "close notify": an answer without a length is complete with it
  }
  Wire::finish(deadline);
}

}  // namespace ecmp::net
