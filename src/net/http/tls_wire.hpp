#pragma once

#include <functional>
#include <memory>

#include "net/http/http_socket.hpp"
#include "net/http/tls_context.hpp"

struct ssl_st;  // NOLINT(readability-identifier-naming): OpenSSL's

namespace ecmp::net {

/// A connection over TLS, at the server's end. Nothing but greet() before that has returned `done`.
class TlsWire : public Wire {
 public:
  /// Throws std::bad_alloc.
  TlsWire(OwnedSocket socket, const StopSignal& stop, std::shared_ptr<const TlsContext> context);
  TlsWire(const TlsWire&) = delete;
  TlsWire& operator=(const TlsWire&) = delete;
  ~TlsWire() override;

  enum class Greeting : std::uint8_t {
    done,
    refused,     ///< broken off, or one of the two did not like the other
    plain_http,  ///< the client speaks HTTP without TLS
    timeout,
    stopped,
  };

  /// What a step of the handshake needs before it takes the processor; null: it was not to be had in time.
  using TakeTurn = std::function<std::shared_ptr<const void>(Instant deadline)>;

  /// The whole handshake, within `deadline` and a budget of bytes. Each of its steps takes a turn.
  Greeting greet(Instant deadline, const TakeTurn& take_turn = {});

  /// After plain_http: an answer in the client's own words.
  void refuse_plainly(std::string_view answer, Instant deadline);

  Got receive(std::string& into, std::size_t limit, Instant deadline) override;
  Sent send(std::string_view bytes, SendPace& pace, bool more_follows) override;
  void finish(Instant deadline) override;

 private:
  /// Waits for what the library needs next: `ready`, and the call may be made again.
  enum class Turn : std::uint8_t { ready, closed, broken, timeout, stopped };
  Turn await(int result, Instant deadline);

  std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  bool broken_ = false;  ///< after a fatal error nothing more may be said
};

}  // namespace ecmp::net
