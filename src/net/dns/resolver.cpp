#include "net/dns/resolver.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <deque>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <variant>

// c-ares 1.28 marks what 1.18 has no successor for.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/dns/fair_queue.hpp"
#include "net/dns/resolver_file.hpp"
#include "net/dns/resolver_reply.hpp"
#include "net/dns/resolver_request.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

namespace {

constexpr int kTypePtr = 12;
constexpr int kClassInternet = 1;
constexpr std::size_t kLongestName = 255;
constexpr Duration kLookEvery = std::chrono::seconds(1);  // at resolv.conf
constexpr std::size_t kLargestFile = 64u << 10;

}  // namespace

/// The queues, which others share under the mutex, and the thread, which alone touches the c-ares channel.
class Resolver::Worker {
 public:
  Worker(ResolverOptions options, std::function<void()> wake)
      : options_(std::move(options)),
        wake_(std::move(wake)),
        names_bucket_(bucket_of(options_.names_per_second)),
        addresses_bucket_(bucket_of(options_.addresses_per_second)),
        file_(options_.resolv_conf) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  ~Worker() {
    stop();
    for (ares_channel channel : {channel_, hosts_})
      if (channel != nullptr) ares_destroy(channel);
  }

  /// One line of what is wrong, or nothing.
  std::optional<Error> set_up() {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    int status = library;
    if (status == ARES_SUCCESS) status = open(hosts_, "f");
    if (status == ARES_SUCCESS) status = open(channel_, "b");
    if (status != ARES_SUCCESS) return Error{std::string("cannot set up the resolver: ") + ares_strerror(status)};
    return std::nullopt;
  }

  bool request(Request request) {
    {
      const std::lock_guard lock(mutex_);
      if (pending_.contains(request)) return true;
      const auto kind = static_cast<std::size_t>(kind_of(request));
      if (full(pending_of_[kind])) return false;
      start();
      ++pending_of_[kind];
      arrived_.push_back(request);
      pending_.insert(std::move(request));
    }
    nudge();
    return true;
  }

  /// An answer without a query.
  bool answer_at_once(AddressAnswer answer) {
    {
      const std::lock_guard lock(mutex_);
      if (full(0)) return false;
      start();
      if (answer.failure != DnsFailure::none) ++counters_.failures[static_cast<std::size_t>(answer.failure)];
      answers_.addresses.push_back(std::move(answer));
      answered_ = true;
    }
    nudge();
    return true;
  }

  DnsAnswers take() {
    DnsAnswers taken;
    const std::lock_guard lock(mutex_);
    std::swap(taken, answers_);
    return taken;
  }

  std::uint64_t server_changes() const {
    const std::lock_guard lock(mutex_);
    return server_changes_;
  }

  DnsCounters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stop_.raise();
    }
    if (thread_.joinable()) thread_.join();
  }

 private:
  /// What a query under way belongs to; c-ares calls back exactly once for each, also when it is destroyed.
  struct Query {
    Worker& worker;
    Request request;
    bool of_hosts = false;  ///< /etc/hosts is asked
  };

  /// What of /etc/nsswitch.conf holds is not asked: c-ares knows half of what may stand there.
  int open(ares_channel& channel, std::string lookups) {
    ares_options wanted{};
    wanted.timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(options_.timeout).count());
    wanted.tries = options_.tries;
    wanted.lookups = lookups.data();
    wanted.sock_state_cb = [](void* worker, ares_socket_t socket, int readable, int writable) {
      static_cast<Worker*>(worker)->watch(socket, readable != 0, writable != 0);
    };
    wanted.sock_state_cb_data = this;
    constexpr int kChosen = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB;
#ifdef ARES_OPT_QUERY_CACHE
    // Since 1.31 c-ares answers from a cache of its own for up to an hour (ares_init_options(3)). Here when a name is
    // asked for again is a matter of the configuration.
    wanted.qcache_max_ttl = 0;
    int status = ares_init_options(&channel, &wanted, kChosen | ARES_OPT_QUERY_CACHE);
#else
    int status = ares_init_options(&channel, &wanted, kChosen);
