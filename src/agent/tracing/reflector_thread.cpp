#include "agent/tracing/reflector_thread.hpp"

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

#include "agent/log.hpp"
#include "agent/secret.hpp"
#include "net/host/regular_file.hpp"
#include "stamp/key.hpp"

namespace ecmp {
namespace {

/// The probing loop goes first, whoever floods us. Before the threads of HTTP, for a reply that waits is delay
/// measured.
constexpr int kNiceness = 5;
constexpr int kTurnMilliseconds = 1000;
/// Batches of one socket before another has its turn.
constexpr int kBatches = 8;
constexpr std::size_t kLongestKeyFile = std::size_t{64} << 10;

WallTime wall_now() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

bool same_place(const net::SocketAddress& bound, const ListenAddress& wanted) {
  if (bound.port != wanted.port) return false;
  return wanted.address ? bound.address == *wanted.address : bound.address.is_unspecified();
}

std::vector<std::uint16_t> ports_of(const std::vector<net::DatagramSocket>& sockets) {
  std::vector<std::uint16_t> ports;
  for (const net::DatagramSocket& socket : sockets)
    ports.push_back(socket.bound().port);
  return ports;
}

Result<stamp::ReflectorSettings> settings_of(const config::Reflector& config, std::vector<std::uint16_t> ports) {
  auto key = read_key_file(config.key_file);
  if (!key.ok()) return Error{key.error()};
  stamp::ReflectorSettings settings;
  settings.key = std::move(*key);
  settings.packets_per_second_per_source = config.packets_per_second_per_source;
  settings.own_ports = std::move(ports);
  if (!config.allow.empty() || config.only_allowed) {
    settings.allowed = [networks = config.allow](const IpAddress& address) {
      return std::ranges::any_of(networks, [&address](const auto& network) { return network.contains(address); });
    };
  }
  return settings;
}

/// What whoever looks after both ends can do about it; empty: nothing, or the counter says enough.
std::string_view why_refused(stamp::Refusal refusal, bool authenticated) {
  switch (refusal) {
    case stamp::Refusal::not_allowed:
      return "on no network of reflector.allow, and no agent of the mesh";
    case stamp::Refusal::unauthenticated:
      return "sent without our key, or with another one";
    case stamp::Refusal::too_short:
      return authenticated ? "shorter than 112 bytes, as of a sender without a key; we have one" : std::string_view();
    case stamp::Refusal::malformed:
      return authenticated ? std::string_view() : "an error estimate of 0, as of a sender with a key; we have none";
    case stamp::Refusal::sessions:
      return "reflector.max_sessions sessions go on";
    default:
      return {};
  }
}

}  // namespace

Result<std::vector<std::uint8_t>> read_key_file(const std::string& path) {
  if (path.empty()) return std::vector<std::uint8_t>();
  const auto text = net::read_regular_file(path, kLongestKeyFile);
  if (!text.ok()) return Error{path + ": " + text.error()};
  auto key = stamp::read_key(*text);
  if (!key.ok()) return Error{path + ": " + key.error()};
  return key;
}

Result<std::unique_ptr<ReflectorThread>> ReflectorThread::open(const config::Reflector& config,
                                                               std::vector<net::PassedSocket> passed) {
  std::vector<net::DatagramSocket> sockets;
  for (net::PassedSocket& one : passed) {
    const std::string name = "descriptor " + std::to_string(one.socket.get()) + " of systemd";
    auto socket = net::DatagramSocket::adopt(std::move(one.socket), name);
    if (!socket.ok()) return Error{socket.error()};
    sockets.push_back(std::move(*socket));
  }
  for (const std::string& text : config.listen_addresses) {
    const auto address = config::parse_listen_address(text);
    if (!address.ok()) return Error{text + ": " + address.error()};
    if (std::ranges::any_of(sockets, [&](const auto& socket) { return same_place(socket.bound(), *address); }))
      continue;
    auto socket = net::DatagramSocket::open(*address);
    if (!socket.ok()) return Error{socket.error()};
    sockets.push_back(std::move(*socket));
  }
  const std::size_t passed_sockets = passed.size();
  if (sockets.empty()) return std::unique_ptr<ReflectorThread>();
  auto settings = settings_of(config, ports_of(sockets));
  if (!settings.ok()) return Error{settings.error()};
  for (const net::DatagramSocket& socket : sockets)
    log::info("reflecting", {{"address", socket.bound().address.to_string()},
                             {"port", socket.bound().port},
                             {"mode", settings->key.empty() ? "open" : "authenticated"}});
  if (settings->key.empty() && !settings->allowed)
    log::warn("the reflector answers everybody: set reflector.allow or reflector.key_file");
  return std::unique_ptr<ReflectorThread>(
      new ReflectorThread(std::move(sockets), passed_sockets, std::move(*settings), config.max_sessions));
}

ReflectorThread::ReflectorThread(std::vector<net::DatagramSocket> sockets, std::size_t passed,
                                 stamp::ReflectorSettings settings, std::size_t max_sessions)
    : sockets_(std::move(sockets)),
      passed_(passed),
      tracer_(random_secret()),
      expiry_(net::ExpirySocket::open(ports_of(sockets_))),
      reflector_({}, max_sessions, random_secret()),
      reply_(net::DatagramBatch::kLongest),
      wanted_(sockets_.size(), true) {
  use(std::move(settings));
}

/// Whoever may be anybody is not traced: it would be a few packets to whatever address somebody writes into a request.
void ReflectorThread::use(stamp::ReflectorSettings settings) {
  if (settings.allowed) {
    settings.path_back = [this](const stamp::SessionKey& session, const stamp::BackAsked& asked,
                                Instant now) -> std::optional<stamp::OwnTlv::Path> {
      if (session.source.is_link_local()) return std::nullopt;
      return tracer_.ask(session, asked, now);
    };
  }
  reflector_.set(std::move(settings));
}

void ReflectorThread::start(ClockWatch& clock) {
  clock_ = &clock;
  thread_ = std::thread([this] { run(); });
}

void ReflectorThread::stop() {
  stop_.raise();
  if (thread_.joinable()) thread_.join();
}

void ReflectorThread::set(const config::Reflector& config) {
  auto settings = settings_of(config, ports_of(sockets_));
  if (!settings.ok()) {
    log::error("the reflector keeps its key and its list", {{"problem", settings.error()}});
    return;
  }
  std::vector<bool> wanted(sockets_.size(), true);
  for (std::size_t i = passed_; i < sockets_.size(); ++i) {
    wanted[i] = std::ranges::any_of(config.listen_addresses, [&](const std::string& text) {
      const auto address = config::parse_listen_address(text);
      return address && same_place(sockets_[i].bound(), *address);
    });
  }
  const std::lock_guard lock(mutex_);
  next_wanted_ = std::move(wanted);
  next_ = std::move(*settings);
  has_next_.store(true);
}

void ReflectorThread::take_settings() {
  if (!has_next_.load()) return;
  const std::lock_guard lock(mutex_);
  has_next_.store(false);
  if (next_) use(std::move(*next_));
  wanted_ = std::move(next_wanted_);
  explained_.fill(false);
  next_.reset();
}

ReflectorThread::Report ReflectorThread::report() const {
  Report report{.reflected = reflected_.load(), .sessions = sessions_.load()};
  std::ranges::transform(refused_, report.refused.begin(), [](const auto& count) { return count.load(); });
  return report;
}

/// One line for each reason, until other settings may have mended it: who asks is not for us to change.
void ReflectorThread::explain(stamp::Refusal refusal, const IpAddress& source) {
  const std::string_view why = why_refused(refusal, reflector_.authenticated());
  if (why.empty() || std::exchange(explained_[static_cast<std::size_t>(refusal)], true)) return;
  log::warn("a request was refused, and others may be: reflector_refused_total counts them",
            {{"reason", to_string(refusal)}, {"source", source.to_string()}, {"problem", why}});
}

void ReflectorThread::refuse(stamp::Refusal refusal, std::uint64_t count) {
  refused_[static_cast<std::size_t>(refusal)].fetch_add(count, std::memory_order_relaxed);
}

void ReflectorThread::run() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);
  std::vector<pollfd> descriptors;
  for (const net::DatagramSocket& socket : sockets_)
    descriptors.push_back({.fd = socket.descriptor(), .events = POLLIN, .revents = 0});
  descriptors.push_back({.fd = stop_.descriptor(), .events = POLLIN, .revents = 0});
  for (const int descriptor : expiry_.descriptors())
    descriptors.push_back({.fd = descriptor, .events = POLLIN, .revents = 0});
  while (!stop_.raised()) {
    ::poll(descriptors.data(), descriptors.size(), turn_milliseconds());
    take_settings();
    reflector_.set(stamp::ClockClaim::of(clock_->estimate()));
    for (std::size_t i = 0; i < sockets_.size(); ++i)
      if (descriptors[i].revents != 0) serve(sockets_[i], wanted_[i]);
    trace_back();
    reflector_.expire(net::monotonic_now());
    sessions_.store(reflector_.sessions());
  }
}

