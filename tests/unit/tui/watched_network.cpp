#include "unit/tui/watched_network.hpp"

#include "sim/scenario_files.hpp"

namespace ecmp::tui::test {
namespace {

sim::TraceOptions options_of(std::uint16_t flows, Family family) {
  sim::TraceOptions options;
  options.protocol = Protocol::tcp;
  options.port = 443;
  options.flows = flows;
  options.family = family;
  options.wait_for_hops = false;  // as ecmp_trace
  return options;
}

}  // namespace

WatchedNetwork::WatchedNetwork(std::string_view scenario, std::uint16_t flows, Family family)
    : run_(sim::load_scenario(scenario), kSeed, options_of(flows, family)), began_(run_.network().now()) {
  auto facts = std::make_shared<DestinationFacts>(*run_.snapshot("dst")->facts);
  facts->host = "www.example.net";
  for (const sim::Node& node : run_.network().topology().nodes) {
    const IpAddress address = node.addresses.of(family);
    if (address.is_unspecified() || node.name == "agent") continue;
    names_->names[address] = node.name == "dst" ? "www.example.net" : "ae1." + node.name + ".example.net";
  }
  view_ = std::make_unique<LiveView>(facts, LiveView::Options{.names = true, .program = "ecmp_trace"});
  view_->set_names(names_);
  const IpAddress source = run_.network().address("agent", family);
  run_.watch = [this, facts, source](std::uint32_t flow, const Round& round, const PathVerdict& verdict) {
    auto made = std::make_shared<RoundRecord>();
    RoundRecord& record = *made;
    record.destination = facts;
    record.flow_index = flow;
    record.source_port = facts->source_ports[flow];
    record.source = source;
    record.round = round;
    record.verdict = verdict;
    view_->take(record);
    records_.push_back(std::move(made));
  };
}

void WatchedNetwork::run(Duration time) {
  run_.run(time);
}

LiveView::Request WatchedNetwork::press(std::string_view bytes) {
  KeyDecoder decoder;
  LiveView::Request request = LiveView::Request::none;
  std::vector<Key> keys = decoder.decode(bytes);
  const std::vector<Key> rest = decoder.flush();
  keys.insert(keys.end(), rest.begin(), rest.end());
  for (const Key& key : keys)
    request = view_->on_key(key);
  return request;
}

Grid WatchedNetwork::screen(std::size_t rows, std::size_t columns, Charset charset) {
  Grid grid(rows, columns, charset);
  view_->draw(grid, run_.network().now() - began_);
  return grid;
}

}  // namespace ecmp::tui::test