#endif
    if (status == ARES_SUCCESS && !options_.servers.empty())
      status = ares_set_servers_ports_csv(channel, options_.servers.c_str());
    return status;
  }

  /// Takes up other name servers. What the old ones were asked is asked anew.
  void follow_servers() {
    const Instant now = monotonic_now();
    if (now < look_at_) return;
    look_at_ = now + kLookEvery;
    if (!std::exchange(looked_, true)) warn_of_servers();
    if (!file_.changed()) return;
    ares_channel fresh = nullptr;
    if (open(fresh, "b") != ARES_SUCCESS) return;  // out of memory: the old ones stay
    std::swap(channel_, fresh);
    ares_destroy(fresh);  // gives back what is under way, see finish()
    {
      const std::lock_guard lock(mutex_);
      ++server_changes_;
    }
    warn_of_servers();
    if (wake_) wake_();
  }

  void warn_of_servers() const {
    if (!options_.warn) return;
    std::ifstream file(options_.resolv_conf);
    std::string text(kLargestFile, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    for (const std::string& server : servers_with_zone(text)) {
      const std::size_t zone = server.find('%');
      const std::string named = "name server " + server + " of " + file_.path() + " is not used: ";
      if (zone == std::string::npos) {
        options_.warn(named + "a link-local address needs a zone, as in fe80::1%eth0");
      } else if (!asks(*IpAddress::parse(std::string_view(server).substr(0, zone)))) {
        options_.warn(named + "this version of c-ares passes over addresses with a zone");
      }
    }
  }

  /// Whether an address is among those of the name servers, as c-ares has read them.
  [[nodiscard]] bool asks(const IpAddress& address) const {
    ares_addr_port_node* servers = nullptr;
    if (ares_get_servers_ports(channel_, &servers) != ARES_SUCCESS) return false;
    const std::unique_ptr<ares_addr_port_node, decltype(&ares_free_data)> owner(servers, &ares_free_data);
    for (; servers != nullptr; servers = servers->next) {
      const ByteView bytes(reinterpret_cast<const std::uint8_t*>(&servers->addr), address.bytes().size());
      if ((servers->family == AF_INET) == address.is_v4() && std::ranges::equal(bytes, address.bytes())) return true;
    }
    return false;
  }

  /// With the mutex held. Not before there is something to do: what the process may do is settled by then, and the
  /// kernel keeps capabilities per thread.
  void start() {
    if (!thread_.joinable() && !stop_.raised()) thread_ = std::thread([this] { run(); });
  }

  /// With the mutex held. `pending`: requests of the same kind. Those of another kind leave it its room.
  bool full(std::size_t pending) {
    const bool is_full = std::max(pending, answers_.addresses.size() + answers_.names.size()) >= options_.max_waiting;
    if (is_full) ++counters_.refused;
    return is_full;
  }

  void run() {
    while (!stop_.raised()) {
      follow_servers();
      const Duration pause = std::min(start_queries(), kLookEvery);
      std::vector<pollfd> waiting = {{stop_.descriptor(), POLLIN, 0}, {news_.get(), POLLIN, 0}};
      for (const auto& [socket, events] : watched_) {
        waiting.push_back({socket, events, 0});
      }
      poll(waiting.data(), waiting.size(), patience(pause));
      std::uint64_t unused = 0;
      if (waiting[1].revents != 0) [[maybe_unused]]
        const ssize_t size = read(news_.get(), &unused, sizeof unused);

      bool any = false;
      for (std::size_t index = 2; index < waiting.size(); ++index) {
        const bool readable = (waiting[index].revents & (POLLIN | POLLERR | POLLHUP)) != 0;
        const bool writable = (waiting[index].revents & (POLLOUT | POLLERR | POLLHUP)) != 0;
        if (!readable && !writable) continue;
        any = true;
        ares_process_fd(channel_, readable ? waiting[index].fd : ARES_SOCKET_BAD,
                        writable ? waiting[index].fd : ARES_SOCKET_BAD);
      }
      if (!any) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // time-outs
      if (answered_.exchange(false) && wake_) wake_();
    }
  }

  /// Milliseconds to wait for: no longer than `pause`, or than c-ares wants for its time-outs.
  int patience(Duration pause) const {
    timeval longest{};
    const auto whole = std::chrono::floor<std::chrono::seconds>(pause);
    longest.tv_sec = whole.count();
    longest.tv_usec = std::chrono::floor<std::chrono::microseconds>(pause - whole).count();
    timeval chosen{};
    const timeval* left = ares_timeout(channel_, &longest, &chosen);
    return static_cast<int>(left->tv_sec * 1000 + (left->tv_usec + 999) / 1000);
  }

  void watch(ares_socket_t socket, bool readable, bool writable) {
    const auto events = static_cast<short>((readable ? POLLIN : 0) | (writable ? POLLOUT : 0));
    if (events == 0) {
      watched_.erase(socket);
    } else {
      watched_[socket] = events;
    }
  }

  /// Sends what the limits allow; how long until they allow more.
  Duration start_queries() {
    take_arrived();
    Duration pause = std::chrono::seconds(60);  // an answer makes room, and wakes the loop
    for (std::size_t kind = 0; kind < queues_.size(); ++kind) {
      TokenBucket* const bucket = kind == static_cast<std::size_t>(Kind::reverse)        ? &names_bucket_
                                  : kind == static_cast<std::size_t>(Kind::destinations) ? &addresses_bucket_
                                                                                         : nullptr;
      auto& queue = queues_[kind];
      while (queue.waiting() > 0 && queue.under_way() < options_.max_in_flight) {
        if (bucket != nullptr) {
          const Instant now = monotonic_now();
          const Duration wait = bucket->available(now) - now;
          if (wait > Duration(0)) {
            pause = std::min(pause, wait);
            break;
          }
          bucket->take(now);
        }
        start(std::move(*queue.pop()));
      }
    }
    return pause;
  }

  /// What /etc/hosts knows is answered here; the rest waits for its turn.
  void take_arrived() {
    for (;;) {
      Request request;
      {
        const std::lock_guard lock(mutex_);
        if (arrived_.empty()) return;
        request = std::move(arrived_.front());
        arrived_.pop_front();
      }
      const auto* wanted = std::get_if<AddressRequest>(&request);
      if (wanted == nullptr) {
        queue(std::move(request));
      } else {
        ask(hosts_, std::make_unique<Query>(Query{*this, request, true}));
      }
    }
  }

  void queue(Request request) {
    const std::string zone = zone_of(request);
    queues_[static_cast<std::size_t>(kind_of(request))].push(zone, std::move(request));
  }

  void start(Request request) {
    {
      const std::lock_guard lock(mutex_);
      ++counters_.queries;
    }
    auto query = std::make_unique<Query>(Query{*this, std::move(request)});
    if (std::holds_alternative<AddressRequest>(query->request)) return ask(channel_, std::move(query));
    const std::string name = reverse_query_name(std::get<IpAddress>(query->request));
    ares_query(channel_, name.c_str(), kClassInternet, kTypePtr, on_name, query.release());
  }

  static void ask(ares_channel channel, std::unique_ptr<Query> query) {
    // The call-back may come at once and take the query with it: names and hints must not be part of it.
    const AddressRequest wanted = std::get<AddressRequest>(query->request);
    ares_addrinfo_hints hints{};
    hints.ai_family = family_number(wanted.family);
    ares_getaddrinfo(channel, wanted.name.c_str(), nullptr, &hints, on_addresses, query.release());
  }

  static void on_addresses(void* argument, int status, int /*timeouts*/, ares_addrinfo* found) {
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(found, &ares_freeaddrinfo);
    const auto& [name, family, use] = std::get<AddressRequest>(query->request);
    if (query->of_hosts && status != ARES_SUCCESS) {
      if (status != ARES_EDESTRUCTION) query->worker.queue(std::move(query->request));
      return;
    }
    AddressAnswer answer{name, family, failure_of(status), {}, {}};
    std::optional<int> ttl;
    for (const ares_addrinfo_node* node = found == nullptr ? nullptr : found->nodes; node != nullptr;
         node = node->ai_next) {
      sockaddr_storage storage{};
      std::memcpy(&storage, node->ai_addr, std::min<std::size_t>(node->ai_addrlen, sizeof storage));
      const IpAddress address = read_socket_address(storage).address;
      if (std::ranges::find(answer.addresses, address) != answer.addresses.end()) continue;
      answer.addresses.push_back(address);
      ttl = std::min(ttl.value_or(node->ai_ttl), node->ai_ttl);
    }
    // That of the record which goes first; 0 where there is none.
    answer.ttl = std::chrono::seconds(std::max(ttl.value_or(0), 0));
    if (answer.failure == DnsFailure::none && answer.addresses.empty()) answer.failure = DnsFailure::no_data;
    query->worker.finish(*query, status, answer.failure,
                         [&answer](DnsAnswers& answers) { answers.addresses.push_back(std::move(answer)); });
  }

  static void on_name(void* argument, int status, int /*timeouts*/, unsigned char* bytes, int size) {
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    NameAnswer answer{std::get<IpAddress>(query->request), failure_of(status), {}, {}};
    if (answer.failure == DnsFailure::none) {
      const auto record = parse_ptr_reply(ByteView(bytes, static_cast<std::size_t>(size)));
      if (record) {
        answer.name = record->name;
        answer.ttl = std::chrono::seconds(record->ttl_seconds);
      } else {
        answer.failure = DnsFailure::bad_reply;
      }
    }
    query->worker.finish(*query, status, answer.failure,
                         [&answer](DnsAnswers& answers) { answers.names.push_back(std::move(answer)); });
  }

  template <typename Store>
  void finish(const Query& query, int status, DnsFailure failure, Store store) {
    const Request& request = query.request;
    if (!query.of_hosts) queues_[static_cast<std::size_t>(kind_of(request))].done(zone_of(request));
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) {
      if (!stop_.raised()) queue(request);  // other name servers were taken up
      return;
    }
    answered_ = true;
    const std::lock_guard lock(mutex_);
    pending_of_[static_cast<std::size_t>(kind_of(request))] -= pending_.erase(request);
    if (failure != DnsFailure::none) ++counters_.failures[static_cast<std::size_t>(failure)];
    store(answers_);
  }

  void nudge() {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the thread is woken anyway.
    [[maybe_unused]] const ssize_t size = write(news_.get(), &one, sizeof one);
  }

  const ResolverOptions options_;
  const std::function<void()> wake_;
  StopSignal stop_;
  OwnedSocket news_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};

  mutable std::mutex mutex_;  // of the next six; held for moments only
  std::deque<Request> arrived_;
  std::uint64_t server_changes_ = 0;
  std::set<Request> pending_;  // queued or in flight
  std::array<std::size_t, static_cast<std::size_t>(Kind::count_)> pending_of_{};
  DnsAnswers answers_;
  DnsCounters counters_;
  std::atomic<bool> answered_ = false;  // something was put into answers_, and nobody was woken for it yet

  // Of the thread.
  ares_channel channel_ = nullptr;
  ares_channel hosts_ = nullptr;  // asks /etc/hosts alone, and so never waits
  std::array<FairQueue<Request>, static_cast<std::size_t>(Kind::count_)> queues_;
  std::map<ares_socket_t, short> watched_;
  TokenBucket names_bucket_;
  TokenBucket addresses_bucket_;
  FileSignature file_;
  Instant look_at_{};
  bool looked_ = false;
  std::thread thread_;
};

