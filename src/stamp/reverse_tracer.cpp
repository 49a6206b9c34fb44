#include "stamp/reverse_tracer.hpp"

#include <algorithm>
#include <utility>

namespace ecmp::stamp {
namespace {

constexpr Duration kApart(static_cast<Duration::rep>(1e9 / ReverseTracer::kProbesPerSecond));
/// Not secret: ids are for people.
constexpr SipKey kIdKey{0x65636d7020626163, 0x6b2070617468206b};

std::vector<std::uint8_t> bytes_of(const SessionKey& session) {
  std::vector<std::uint8_t> bytes;
  for (const IpAddress* const address : {&session.source, &session.destination})
    bytes.insert(bytes.end(), address->bytes().begin(), address->bytes().end());
  for (const std::uint16_t port : {session.source_port, session.destination_port}) {
    bytes.push_back(static_cast<std::uint8_t>(port >> 8));
    bytes.push_back(static_cast<std::uint8_t>(port));
  }
  return bytes;
}

}  // namespace

std::uint32_t path_id_of(const std::vector<IpAddress>& routers) {
  std::vector<std::uint8_t> bytes;
  for (const IpAddress& router : routers) {
    const bool known = !router.is_unspecified();
    bytes.push_back(known ? static_cast<std::uint8_t>(router.bytes().size()) : std::uint8_t{0});
    if (known) bytes.insert(bytes.end(), router.bytes().begin(), router.bytes().end());
  }
  const auto id = static_cast<std::uint32_t>(siphash(kIdKey, bytes));
  return id == 0 ? 1 : id;
}

std::size_t ReverseTracer::Hash::operator()(const SessionKey& session) const {
  return static_cast<std::size_t>(siphash(key, bytes_of(session)));
}

std::array<std::uint8_t, 8> ReverseTracer::mark_of(const SessionKey& session, std::uint32_t probe) const {
  auto bytes = bytes_of(session);
  bytes.resize(bytes.size() + 4);
  store32(MutableBytes(bytes).last(4), 0, probe);
  const std::uint64_t hash = siphash({secret_[1], secret_[0]}, bytes);
  std::array<std::uint8_t, 8> mark{};
  store32(mark, 0, static_cast<std::uint32_t>(hash >> 32));
  store32(mark, 4, static_cast<std::uint32_t>(hash));
  return mark;
}

void ReverseTracer::put_off(const SessionKey& session, Traced& traced, Instant until) {
  traced.due = until;
  queue_.push({until, session});
}

std::optional<OwnTlv::Path> ReverseTracer::ask(const SessionKey& of, const BackAsked& asked, Instant now) {
  if (asked.routers == 0 || asked.routers > kMostRouters) return std::nullopt;
  const SessionKey session = without_ssid(of);
  auto found = sessions_.find(session);
  if (found == sessions_.end()) {
    if (sessions_.size() >= kMostSessions) return std::nullopt;
    found = sessions_.try_emplace(session).first;
    put_off(session, found->second, now);
  }
  Traced& traced = found->second;
  traced.asked_at = now;
  if (traced.asked.routers != asked.routers) {
    // Another way, or its length was not known for sure: what is behind the end was none of this path.
    traced.routers.resize(asked.routers);
    traced.next = std::min(traced.next, asked.routers);
    if (traced.id != 0) publish(traced);
  }
  traced.asked = asked;
  if (traced.id == 0) return std::nullopt;
  if (traced.reported >= traced.published.size()) traced.reported = 0;
  const std::uint8_t next = traced.reported++;
  return OwnTlv::Path{.id = traced.id,
                      .hops = static_cast<std::uint8_t>(traced.published.size()),
                      .hop = static_cast<std::uint8_t>(next + 1),
                      .address = traced.published[next]};
}

void ReverseTracer::publish(Traced& traced) {
  traced.published.clear();
  bool known = false;
  for (const Router& router : traced.routers) {
    traced.published.push_back(router.address);
    known = known || !router.address.is_unspecified();
  }
  traced.id = known ? path_id_of(traced.published) : 0;
}

std::optional<BackProbe> ReverseTracer::next(Instant now) {
  while (!queue_.empty() && queue_.top().at <= now && sent_until_ <= now) {
    const Due due = queue_.top();
    queue_.pop();
    const auto found = sessions_.find(due.session);
    if (found == sessions_.end() || found->second.due != due.at) continue;
    Traced& traced = found->second;
    if (now - traced.asked_at > kForget) {
      sessions_.erase(found);
      continue;
    }
    traced.waits = false;
    while (traced.next < traced.routers.size()) {
      const Router& router = traced.routers[traced.next];
      const bool sure = !router.address.is_unspecified() && router.other.is_unspecified();
      if (!sure || router.heard == Instant::min() || now - router.heard >= kRefresh) break;
      ++traced.next;
    }
    if (traced.next >= traced.routers.size()) {
      publish(traced);
      traced.next = 0;
      put_off(due.session, traced, now + kTurn);
      continue;
    }
    const std::uint8_t ttl = ++traced.next;
    traced.waits = true;
    put_off(due.session, traced, now + kPatience);
    sent_until_ = std::max(sent_until_, now - 10 * kApart) + kApart;
    return BackProbe{.session = due.session,
                     .ttl = ttl,
                     .payload = traced.asked.payload,
                     .traffic_class = traced.asked.traffic_class,
                     .mark = mark_of(due.session, ++traced.probes)};
  }
  return std::nullopt;
}

Instant ReverseTracer::next_due() const {
  return queue_.empty() ? Instant::max() : std::max(queue_.top().at, sent_until_);
}

bool ReverseTracer::on_expired(const SessionKey& of, ByteView quoted, const IpAddress& from, Instant now) {
  const SessionKey session = without_ssid(of);
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return false;
  Traced& traced = found->second;
  if (!traced.waits || traced.next == 0 || traced.next > traced.routers.size()) return false;
  const auto mark = mark_of(session, traced.probes);
  if (quoted.size() < mark.size() || !std::equal(mark.begin(), mark.end(), quoted.begin())) return false;
  if (from.is_unspecified() || from.is_v4() != session.source.is_v4() || from == session.source) return false;
  traced.waits = false;
  Router& router = traced.routers[traced.next - 1u];
  router.heard = now;
  if (router.address.is_unspecified() || router.address == from || router.other == from) {
    router.address = from;
    router.other = IpAddress();
  } else {
    router.other = from;
  }
  put_off(session, traced, now);
  return true;
}

}  // namespace ecmp::stamp
