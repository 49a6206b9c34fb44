#include "agent/names/names.hpp"

#include <utility>

namespace ecmp {
namespace {

/// Reverse look-ups begun in one go; the resolver paces them besides.
constexpr std::size_t kAskAtMost = 32;

class TableNames final : public render::HopNames {
 public:
  explicit TableNames(std::shared_ptr<const net::NameTable> table) : table_(std::move(table)) {}
  [[nodiscard]] std::string_view name(const IpAddress& address) const override { return table_->name(address); }
  [[nodiscard]] const net::NameTable* get() const { return table_.get(); }

 private:
  std::shared_ptr<const net::NameTable> table_;
};

}  // namespace

Names::Names(const config::Dns& options, std::unique_ptr<net::Resolver> resolver)
    : reverse_(options.names),
      resolver_(std::move(resolver)),
      cache_({.refresh = options.refresh}),
      table_(std::make_shared<TableNames>(cache_.table())) {}

void Names::set_options(const config::Dns& options) {
  reverse_ = options.names;
  cache_.set_refresh(options.refresh);
}

bool Names::take_server_change() {
  const std::uint64_t changes = resolver_->server_changes();
  return std::exchange(server_changes_, changes) != changes;
}

void Names::ask_addresses(const std::string& host, config::FamilyChoice family, net::NameUse use) {
  if (resolver_->request_addresses(host, family, use)) return;
  refused_.push_back({.host = host, .family = family, .error = "too many look-ups are under way", .ttl = {}});
}

void Names::want(const IpAddress& address, Instant now) {
  if (reverse_) cache_.want(address, now);
}

std::vector<HostAnswer> Names::take_answers(Instant now) {
  std::vector<HostAnswer> hosts = std::exchange(refused_, {});
  net::DnsAnswers answers = resolver_->take_answers();
  for (net::AddressAnswer& answer : answers.addresses) {
    HostAnswer host{.host = std::move(answer.name), .family = answer.family, .ttl = {}};
    if (answer.failure == net::DnsFailure::none) {
      host.addresses = std::move(answer.addresses);
      host.ttl = answer.ttl;
    } else {
      host.error = net::to_string(answer.failure);
    }
    hosts.push_back(std::move(host));
  }
  for (const net::NameAnswer& answer : answers.names)
    learn(answer, now);
  static const auto none = std::make_shared<const net::NameTable>();
  std::shared_ptr<const net::NameTable> table = none;
  if (reverse_) {
    for (const IpAddress& address : cache_.take_due(now, kAskAtMost)) {
      if (!resolver_->request_name(address)) cache_.learn_failure(address, now);
    }
    table = cache_.table();
  }
  // A scrape that takes the table just now may have no processor: the next call will do.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return hosts;
  if (static_cast<const TableNames&>(*table_).get() != table.get()) {
    table_ = std::make_shared<TableNames>(std::move(table));
  }
  return hosts;
}

void Names::learn(const net::NameAnswer& answer, Instant now) {
  if (answer.failure == net::DnsFailure::none) {
    cache_.learn(answer.address, answer.name, answer.ttl, now);
  } else if (answer.failure == net::DnsFailure::not_found || answer.failure == net::DnsFailure::no_data) {
    cache_.learn_none(answer.address, now);
  } else {
    ++errors_;
    cache_.learn_failure(answer.address, now);
  }
}

std::shared_ptr<const render::HopNames> Names::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

}  // namespace ecmp
