#include "net/http/http_connection.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>
#include <httplib.h>
#include <optional>
#include <string>
#include <utility>

#include "net/http/http_encoding.hpp"
#include "net/http/http_greeting.hpp"
#include "net/http/http_head.hpp"

namespace ecmp::net {

namespace {

constexpr std::size_t kMostEmptyBytes = 64;                      // lines in front of a request
constexpr std::size_t kGatherBytes = std::size_t{16} << 10;      // written at once, so that headers do not go out alone
constexpr std::size_t kSmallestCompressed = 256;                 // below, one packet carries it anyway
constexpr Duration kStreamTurn = std::chrono::milliseconds(50);  // how soon a stream sees stop and lost readers

/// What an answer that is made while it is sent may hold besides what it shares with others: a piece of it, plain and
/// compressed, the state of gzip, a page of rounds.
constexpr std::uint64_t kStreamBytes = std::uint64_t{512} << 10;
/// A body that costs less than its connection does anyway: /-/healthy and refusals are always to be had.
constexpr std::size_t kSmallBody = std::size_t{16} << 10;

/// What httplib reads a request from and writes its answer to: a head that is complete already, and the wire.
class MessageStream : public httplib::Stream {
 public:
  MessageStream(Wire& wire, HttpService& service, const SocketAddress& peer, SendPace& pace)
      : wire_(wire), service_(service), peer_(peer), pace_(pace) {}

  void offer(std::string_view head) { head_ = head; }
  [[nodiscard]] bool broken() const { return broken_; }

  bool flush() {
    send(gathered_, false);
    gathered_.clear();
    return !broken_;
  }

  [[nodiscard]] bool is_readable() const override { return !head_.empty(); }
  [[nodiscard]] bool is_writable() const override { return !broken_; }

  ssize_t read(char* into, std::size_t size) override {
    const std::size_t taken = head_.copy(into, size);
    head_.remove_prefix(taken);
    return static_cast<ssize_t>(taken);
  }

  ssize_t write(const char* from, std::size_t size) override {
    if (gathered_.size() + size <= kGatherBytes) {
      gathered_.append(from, size);
    } else {
      send(gathered_, true);
      gathered_.clear();
      send({from, size}, false);
    }
    return broken_ ? -1 : static_cast<ssize_t>(size);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip = peer_.address.to_string();
    port = peer_.port;
  }
  void get_local_ip_and_port(std::string& /*ip*/, int& /*port*/) const override {}

  /// httplib only compares it with FD_SETSIZE, to refuse the 1025th descriptor of the process: we do not use select().
  [[nodiscard]] socket_t socket() const override { return 0; }

 private:
  void send(std::string_view bytes, bool more_follows) {
    if (broken_ || bytes.empty()) return;
    const auto sent = wire_.send(bytes, pace_, more_follows);
    if (sent == Wire::Sent::timeout) ++service_.tally.write_timeouts;
    broken_ = sent != Wire::Sent::all;
  }

  Wire& wire_;
  HttpService& service_;
  const SocketAddress& peer_;
  SendPace& pace_;
  std::string_view head_;
  std::string gathered_;
  bool broken_ = false;
};

/// Turns a BodyStream into the pieces httplib asks for.
class StreamPump {
 public:
  StreamPump(std::unique_ptr<BodyStream> body, bool compressed, MessageStream& stream, const Wire& wire,
             const StopSignal& stop)
      : body_(std::move(body)), stream_(stream), wire_(wire), stop_(stop) {
    if (compressed) gzip_.emplace();
  }

  /// False breaks the answer off: the reader sees that it is incomplete.
  bool turn(httplib::DataSink& sink) {
    piece_.clear();
    BodyStream::Next next = BodyStream::Next::end;
    try {
      next = body_->next(piece_, monotonic_now() + kStreamTurn);
    } catch (...) {
      return false;
    }
    // A stream that waits for news is complete up to here: told to stop, it ends well. Any other is cut short.
    if (next == BodyStream::Next::idle && stop_.raised()) next = BodyStream::Next::end;
    if (next == BodyStream::Next::more && stop_.raised()) return false;

    if (!pass_on(sink, next)) return false;
    if (next == BodyStream::Next::idle) return stream_.flush() && !wire_.peer_left();
    if (next == BodyStream::Next::end) sink.done();
    return true;
  }

