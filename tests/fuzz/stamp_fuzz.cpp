// Requests of any bytes to a reflector, one after the other, so that they meet sessions that earlier ones made; and the
// readers of a sender with the same bytes. The first byte: bit 0 the authenticated mode, bit 1 seals what is asked, for
// a fuzzer does not guess an HMAC. Then requests: the lowest byte of their source's address and port, their size, their
// bytes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "stamp/reflector.hpp"
#include "stamp/reverse_tracer.hpp"
#include "stamp/tlv.hpp"

namespace {

using namespace ecmp;
using namespace ecmp::stamp;

constexpr std::size_t kMostSessions = 16;

void require(bool holds) {
  if (!holds) std::abort();
}

void read_as_sender(ByteView bytes) {
  for (const Mode mode : {Mode::open, Mode::authenticated}) {
    if (const auto reply = read_reply(mode, bytes)) from_wire(reply->received, reply->error.ptp, WallTime());
    if (bytes.size() < base_size(mode)) continue;
    const ByteView tlvs = bytes.subspan(base_size(mode));
    if (const auto own = find_answered(tlvs, tlv::kOwn)) {
      if (const auto read = read_own_tlv(own->value)) {
        require(read->received == 0 || read->has(read->highest));
        require(!read->back || read->back->hop <= read->back->hops);
      }
    }
    check_extensions(bytes.first(4), bytes, base_size(mode));
  }
}

/// Types and lengths stay where they are: a reply is filled in, not rearranged.
void same_shape(ByteView request, ByteView reply) {
  TlvReader asked(request);
  TlvReader answered(reply);
  while (const auto tlv = asked.next()) {
    const auto other = answered.next();
    require(other && other->at == tlv->at && other->type == tlv->type && other->value.size() == tlv->value.size());
  }
  require(!answered.next());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const Mode mode = (data[0] & 1) != 0 ? Mode::authenticated : Mode::open;
  const bool sealed = (data[0] & 2) != 0;
  const std::vector<std::uint8_t> key = {1, 2, 3};
  ReflectorSettings settings{.packets_per_second_per_source = 1000, .own_ports = {10862}};
  if (mode == Mode::authenticated) settings.key = key;
  ReverseTracer tracer({3, 4});
  settings.path_back = [&tracer](const SessionKey& session, const BackAsked& asked, Instant at) {
    return tracer.ask(session, asked, at);
  };
  Reflector reflector(settings, kMostSessions, {1, 2});

  ByteView left(data + 1, size - 1);
  Instant now{std::chrono::hours(1)};
  while (left.size() >= 3) {
    const std::uint8_t source = left[0];
    const std::uint8_t port = left[1];
    const std::size_t length = std::min<std::size_t>(left[2], left.size() - 3);
    std::vector<std::uint8_t> request(left.begin() + 3, left.begin() + 3 + static_cast<std::ptrdiff_t>(length));
    request.shrink_to_fit();
    left = left.subspan(3 + length);
    if (sealed && request.size() >= kAuthenticatedSize) seal(key, request);
    read_as_sender(request);

    now += std::chrono::milliseconds(port);
    std::vector<std::uint8_t> reply(request.size());
    const auto outcome = reflector.answer({.payload = request,
                                           .session = {IpAddress::v4(0xc6336400 + source), IpAddress::v4(0xc0000201),
                                                       static_cast<std::uint16_t>(0x2a00 + port), 10862, 0},
                                           .traffic_class = source,
                                           .now = now,
                                           .received = WallTime(std::chrono::seconds(1'767'225'600))},
                                          WallTime(std::chrono::seconds(1'767'225'600)), reply);
    require(reflector.sessions() <= kMostSessions);
    require(tracer.sessions() <= ReverseTracer::kMostSessions);
    if (const auto probe = tracer.next(now)) {
      require(probe->ttl >= 1 && probe->ttl <= ReverseTracer::kMostRouters);
      require(!tracer.on_expired(probe->session, request, IpAddress::v4(0x0a000000 + source), now));
      if ((source & 1) != 0) tracer.on_expired(probe->session, probe->mark, IpAddress::v4(0x0a000000 + source), now);
    }
    const auto* answer = std::get_if<Answer>(&outcome);
    if (answer == nullptr) continue;
    require(answer->size == request.size());
    reflector.left(answer->session, answer->sequence, WallTime(std::chrono::seconds(1)));
    const auto read = read_reply(mode, reply);
    require(read && read->sequence == answer->sequence && read->request_sequence == load32(request, 0));
    if (mode == Mode::authenticated) require(is_sealed(key, reply));
    if (request.size() <= base_size(mode)) continue;
    same_shape(ByteView(request).subspan(base_size(mode)), ByteView(reply).subspan(base_size(mode)));
  }
  return 0;
}
