#include "net/resolver.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
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

#include "net/http_socket.hpp"
#include "net/resolver_reply.hpp"

namespace ecmp::net {

namespace {

constexpr int kTypePtr = 12;
constexpr int kClassInternet = 1;
constexpr std::size_t kLongestName = 255;

DnsFailure failure_of(int status) {
  switch (status) {
    case ARES_SUCCESS:
      return DnsFailure::none;
    case ARES_ENOTFOUND:
      return DnsFailure::not_found;
    case ARES_ENODATA:
      return DnsFailure::no_data;
    case ARES_ETIMEOUT:
      return DnsFailure::timeout;
    case ARES_ESERVFAIL:
    case ARES_EREFUSED:
    case ARES_ECONNREFUSED:
      return DnsFailure::server_failure;
    case ARES_EBADRESP:
    case ARES_EFORMERR:
      return DnsFailure::bad_reply;
    case ARES_EBADNAME:
      return DnsFailure::bad_name;
    default:
      return DnsFailure::other;
  }
}

struct AddressRequest {
  std::string name;
  NameFamily family = NameFamily::any;
  auto operator<=>(const AddressRequest&) const = default;
};

using Request = std::variant<AddressRequest, IpAddress>;

/// So many per second, as many as that at once.
class TokenBucket {
 public:
  TokenBucket(double per_second, Instant now) : per_second_(per_second), tokens_(most()), filled_(now) {}

  bool take(Instant now) {
    tokens_ = std::min(most(), tokens_ + std::chrono::duration<double>(now - filled_).count() * per_second_);
    filled_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
  }

  /// From now until there is one, after take() has said no.
  [[nodiscard]] Duration wait() const {
    return std::chrono::ceil<Duration>(std::chrono::duration<double>((1 - tokens_) / per_second_));
  }

 private:
  [[nodiscard]] double most() const { return std::max(1.0, per_second_ / 10); }

  double per_second_;
  double tokens_;
  Instant filled_;
};

int family_number(NameFamily family) {
  return family == NameFamily::ipv4 ? AF_INET : family == NameFamily::ipv6 ? AF_INET6 : AF_UNSPEC;
}

}  // namespace

std::string_view to_string(DnsFailure failure) {
  switch (failure) {
    case DnsFailure::none:
      return "none";
    case DnsFailure::not_found:
      return "NXDOMAIN";
    case DnsFailure::no_data:
      return "no such record";
    case DnsFailure::timeout:
      return "timeout";
    case DnsFailure::server_failure:
      return "server failure";
    case DnsFailure::bad_reply:
      return "bad reply";
    case DnsFailure::bad_name:
      return "bad name";
    case DnsFailure::other:
    case DnsFailure::count_:
      break;
  }
  return "other";
}

/// The queues, which others share under the mutex, and the thread, which alone touches the c-ares channel.
class Resolver::Worker {
 public:
  Worker(ResolverOptions options, std::function<void()> wake)
      : options_(std::move(options)), wake_(std::move(wake)), bucket_(options_.names_per_second, monotonic_now()) {}
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  ~Worker() {
    stop();
    if (channel_ != nullptr) ares_destroy(channel_);
  }

  /// One line of what is wrong, or nothing.
  std::optional<Error> set_up() {
    static const int library = ares_library_init(ARES_LIB_INIT_ALL);
    ares_options wanted{};
    wanted.timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(options_.timeout).count());
    wanted.tries = options_.tries;
    std::string files_then_dns = "fb";  // whatever /etc/nsswitch.conf holds: c-ares knows half of what may stand there
    wanted.lookups = files_then_dns.data();
    wanted.sock_state_cb = [](void* worker, ares_socket_t socket, int readable, int writable) {
      static_cast<Worker*>(worker)->watch(socket, readable != 0, writable != 0);
    };
    wanted.sock_state_cb_data = this;
    int status = library;
    if (status == ARES_SUCCESS) {
      status = ares_init_options(&channel_, &wanted,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB);
    }
    if (status == ARES_SUCCESS && !options_.servers.empty()) {
      status = ares_set_servers_ports_csv(channel_, options_.servers.c_str());
    }
    if (status != ARES_SUCCESS) return Error{std::string("cannot set up the resolver: ") + ares_strerror(status)};
    return std::nullopt;
  }

  bool request(Request request) {
    {
      const std::lock_guard lock(mutex_);
      if (pending_.contains(request)) return true;
      if (full()) return false;
      start();
      auto& queue = std::holds_alternative<IpAddress>(request) ? names_ : addresses_;
      queue.push_back(request);
      pending_.insert(std::move(request));
    }
    nudge();
    return true;
  }