Resolver::Resolver(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::make(ResolverOptions options, std::function<void()> wake) {
  auto worker = std::make_unique<Worker>(std::move(options), std::move(wake));
  if (auto failure = worker->set_up()) return std::move(*failure);
  return std::unique_ptr<Resolver>(new Resolver(std::move(worker)));
}

bool Resolver::request_addresses(std::string_view name, FamilyChoice family, NameUse use) {
  // c-ares takes C strings: a NUL inside would ask for another name.
  if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string_view::npos) {
    return worker_->answer_at_once({std::string(name), family, DnsFailure::bad_name, {}, {}});
  }
  // c-ares 1.18 asks the DNS for "192.0.2.7" when any family will do.
  if (const auto literal = IpAddress::parse(name)) {
    const bool fits = family == FamilyChoice::any || (family == FamilyChoice::ipv4) == literal->is_v4();
    AddressAnswer answer{std::string(name), family, fits ? DnsFailure::none : DnsFailure::no_data, {}, {}};
    if (fits) answer.addresses.push_back(*literal);
    return worker_->answer_at_once(std::move(answer));
  }
  return worker_->request(AddressRequest{std::string(name), family, use});
}

bool Resolver::request_name(const IpAddress& address) {
  return worker_->request(address);
}

DnsAnswers Resolver::take_answers() {
  return worker_->take();
}

std::uint64_t Resolver::server_changes() const {
  return worker_->server_changes();
}

DnsCounters Resolver::counters() const {
  return worker_->counters();
}

void Resolver::stop() {
  worker_->stop();
}

}  // namespace ecmp::net
