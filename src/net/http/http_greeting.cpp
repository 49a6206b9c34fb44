#include "net/http/http_greeting.hpp"

#include <utility>

#include "net/http/tls_wire.hpp"

namespace ecmp::net {

std::unique_ptr<Wire> open_wire(HttpService& service, OwnedSocket socket) {
  auto tls = service.gate != nullptr ? service.gate->tls() : nullptr;
  if (tls == nullptr) return std::make_unique<PlainWire>(std::move(socket), service.stop);
  return std::make_unique<TlsWire>(std::move(socket), service.stop, std::move(tls));
}

bool greet_client(HttpService& service, Wire& wire, const std::shared_ptr<ClientPlace>& place) {
  auto* const tls = dynamic_cast<TlsWire*>(&wire);
  if (tls == nullptr) return true;
  place->enter(ClientPlace::Stage::greeting);
  const auto take_turn = [&](Instant deadline) {
    return FairPlaces::take(service.handshakes, {.client = place->client(), .place = place, .stays = true}, deadline,
                            &service.stop);
  };
  const Duration patience = place->health_only() ? service.limits.reserved_timeout : service.limits.head_timeout;
  switch (tls->greet(monotonic_now() + patience, take_turn)) {
    case TlsWire::Greeting::done:
      return true;
    case TlsWire::Greeting::plain_http:
      ++service.tally.tls_failures;
      service.tally.answered(400);
      tls->refuse_plainly(http_refusal(400, "this is an HTTPS server: use https://"), monotonic_now() + kFarewell);
      return false;
    case TlsWire::Greeting::refused:
      ++service.tally.tls_failures;
      tls->finish(monotonic_now() + kFarewell);  // the peer reads why
      return false;
    case TlsWire::Greeting::timeout:
      ++service.tally.tls_failures;
      return false;
    case TlsWire::Greeting::stopped:
      return false;
  }
  return false;
}

}  // namespace ecmp::net