  /// An answer without a query.
  bool answer_at_once(AddressAnswer answer) {
    {
      const std::lock_guard lock(mutex_);
      if (full()) return false;
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
  };

  /// With the mutex held. Not before there is something to do: what the process may do is settled by then, and the
  /// kernel keeps capabilities per thread.
  void start() {
    if (!thread_.joinable() && !stop_.raised()) thread_ = std::thread([this] { run(); });
  }

  /// With the mutex held.
  bool full() {
    const bool is_full = pending_.size() + answers_.addresses.size() + answers_.names.size() >= options_.max_waiting;
    if (is_full) ++counters_.refused;
    return is_full;
  }

  void run() {
    while (!stop_.raised()) {
      const Duration pause = start_queries();
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
    constexpr Duration kLong = std::chrono::seconds(60);
    while (in_flight_ < options_.max_in_flight) {
      std::optional<Request> next = take_request(addresses_);
      if (!next) {
        const std::unique_lock lock(mutex_);
        if (names_.empty()) return kLong;
        if (!bucket_.take(monotonic_now())) return bucket_.wait();
        next = std::move(names_.front());
        names_.pop_front();
      }
      start(std::move(*next));
    }
    return kLong;  // an answer makes room, and wakes the loop
  }

  std::optional<Request> take_request(std::deque<Request>& queue) {
    const std::lock_guard lock(mutex_);
    if (queue.empty()) return std::nullopt;
    std::optional<Request> request = std::move(queue.front());
    queue.pop_front();
    return request;
  }

  void start(Request request) {
    {
      const std::lock_guard lock(mutex_);
      ++counters_.queries;
    }
    ++in_flight_;
    auto* query = new Query{*this, std::move(request)};  // owned by the call-back
    if (const auto* wanted = std::get_if<AddressRequest>(&query->request)) {
      // The call-back may come at once and take the query with it: names and hints must not be part of it.
      const std::string name = wanted->name;
      ares_addrinfo_hints hints{};
      hints.ai_family = family_number(wanted->family);
      ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, on_addresses, query);
    } else {
      const std::string name = reverse_query_name(std::get<IpAddress>(query->request));
      ares_query(channel_, name.c_str(), kClassInternet, kTypePtr, on_name, query);
    }
  }

  static void on_addresses(void* argument, int status, int /*timeouts*/, ares_addrinfo* found) {
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> owner(found, &ares_freeaddrinfo);
    auto& [name, family] = std::get<AddressRequest>(query->request);
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
    answer.ttl = std::chrono::seconds(std::max(ttl.value_or(0), 0));
    if (answer.failure == DnsFailure::none && answer.addresses.empty()) answer.failure = DnsFailure::no_data;
    query->worker.finish(query->request, status, answer.failure,
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
    query->worker.finish(query->request, status, answer.failure,
                         [&answer](DnsAnswers& answers) { answers.names.push_back(std::move(answer)); });
  }

  template <typename Store>
  void finish(const Request& request, int status, DnsFailure failure, Store store) {
    --in_flight_;
    if (status == ARES_EDESTRUCTION || status == ARES_ECANCELLED) return;  // stopped
    answered_ = true;
    const std::lock_guard lock(mutex_);
    pending_.erase(request);
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

  mutable std::mutex mutex_;  // of the next five; held for moments only
  std::deque<Request> addresses_;
  std::deque<Request> names_;
  std::set<Request> pending_;  // queued or in flight
  DnsAnswers answers_;
  DnsCounters counters_;
  std::atomic<bool> answered_ = false;  // something was put into answers_, and nobody was woken for it yet

  // Of the thread.
  ares_channel channel_ = nullptr;
  std::map<ares_socket_t, short> watched_;
  std::size_t in_flight_ = 0;
  TokenBucket bucket_;
  std::thread thread_;
};

Resolver::Resolver(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
Resolver::~Resolver() = default;

Result<std::unique_ptr<Resolver>> Resolver::make(ResolverOptions options, std::function<void()> wake) {
  auto worker = std::make_unique<Worker>(std::move(options), std::move(wake));
  if (auto failure = worker->set_up()) return std::move(*failure);
  return std::unique_ptr<Resolver>(new Resolver(std::move(worker)));
}

bool Resolver::request_addresses(std::string_view name, NameFamily family) {
  // c-ares takes C strings: a NUL inside would ask for another name.
  if (name.empty() || name.size() > kLongestName || name.find('\0') != std::string_view::npos) {
    return worker_->answer_at_once({std::string(name), family, DnsFailure::bad_name, {}, {}});
  }
  // c-ares 1.18 asks the DNS for "192.0.2.7" when any family will do.
  if (const auto literal = IpAddress::parse(name)) {
    const bool fits = family == NameFamily::any || (family == NameFamily::ipv4) == literal->is_v4();
    AddressAnswer answer{std::string(name), family, fits ? DnsFailure::none : DnsFailure::no_data, {}, {}};
    if (fits) answer.addresses.push_back(*literal);
    return worker_->answer_at_once(std::move(answer));
  }
  return worker_->request(AddressRequest{std::string(name), family});
}

bool Resolver::request_name(const IpAddress& address) {
  return worker_->request(address);
}

DnsAnswers Resolver::take_answers() {
  return worker_->take();
}

DnsCounters Resolver::counters() const {
  return worker_->counters();
}

void Resolver::stop() {
  worker_->stop();
}

}  // namespace ecmp::net