int ReflectorThread::turn_milliseconds() const {
  const Instant due = tracer_.next_due();
  if (due == Instant::max()) return kTurnMilliseconds;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - net::monotonic_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kTurnMilliseconds));
}

/// Takes in which routers were passed, and sends what is due.
void ReflectorThread::trace_back() {
  const Instant now = net::monotonic_now();
  expiry_.receive([&](const packet::IcmpError& error) {
    const FiveTuple& tuple = error.quote.tuple;
    tracer_.on_expired({tuple.destination, tuple.source, tuple.destination_port, tuple.source_port, 0},
                       error.quote.payload, error.from, now);
  });
  std::vector<std::uint8_t> bytes;
  while (const auto probe = tracer_.next(now)) {
    const stamp::SessionKey& session = probe->session;
    const auto socket = std::ranges::find_if(sockets_, [&](const net::DatagramSocket& one) {
      const net::SocketAddress& bound = one.bound();
      return bound.port == session.destination_port &&
             (bound.address.is_unspecified() || bound.address == session.destination);
    });
    if (socket == sockets_.end() || probe->payload < probe->mark.size()) continue;
    bytes.assign(probe->payload, 0);
    std::ranges::copy(probe->mark, bytes.begin());
    net::ReceivedDatagram to;
    to.source = session.source;
    to.source_port = session.source_port;
    to.destination = session.destination;
    // What cannot be sent is a router that kept quiet: it is asked again.
    (void)socket->answer(to, bytes, probe->traffic_class, probe->ttl);
  }
}

