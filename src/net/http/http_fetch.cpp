#include "net/http/http_fetch.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <optional>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <vector>

#include "net/dns/resolver.hpp"
#include "net/host/file_descriptor.hpp"
#include "net/http/http_answer.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostAddresses = 8;

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string words(int error) {
  return std::generic_category().message(error);
}

std::string tls_words() {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* const reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return reason != nullptr ? reason : "the connection broke";
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (std::size_t j = 0; j < 4; ++j)
      text += i + j <= bytes.size() ? kDigits[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

/// One GET. Every wait ends with the time that is left, or when somebody wants it to stop.
class Fetch {
 public:
  Fetch(const Url& url, const FetchOptions& options)
      : url_(url), options_(options), deadline_(Clock::now() + options.timeout) {}

  Result<std::string> run() {
    std::vector<IpAddress> addresses;
    if (auto error = resolve(addresses)) return *error;
    if (auto error = connect(addresses)) return *error;
    if (auto error = send(request())) return *error;
    HttpAnswer answer(options_.largest);
    if (auto error = receive(answer)) return *error;
    if (answer.status() != 200) return Error{"the server answered with status " + std::to_string(answer.status())};
    if (answer.content_type() != "application/json")
      return Error{"the answer is not of type application/json, as http_sd has it"};
    if (!answer.content_encoding().empty() && answer.content_encoding() != "identity")
      return Error{"the answer is compressed, which was not asked for"};
    return answer.take_body();
  }

 private:
  enum class Wait : std::uint8_t { ready, late, stopped };

  Wait wait(int descriptor, short events) {
    std::array<pollfd, 2> descriptors{
        {{.fd = options_.stop, .events = POLLIN, .revents = 0}, {.fd = descriptor, .events = events, .revents = 0}}};
    while (true) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
      if (left <= 0) return Wait::late;
      // poll() leaves a negative descriptor alone.
      const int ready = ::poll(descriptors.data(), descriptors.size(), static_cast<int>(std::min<long>(left, 60'000)));
      if (ready < 0 && errno != EINTR) return Wait::late;
      if (ready <= 0) continue;
      return descriptors[0].revents != 0 ? Wait::stopped : Wait::ready;
    }
  }

  std::optional<Error> expect(Wait waited) const {
    if (waited == Wait::late) return Error{"no answer within the timeout"};
    if (waited == Wait::stopped) return Error{"stopped"};
    return std::nullopt;
  }

  std::optional<Error> resolve(std::vector<IpAddress>& addresses) {
    if (const auto address = IpAddress::parse(url_.host)) {
      addresses.push_back(*address);
      return std::nullopt;
    }
    auto resolver = Resolver::make({});
    if (!resolver.ok()) return Error{resolver.error()};
    (*resolver)->request_addresses(url_.host, FamilyChoice::any);
    while (true) {
      const DnsAnswers answers = (*resolver)->take_answers();
      if (!answers.addresses.empty()) {
        const AddressAnswer& answer = answers.addresses.front();
        if (answer.failure != DnsFailure::none)
          return Error{"cannot resolve " + url_.host + ": " + std::string(to_string(answer.failure))};
        addresses = answer.addresses;
        return std::nullopt;
      }
      if (Clock::now() >= deadline_) return Error{"cannot resolve " + url_.host + " within the timeout"};
      constexpr int kPause = 20;
      pollfd stop{.fd = options_.stop, .events = POLLIN, .revents = 0};
      if (::poll(&stop, 1, kPause) > 0) return expect(Wait::stopped);
    }
  }

  std::optional<Error> connect(const std::vector<IpAddress>& addresses) {
    std::optional<Error> failure;
    const std::size_t count = std::min(addresses.size(), kMostAddresses);
    const Clock::time_point whole = deadline_;
    for (std::size_t i = 0; i < count; ++i) {
      // An address that keeps quiet leaves the others their share of the time.
      const Clock::time_point now = Clock::now();
      deadline_ = now + (whole - now) / static_cast<Clock::rep>(count - i);
      failure = connect(addresses[i]);
      if (!failure && url_.tls) failure = begin_tls();
      if (!failure || failure->message == "stopped") break;
    }
    deadline_ = whole;
    return failure;
  }

  std::optional<Error> connect(const IpAddress& address) {
    const SocketAddress to{.address = address, .port = url_.port};
    sockaddr_storage name{};
    const socklen_t length = write_socket_address(to, name);
    socket_ = FileDescriptor(::socket(name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!socket_.valid()) return Error{"cannot make a socket: " + words(errno)};
    int error = 0;
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&name), length) != 0) error = errno;
    if (error == EINPROGRESS) {
      if (auto failed = expect(wait(socket_.get(), POLLOUT))) return failed;
      socklen_t size = sizeof error;
      ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error != 0) return Error{"cannot connect to " + address.to_string() + ": " + words(error)};
    return std::nullopt;
  }

  std::optional<Error> begin_tls() {
    ssl_.reset();
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (context_ == nullptr) return Error{"TLS: " + tls_words()};
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_default_verify_paths(context_.get());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    ssl_.reset(SSL_new(context_.get()));
    if (ssl_ == nullptr || SSL_set_fd(ssl_.get(), socket_.get()) != 1) return Error{"TLS: " + tls_words()};
    const bool is_address = IpAddress::parse(url_.host).has_value();
    std::string host = url_.host;
    // Without a name that it must be for, the certificate of any host would do.
    const int named = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), url_.host.c_str())
                                 : SSL_set1_host(ssl_.get(), url_.host.c_str());
    if (named != 1) return Error{"TLS: " + tls_words()};
    // What the macro SSL_set_tlsext_host_name() does, whose cast is one of C. The name is copied.
    if (!is_address) SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, host.data());
    while (true) {
      ERR_clear_error();
      const int done = SSL_connect(ssl_.get());
      if (done == 1) return std::nullopt;
      bool again = false;
      if (auto failed = await_tls(done, again)) return failed;
      if (again) continue;
      const long verified = SSL_get_verify_result(ssl_.get());
      if (verified != X509_V_OK)
        return Error{std::string("the server's certificate: ") + X509_verify_cert_error_string(verified)};
      return Error{"TLS: " + tls_words()};
    }
  }

  /// After a call that returned `result`: waits for what it wants; `again` says that it wanted something.
  std::optional<Error> await_tls(int result, bool& again) {
    const int error = SSL_get_error(ssl_.get(), result);
    again = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
    if (!again) return std::nullopt;
    return expect(wait(socket_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT));
  }

  std::string request() const {
    const auto interval = std::chrono::duration_cast<std::chrono::seconds>(options_.refresh_interval).count();
    std::string text = "GET " + url_.target + " HTTP/1.1\r\nHost: " + url_.authority() +
                       "\r\nUser-Agent: ecmp_exporter\r\nAccept: application/json\r\nConnection: close\r\n"
                       "X-Prometheus-Refresh-Interval-Seconds: " +
                       std::to_string(interval) + "\r\n";
    if (!options_.authorization.empty()) {
      text += "Authorization: " + options_.authorization + "\r\n";
    } else if (!url_.credentials.empty()) {
      text += "Authorization: " + basic_authorization(url_.credentials) + "\r\n";
    }
    return text + "\r\n";
  }

  std::optional<Error> send(std::string_view text) {
    while (!text.empty()) {
      bool again = false;
      if (ssl_ != nullptr) {
        ERR_clear_error();
        const int sent = SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
        if (sent > 0) {
          text.remove_prefix(static_cast<std::size_t>(sent));
          continue;
        }
        if (auto failed = await_tls(sent, again)) return failed;
        if (!again) return Error{"TLS: " + tls_words()};
        continue;
      }
      const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      const int reason = sent < 0 ? errno : 0;
      if (sent >= 0) {
        text.remove_prefix(static_cast<std::size_t>(sent));
      } else if (reason == EAGAIN) {
        if (auto failed = expect(wait(socket_.get(), POLLOUT))) return failed;
      } else if (reason != EINTR) {
        return Error{"the connection broke: " + words(reason)};
      }
    }
    return std::nullopt;
  }

  std::optional<Error> receive(HttpAnswer& answer) {
    std::array<char, 16384> buffer{};
    while (!answer.complete()) {
      // A server that always has something to say would never be waited for.
      if (Clock::now() >= deadline_) return expect(Wait::late);
      bool again = false;
      ssize_t got = 0;
      if (ssl_ != nullptr) {
        ERR_clear_error();
        got = SSL_read(ssl_.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (got <= 0) {
          if (auto failed = await_tls(static_cast<int>(got), again)) return failed;
          if (again) continue;
          // Only a proper goodbye is an end: what is cut off by somebody on the way is not the whole list.
          if (SSL_get_error(ssl_.get(), static_cast<int>(got)) != SSL_ERROR_ZERO_RETURN)
            return Error{"TLS: " + tls_words()};
          got = 0;
        }
      } else {
        got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EAGAIN) {
          if (auto failed = expect(wait(socket_.get(), POLLIN))) return failed;
          continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return Error{"the connection broke: " + words(errno)};
      }
      const bool fits = got == 0 ? answer.end() : answer.add({buffer.data(), static_cast<std::size_t>(got)});
      if (!fits) return Error{answer.error()};
    }
    return std::nullopt;
  }

  const Url& url_;
  const FetchOptions& options_;
  Clock::time_point deadline_;
  FileDescriptor socket_;
  std::unique_ptr<SSL_CTX, FreeSsl> context_;
  std::unique_ptr<SSL, FreeSsl> ssl_;
};

}  // namespace

std::string basic_authorization(std::string_view credentials) {
  return "Basic " + base64(credentials);
}

Result<std::string> fetch_json(const Url& url, const FetchOptions& options) {
  return Fetch(url, options).run();
}

}  // namespace ecmp::net
