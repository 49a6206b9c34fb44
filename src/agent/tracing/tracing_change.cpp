#include <algorithm>

#include "agent/tracing/tracing_state.hpp"

namespace ecmp {
namespace {

/// Work of one turn of the probing loop, in microseconds as they were about measured. A flow that begins costs a look
/// at the routing table.
constexpr std::size_t kSlice = 500;
constexpr std::size_t kFlow = 20;
constexpr std::size_t kEdit = 5;
constexpr std::size_t kLook = 1;
/// Another window clears those of all paths and hops.
constexpr std::size_t kOtherWindow = 100;

}  // namespace

void Tracing::change(std::shared_ptr<const config::Changes> changes) {
  limits_ = changes->limits;
  window_ = changes->window;
  hop_histograms_ = changes->histograms.hops != config::HistogramForm::off;
  refresh_ = changes->dns.refresh;
  changing_ = std::make_unique<Changing>();
  changing_->changes = std::move(changes);
}

void Tracing::change_a_slice(Instant now) {
  for (std::size_t cost = 0; cost < kSlice && changing_ != nullptr;) {
    if (changing_->next < steps_of(*changing_)) {
      cost += change_one(now);
    } else if (changing_->phase != Changing::Phase::retry) {
      changing_->phase = static_cast<Changing::Phase>(static_cast<std::uint8_t>(changing_->phase) + 1);
      changing_->next = 0;
    } else {
      changing_.reset();
      publish_at_once(now);
    }
  }
}

std::size_t Tracing::steps_of(const Changing& changing) const {
  const config::Changes& changes = *changing.changes;
  switch (changing.phase) {
    case Changing::Phase::judging:
      return changes.judging ? configured_.size() : 0;
    case Changing::Phase::remove:
      return changes.removed.size();
    case Changing::Phase::stop:
    case Changing::Phase::edit:
      return changes.edited.size();
    case Changing::Phase::add:
      return changes.added.size();
    case Changing::Phase::retry:
      return configured_.size();
  }
  return 0;
}

/// The next step. Returns what it cost.
std::size_t Tracing::change_one(Instant now) {
  const config::Changes& changes = *changing_->changes;
  const std::size_t step = changing_->next++;
  switch (changing_->phase) {
    case Changing::Phase::judging:
      for (Traced* traced : configured_[step]->traced) {
        traced->model.set_options(model_options(configured_[step]->destination));
        traced->changed = true;
      }
      return kOtherWindow;
    case Changing::Phase::remove:
      return remove(changes.removed[step]);
    case Changing::Phase::stop:
      return stop(changes.edited[step]);
    case Changing::Phase::edit:
      return edit(changes.edited[step], now);
    case Changing::Phase::add: {
      Configured& configured = insert(changes.added[step]);
      introduce(make(configured, configured.destination.name), now);
      begin(configured, now);
      return configured.destination.flows * kFlow;
    }
    case Changing::Phase::retry:
      return retry(*configured_[step], now);
  }
  return kLook;
}

Tracing::Configured* Tracing::find(const std::string& name) {
  const auto place = std::ranges::lower_bound(
      configured_, name, {}, [](const auto& other) -> const std::string& { return other->destination.name; });
  return place != configured_.end() && (*place)->destination.name == name ? place->get() : nullptr;
}

std::size_t Tracing::remove(const std::string& name) {
  Configured* const configured = find(name);
  if (configured == nullptr) return kLook;
  const std::size_t cost = configured->traced.size() * configured->destination.flows * kFlow;
  for (Traced* traced : configured->traced)
    drop(*traced);
  std::erase(names_, configured);
  std::erase_if(configured_, [&](const auto& owned) { return owned.get() == configured; });
  return cost;
}

/// Ends what is to begin anew, of all destinations before the first begins: one may take over flows of another.
std::size_t Tracing::stop(const config::Edit& edit) {
  Configured* const configured = find(edit.after.name);
  if (configured == nullptr || !edit.effect.restarts()) return kLook;
  // The addresses of `all` are destinations of their own, each with its address in its name.
  if (edit.effect.host && edit.after.all && !(edit.effect.rounds || edit.effect.headers)) return kLook;
  for (Traced* traced : configured->traced)
    end(*traced);
  return configured->traced.size() * configured->destination.flows * kFlow;
}

std::size_t Tracing::edit(const config::Edit& edit, Instant now) {
  Configured* const configured = find(edit.after.name);
  if (configured == nullptr) return kLook;
  const config::EditEffect& effect = edit.effect;
  if (configured->is_name()) std::erase(names_, configured);
  configured->destination = edit.after;
  if (configured->is_name()) names_.push_back(configured);
  if (effect.host || effect.family) edit_host(*configured, effect, now);
  for (Traced* traced : configured->traced) {
    auto facts = std::make_shared<DestinationFacts>(*traced->facts);
    const auto steady = facts->steady;
    const auto ports = facts->source_ports;
    tell_of(*facts, edit.after);
    const bool anew = effect.restarts() && !traced->first_flow;  // stop() has ended it
    if (!anew) facts->steady = steady;
    // Also those that step round another destination's. Without an address there is nobody to step round.
    if (!effect.headers && !facts->address.is_unspecified())
      facts->source_ports = anew ? free_ports(edit.after, *facts) : ports;
    if (effect.host && !edit.after.all) facts->address = edit.after.address.value_or(IpAddress());
    traced->facts = std::move(facts);
    traced->model.set_facts(traced->facts, wall(now));
    traced->sources.resize(edit.after.flows);
    if (effect.headers || (effect.host && !edit.after.all)) {
      traced->model.forget_paths();
    } else if (effect.rounds) {
      traced->model.forget_rounds();
    }
    if (effect.judging) traced->model.set_options(model_options(edit.after));
    traced->changed = true;
    traced->published = {};
    if (traced->first_flow) {
      if (effect.search && traced->searching != nullptr) {
        traced->searching->due = now;
        traced->searching->again = true;
      }
      if (effect.schedule) engine_.set_schedule(*traced->first_flow, edit.after.interval, edit.after.timeout, now);
    } else if (effect.restarts() && !traced->facts->address.is_unspecified()) {
      begin(*traced, traced->facts->address, now);
    }
  }
  publish_changed_ = true;
  return configured->traced.size() * (effect.restarts() ? edit.after.flows * kFlow : kEdit);
}

/// What is known of the addresses of the host does not hold any more.
void Tracing::edit_host(Configured& configured, const config::EditEffect& effect, Instant now) {
  configured.asked = configured.failing = false;
  configured.ask_at = now;
  if (!configured.is_name() || effect.host) return;
  // Of another family than is wanted now: the next answer brings others. With `all` it also drops those.
  if (configured.destination.all || configured.destination.family == config::FamilyChoice::any) return;
  Traced& traced = *configured.traced.front();
  const bool v4 = configured.destination.family == config::FamilyChoice::ipv4;
  if (traced.facts->address.is_unspecified() || traced.facts->address.is_v4() == v4) return;
  end(traced);
  auto facts = std::make_shared<DestinationFacts>(*traced.facts);
  facts->address = IpAddress();
  traced.facts = std::move(facts);
}

/// Whoever had its flows may have left them.
std::size_t Tracing::retry(Configured& configured, Instant now) {
  std::size_t cost = kLook;
  for (Traced* traced : configured.traced) {
    if (!traced->refused || traced->first_flow) continue;
    begin(*traced, traced->facts->address, now);
    if (traced->first_flow) cost += configured.destination.flows * kFlow;
  }
  return cost;
}

}  // namespace ecmp