 private:
  bool pass_on(httplib::DataSink& sink, BodyStream::Next next) {
    if (!gzip_) return piece_.empty() || sink.write(piece_.data(), piece_.size());
    // An empty sync flush would still write five bytes, ten times a second.
    unflushed_ = unflushed_ || !piece_.empty();
    if (next != BodyStream::Next::end && !unflushed_) return true;
    compressed_.clear();
    gzip_->append(piece_,
                  next == BodyStream::Next::end    ? GzipEncoder::Flush::end
                  : next == BodyStream::Next::idle ? GzipEncoder::Flush::sync
                                                   : GzipEncoder::Flush::none,
                  compressed_);
    if (next == BodyStream::Next::idle) unflushed_ = false;
    return compressed_.empty() || sink.write(compressed_.data(), compressed_.size());
  }

  std::unique_ptr<BodyStream> body_;
  std::optional<GzipEncoder> gzip_;
  MessageStream& stream_;
  const Wire& wire_;
  const StopSignal& stop_;
  std::string piece_;
  std::string compressed_;
  bool unflushed_ = false;
};

std::optional<Duration> parse_seconds(const std::string& text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  constexpr double kLongest = 86400;
  if (error != std::errc{} || end != text.data() + text.size() || !(seconds > 0) || seconds > kLongest) {
    return std::nullopt;
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

/// One connection. It derives from httplib's server for its request parser and response writer alone, which are
/// protected; nothing of that server's own (listening, pool, routing, body reading, ranges, compression) is used.
class Connection : private httplib::Server {
 public:
  Connection(HttpService& service, Wire& wire, const SocketAddress& peer, bool local,
             const std::shared_ptr<ClientPlace>& place)
      : service_(service),
        peer_(peer),
        local_(local),
        place_(place),
        head_timeout_(place->health_only() ? service.limits.reserved_timeout : service.limits.head_timeout),
        wire_(wire),
        stream_(wire_, service, peer_, place->pace()) {
    svr_sock_ = 0;  // httplib takes an invalid listening socket as a sign to break streams off
    set_pre_routing_handler([this](const httplib::Request& request, httplib::Response& response) {
      answer(request, response);
      return HandlerResponse::Handled;
    });
    set_error_handler(HandlerWithResponse(
        [this](const httplib::Request&, httplib::Response& response) { return explain(response); }));
    set_post_routing_handler([this](const httplib::Request&, httplib::Response& response) { complete(response); });
  }

  void serve() {
    bool first = true;
    while (!place_->evicted() && receive_head(first) && receive_body() && respond()) {
      first = false;
    }
    if (!abandoned_) wire_.finish(monotonic_now() + kFarewell);
  }

 private:
  /// Waits for a request and takes its head from `received_`. False: there is nothing (more) to serve.
  bool receive_head(bool first) {
    (void)skip_empty_lines();
    const HttpLimits& limits = service_.limits;
    if (received_.empty() && !(first ? receive_first() : receive_next())) return false;
    const Instant deadline = monotonic_now() + head_timeout_;
    place_->enter(ClientPlace::Stage::request);
    std::size_t searched = 0;
    std::size_t skipped = skip_empty_lines();
    std::size_t end = std::string::npos;
    while (skipped <= kMostEmptyBytes && (end = find_head_end(received_, searched)) == std::string::npos) {
      searched = received_.size();
      if (searched >= limits.max_head_bytes) {
        const bool has_line = received_.find("\r\n") != std::string::npos;
        return refuse(has_line ? 431 : 414, has_line ? "request headers too long" : "request line too long");
      }
      const auto got = wire_.receive(received_, limits.max_head_bytes - searched, deadline);
      if (got != Wire::Got::bytes) return give_up(got);
      if (searched == 0) skipped += skip_empty_lines();
    }
    if (skipped > kMostEmptyBytes) return refuse(400, "a request without a request line");
    head_ = inspect_head(std::string_view(received_).substr(0, end), limits.max_body_bytes);
    received_.erase(0, end);
    return head_.refusal == 0 || refuse(head_.refusal, head_.reason);
  }

  /// RFC 9112 section 2.2 asks to skip them in front of a request. Returns how many bytes they were.
  std::size_t skip_empty_lines() {
    const std::size_t empty = std::min(received_.find_first_not_of("\r\n"), received_.size());
    received_.erase(0, empty);
    return empty;
  }

  bool receive_first() {
    const HttpLimits& limits = service_.limits;
    place_->enter(ClientPlace::Stage::request);
    const auto got = wire_.receive(received_, limits.max_head_bytes, monotonic_now() + head_timeout_);
    if (got == Wire::Got::bytes) return true;
    if (got == Wire::Got::timeout) ++service_.tally.read_timeouts;
    if (place_->evicted()) return give_up(got);
    abandoned_ = true;  // nobody waits for an answer
    return false;
  }

  /// Between two requests. Where places are few, those who sit idle on them are the first to go.
  bool receive_next() {
    const HttpLimits& limits = service_.limits;
    const Instant deadline = monotonic_now() + limits.idle_timeout;
    place_->enter(ClientPlace::Stage::idle);
    abandoned_ = true;
    for (;;) {
      const auto got = wire_.receive(received_, limits.max_head_bytes,
                                     std::min(deadline, monotonic_now() + limits.idle_when_crowded));
      if (got == Wire::Got::bytes) {
        abandoned_ = false;
        return true;
      }
      if (got != Wire::Got::timeout || monotonic_now() >= deadline) return false;
      if (service_.tally.open * 4 > limits.max_connections * 3) {
        ++service_.tally.idle_cut;
        return false;
      }
    }
  }

  bool receive_body() {
    if (head_.expects_continue && received_.empty() && !send_now("HTTP/1.1 100 Continue\r\n\r\n")) return false;
    const Instant deadline = monotonic_now() + std::min(service_.limits.body_timeout, 2 * head_timeout_);
    while (received_.size() < head_.body_bytes) {
      const auto got = wire_.receive(received_, head_.body_bytes - received_.size(), deadline);
      if (got != Wire::Got::bytes) return give_up(got);
    }
    body_ = received_.substr(0, head_.body_bytes);
    received_.erase(0, head_.body_bytes);
    return true;
  }

  /// Lets httplib parse the head, call answer() and write what comes of it.
  bool respond() {
    // A reserved place is for one check: kept open, a few clients could hold them all.
    close_ = head_.close || service_.stop.raised() || place_->health_only();
    answered_ = false;
    stream_.offer(head_.forwarded);
    begin_answer(ClientPlace::Stage::working);
    bool told_to_close = false;
    const bool complete = process(stream_, told_to_close);
    const bool sent = stream_.flush();
    charge_ = nullptr;
    abandoned_ = !complete || !sent;
    return !abandoned_ && !close_;
  }

  /// The one call that differs among the versions of httplib: 0.18 also wants addresses, which only its own routes
  /// read. cmake/Dependencies.cmake knows the versions for which this is tested.
  template <typename Stream>
  bool process(Stream& stream, bool& told_to_close) {
    if constexpr (requires { process_request(stream, close_, told_to_close, nullptr); }) {
      return process_request(stream, close_, told_to_close, nullptr);
    } else {
      return process_request(stream, {}, 0, {}, 0, close_, told_to_close, nullptr);
    }
  }

  /// The rest of a request did not come. Always false.
  bool give_up(Wire::Got got) {
    if (place_->evicted()) return refuse(503, "too many connections: this one kept others waiting");
    if (got != Wire::Got::timeout) {
      abandoned_ = true;
      return false;
    }
    ++service_.tally.read_timeouts;
    return refuse(408, "request timed out");
  }

  /// Always false.
  bool refuse(int status, std::string_view line) {
    service_.tally.answered(status);
    abandoned_ = !send_now(http_refusal(status, line));
    return false;
  }

  bool send_now(std::string_view bytes) {
    begin_answer(ClientPlace::Stage::answering);
    return wire_.send(bytes, place_->pace(), false) == Wire::Sent::all;
  }

  void begin_answer(ClientPlace::Stage stage) {
    place_->pace().begin(service_.limits.write_timeout);
    place_->enter(stage);
  }

  void answer(const httplib::Request& parsed, httplib::Response& response) {
    auto target = parse_target(parsed.target);
    if (!target) return fill(parsed, HttpResponse::text(400, "bad escape or control character in the URL"), response);
    HttpRequest request;
    request.method = parsed.method;
    request.path = std::move(target->path);
    request.query = std::move(target->query);
    request.accept = field_values(head_.forwarded, "Accept");
    request.accept_encoding = head_.accept_encoding;
    request.if_none_match = field_values(head_.forwarded, "If-None-Match");
    request.scrape_timeout = parse_seconds(field_values(head_.forwarded, "X-Prometheus-Scrape-Timeout-Seconds"));
    request.authorization = field_values(head_.forwarded, "Authorization");
    request.content_type = field_values(head_.forwarded, "Content-Type");
    request.body = std::move(body_);
    request.remote_address = peer_.address;
    request.remote_port = peer_.port;
    request.place = place_;
    const auto hosts = service_.hosts.get();
    const auto authority = authority_of(parsed.target);
    const std::string host = authority ? std::string(*authority) : parsed.get_header_value("Host");
    request.cross_site =
        is_cross_site(parsed.get_header_value("Sec-Fetch-Site"), parsed.get_header_value("Origin"), host, *hosts);
    HttpGate::Verdict verdict;
    if (service_.checks_hosts && local_ && !is_own_host(host, *hosts) && !is_own_host(host, service_.own_hosts)) {
      verdict.refusal = HttpResponse::text(
          403, "the Host header names another host than this one: web.allowed_hosts takes names that it may have");
    } else if (place_->health_only() && !service_.reserved.contains(request.path)) {
      close_ = true;
      verdict.refusal = later(HttpResponse::text(503, "too many connections"));
    } else if (service_.gate != nullptr) {
      verdict = service_.gate->judge(request, service_.stop);
    }
    fill(parsed, charged(verdict.refusal ? std::move(*verdict.refusal) : service_.routes.answer(request)), response);
    place_->enter(ClientPlace::Stage::answering);
    if (verdict.headers == nullptr) return;
    for (const auto& [name, value] : *verdict.headers) {
      response.headers.erase(name);
      response.set_header(name, value);
    }
  }

  static HttpResponse later(HttpResponse response) {
    response.headers.emplace_back("Retry-After", "1");
    return response;
  }

  /// The same answer, if there is memory for it.
  HttpResponse charged(HttpResponse answer) {
    const std::size_t body = answer.shared_body ? answer.shared_body->size() : answer.body.size();
    if (answer.stream == nullptr && body <= kSmallBody) return answer;
    charge_ = ByteBudget::take(service_.budget, answer.stream != nullptr ? kStreamBytes : body);
    if (charge_ != nullptr) return answer;
    return later(HttpResponse::text(503, "the answers under way hold as much as web.answer_memory allows"));
  }

  void fill(const httplib::Request& request, HttpResponse&& from, httplib::Response& response) {
    response.status = from.status;
    for (const auto& [name, value] : from.headers) {
      response.set_header(name, value);
    }
    response.set_header("X-Content-Type-Options", "nosniff");  // bodies quote names that others chose
    if (!response.has_header("Vary")) response.set_header("Vary", "Accept-Encoding");
    const bool compressed = prefers_gzip(head_.accept_encoding);
    if (from.stream) {
      fill_stream(request, std::move(from), compressed, response);
    } else {
      fill_whole(std::move(from), compressed, response);
    }
    answered_ = true;
  }

  static void fill_whole(HttpResponse&& from, bool compressed, httplib::Response& response) {
    std::shared_ptr<const std::string> body = std::move(from.shared_body);
    if (!body) body = std::make_shared<const std::string>(std::move(from.body));
    if (compressed && body->size() >= kSmallestCompressed) {
      body = std::make_shared<const std::string>(gzip(*body));
      response.set_header("Content-Encoding", "gzip");
    }
    if (body->empty()) return response.set_header("Content-Type", from.content_type);
    // A provider, not set_content(): the body may be 100 MB and shared with others, it is never copied.
    const std::size_t size = body->size();
    response.set_content_provider(size, from.content_type,
                                  [body](std::size_t offset, std::size_t length, httplib::DataSink& sink) {
                                    return sink.write(body->data() + offset, length);
                                  });
  }

  void fill_stream(const httplib::Request& request, HttpResponse&& from, bool compressed, httplib::Response& response) {
    if (compressed) response.set_header("Content-Encoding", "gzip");
    auto pump = std::make_shared<StreamPump>(std::move(from.stream), compressed, stream_, wire_, service_.stop);
    const auto provider = [pump](std::size_t, httplib::DataSink& sink) { return pump->turn(sink); };
    if (request.version == "HTTP/1.0") {
      response.set_content_provider(from.content_type, provider);  // no chunks there: the end is the closing
    } else {
      response.set_chunked_content_provider(from.content_type, provider);
    }
  }

  /// Called for every status from 400 on. Gives those that httplib decided by itself a body, and an end.
  HandlerResponse explain(httplib::Response& response) {
    if (answered_) return HandlerResponse::Unhandled;
    close_ = true;
    const char* line = response.status >= 500   ? "internal server error\n"
                       : response.status == 414 ? "request line too long\n"
                                                : "bad request\n";
    response.set_content(line, "text/plain; charset=utf-8");
    return HandlerResponse::Handled;
  }

  /// The last look at the headers before they are written.
  void complete(httplib::Response& response) {
    response.headers.erase("Accept-Ranges");
    if (response.status == 304) response.headers.erase("Content-Length");  // RFC 9110 section 8.6: not of no body
    response.headers.erase("Keep-Alive");
    response.headers.erase("EXCEPTION_WHAT");
    response.headers.erase("Connection");
    if (close_) response.set_header("Connection", "close");
    service_.tally.answered(response.status);
  }

  HttpService& service_;
  const SocketAddress peer_;
  const bool local_;
  const std::shared_ptr<ClientPlace> place_;
  const Duration head_timeout_;
  ByteBudget::Token charge_;  ///< of the answer at hand
  Wire& wire_;
  MessageStream stream_;
  std::string received_;  ///< bytes not yet taken: the head in the making, or what was pipelined behind it
  RequestHead head_;
  std::string body_;
  bool answered_ = false;   ///< by a route of ours, not by httplib
  bool close_ = false;      ///< after the answer at hand
  bool abandoned_ = false;  ///< no answer is under way that the closing could destroy
};

}  // namespace

void serve_http_connection(HttpService& service, OwnedSocket socket, const SocketAddress& peer, bool local,
                           const std::shared_ptr<ClientPlace>& place) {
  try {
    const int descriptor = socket.get();
    const auto wire = open_wire(service, std::move(socket));
    place->attach(descriptor);
    // Before the wire closes the socket, whose number may be somebody else's then.
    const std::unique_ptr<ClientPlace, void (*)(ClientPlace*)> attached(place.get(), [](auto* one) { one->detach(); });
    if (greet_client(service, *wire, place)) Connection(service, *wire, peer, local, place).serve();
  } catch (...) {
    ++service.tally.failed;  // out of memory: this connection is dropped, the others go on
  }
}

}  // namespace ecmp::net
