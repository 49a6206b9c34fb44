#include "stamp/reflector.hpp"

#include <algorithm>
#include <utility>

#include "base/names.hpp"
#include "stamp/reflected_tlvs.hpp"
#include "stamp/tlv.hpp"

namespace ecmp::stamp {

namespace {

constexpr std::uint16_t kFirstFreePort = 1024;
/// A time of our own that comes back within so long is taken for one.
constexpr Duration kOurs = std::chrono::minutes(1);
/// So many requests in a row that are far behind the highest: their sender has begun to count anew.
constexpr std::uint8_t kLateInARow = 8;

/// Where a reply has T1 of its request: our T3, when it answers a reply of ours.
constexpr std::size_t kOpenRequestSent = 28;
constexpr std::size_t kAuthenticatedRequestSent = 64;

void note(SessionTable& sessions, Session& session, std::uint32_t sequence) {
  ++session.requests;
  if (session.own.note(sequence)) {
    session.late_in_a_row = 0;
    return;
  }
  const bool in_bitmap = session.own.has(sequence).has_value();
  if (in_bitmap || ++session.late_in_a_row < kLateInARow) return;
  sessions.begin_epoch(session);
  session.own.note(sequence);
}

}  // namespace

std::string_view to_string(Refusal refusal) {
  constexpr auto kNames =
      std::to_array<std::string_view>({"too_short", "too_long", "source_port", "destination", "not_allowed", "rate",
                                       "malformed", "unauthenticated", "reply", "sessions", "send_failed", "overflow"});
  return name_at(kNames, refusal);
}

Reflector::Reflector(ReflectorSettings settings, std::size_t max_sessions, const SipKey& secret)
    : settings_(std::move(settings)), rates_(secret), sessions_(max_sessions, {secret[1], secret[0]}) {}

bool Reflector::is_own_port(std::uint16_t port) const {
  return std::find(settings_.own_ports.begin(), settings_.own_ports.end(), port) != settings_.own_ports.end();
}

/// Ports of reflectors are refused, but one may reflect on any port. What it makes of a reply of ours has our T3 where
/// a request has zeros, or the padding of TWAMP Light.
bool Reflector::is_reply_to_us(const Arrival& arrival) const {
  const std::size_t at = mode() == Mode::open ? kOpenRequestSent : kAuthenticatedRequestSent;
  if (arrival.payload.size() < at + 8) return false;
  const std::uint64_t bits = (std::uint64_t{load32(arrival.payload, at)} << 32) | load32(arrival.payload, at + 4);
  if (bits == 0) return false;  // a request's: not the moment in 2036 at which NTP's seconds begin anew
  const WallTime time = from_wire(bits, clock_.error.ptp, arrival.received);
  return std::chrono::abs(time - arrival.received) < kOurs;
}

/// Cheapest first, and nothing is remembered of a request before its source is known to be one that may send it.
std::optional<Refusal> Reflector::wrong_with(const Arrival& arrival) {
  const std::size_t least = mode() == Mode::open ? kTwampReplySize : kAuthenticatedSize;
  if (arrival.payload.size() < least) return Refusal::too_short;
  if (arrival.session.source_port < kFirstFreePort || is_own_port(arrival.session.source_port))
    return Refusal::source_port;
  if (arrival.to_many) return Refusal::destination;
  if (settings_.allowed && !settings_.allowed(arrival.session.source)) return Refusal::not_allowed;
  if (!rates_.take(arrival.session.source, settings_.packets_per_second_per_source, arrival.now)) return Refusal::rate;
  if (mode() == Mode::authenticated && !is_sealed(settings_.key, arrival.payload)) return Refusal::unauthenticated;
  if (is_reply_to_us(arrival)) return Refusal::reply;
  return std::nullopt;
}

std::variant<Answer, Refusal> Reflector::answer(const Arrival& arrival, WallTime sending, MutableBytes out) {
  sessions_.expire(arrival.now);
  if (const auto refusal = wrong_with(arrival)) return *refusal;
  const auto request = read_request(mode(), arrival.payload);
  if (!request) return Refusal::too_short;
  if (request->error.multiplier == 0) return Refusal::malformed;
  SessionKey key = arrival.session;
  key.ssid = request->ssid;
  const auto found = sessions_.find_or_begin(key, arrival.now);
  if (!found) return Refusal::sessions;
  Session& session = *found->session;
  note(sessions_, session, request->sequence);

  const Reply reply{.sequence = session.replies++,
                    .sent = to_wire(sending, clock_.error.ptp),
                    .error = clock_.error,
                    .ssid = request->ssid,
                    .received = to_wire(arrival.received, clock_.error.ptp),
                    .request_sequence = request->sequence,
                    .request_sent = request->sent,
                    .request_error = request->error,
                    .request_ttl = arrival.ttl};
  const std::size_t size = arrival.payload.size();
  const std::size_t base = base_size(mode());
  std::array<std::uint8_t, kAuthenticatedSize> written{};
  write(mode(), reply, written);
  std::copy_n(written.begin(), std::min(base, size), out.begin());
  Answer answer{.size = size,
                .traffic_class = static_cast<std::uint8_t>(arrival.traffic_class & ~3),
                .session = found->number,
                .sequence = reply.sequence};
  if (size > base) {
    const MutableBytes tlvs = out.subspan(base, size - base);
    std::copy(arrival.payload.begin() + static_cast<std::ptrdiff_t>(base), arrival.payload.end(), tlvs.begin());
    TlvFacts facts{key, session, arrival.traffic_class, clock_, session.own};
    const auto extensions =
        mode() == Mode::open ? Extensions::none : check_extensions(settings_.key, arrival.payload, base);
    // A reflector with a key traces the way back only for packets that were sealed with it.
    if (settings_.path_back && (mode() == Mode::open || extensions == Extensions::right))
      facts.own.back = path_back(arrival, key, tlvs);
    if (extensions == Extensions::wrong || extensions == Extensions::bare) {  // no HMAC of our key covers them
      refuse_tlvs(tlvs);
    } else {
      answer.traffic_class = answer_tlvs(tlvs, facts);
    }
    if (extensions == Extensions::right) {
      TlvReader reader(tlvs);
      while (const auto tlv = reader.next()) {
        if (tlv->type != tlv::kHmac) continue;
        tlvs[tlv->at] = 0;
        seal_extensions(settings_.key, out.first(size), base, base + tlv->at);
        break;
      }
    }
  }
  if (mode() == Mode::authenticated) seal(settings_.key, out);
  return answer;
}

std::optional<OwnTlv::Path> Reflector::path_back(const Arrival& arrival, const SessionKey& key, ByteView tlvs) const {
  TlvReader reader(tlvs);
  while (const auto tlv = reader.next()) {
    if (tlv->type != tlv::kOwn) continue;
    const auto asked = read_own_tlv(tlv->value);
    if (!asked || asked->back || asked->routers == 0) return std::nullopt;
    return settings_.path_back(key,
                               {.routers = asked->routers,
                                .payload = static_cast<std::uint16_t>(arrival.payload.size()),
                                .traffic_class = static_cast<std::uint8_t>(arrival.traffic_class & ~3)},
                               arrival.now);
  }
  return std::nullopt;
}

void Reflector::left(std::uint32_t session, std::uint32_t sequence, WallTime at) {
  Session* const known = sessions_.at(session);
  // R below the next one: a session that took this number since is younger than the reply.
  if (known == nullptr || known->replies == 0 || is_after(sequence, known->replies - 1)) return;
  known->left = at;
  known->left_sequence = sequence;
}

}  // namespace ecmp::stamp