void ReflectorThread::serve(net::DatagramSocket& socket, bool wanted) {
  for (int i = 0; i < kBatches; ++i) {
    const auto received = socket.receive(batch_);
    for (const net::ReceivedDatagram& datagram : received) {
      if (datagram.cut) {
        refuse(stamp::Refusal::too_long);
        continue;
      }
      if (!wanted) {
        refuse(stamp::Refusal::not_allowed);
        continue;
      }
      const WallTime sending = wall_now();
      const auto outcome = reflector_.answer(
          {.payload = datagram.bytes,
           .session = {datagram.source, datagram.destination, datagram.source_port, socket.bound().port, 0},
           .ttl = datagram.ttl,
           .traffic_class = datagram.traffic_class,
           .to_many = datagram.to_many,
           .now = net::monotonic_now(),
           .received = datagram.received == WallTime() ? sending : datagram.received},
          sending, reply_);
      if (const auto* refusal = std::get_if<stamp::Refusal>(&outcome)) {
        refuse(*refusal);
        explain(*refusal, datagram.source);
        continue;
      }
      const auto& answer = std::get<stamp::Answer>(outcome);
      if (!socket.answer(datagram, ByteView(reply_).first(answer.size), answer.traffic_class)) {
        refuse(stamp::Refusal::send_failed);
        continue;
      }
      reflector_.left(answer.session, answer.sequence, wall_now());
      reflected_.fetch_add(1, std::memory_order_relaxed);
    }
    refuse(stamp::Refusal::overflow, socket.take_overflow());
    if (received.size() < net::DatagramBatch::kMost) return;
  }
}

}  // namespace ecmp
