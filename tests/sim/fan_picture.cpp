// Draws the fan of a simulated network: `fan_picture SCENARIO FORM [FLOWS [SECONDS [SEED [4|6]]]]`, where FORM is
// ascii, utf8, dot or svg and SCENARIO a name of tests/sim/scenarios or a file. docs/images/fan.svg is made by it.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>

#include "render/fan/diagram.hpp"
#include "sim/engine_fixture.hpp"
#include "sim/scenario_files.hpp"

using namespace ecmp;
using namespace ecmp::sim;

namespace {

/// What a scenario calls its nodes.
class NodeNames final : public render::HopNames {
 public:
  explicit NodeNames(const Topology& topology) {
    for (const Node& node : topology.nodes) {
      for (const Family family : {Family::ipv4, Family::ipv6})
        names_[node.addresses.of(family)] = node.name + ".example.net";
    }
  }
  [[nodiscard]] std::string_view name(const IpAddress& address) const override {
    const auto found = names_.find(address);
    return found == names_.end() ? std::string_view() : std::string_view(found->second);
  }

 private:
  std::map<IpAddress, std::string> names_;
};

Scenario read_scenario(const std::string& name) {
  if (name.find('/') == std::string::npos) return load_scenario(name);
  std::ifstream stream(name, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  auto scenario = parse_scenario(text, name);
  if (!scenario) throw std::runtime_error(scenario.error());
  return *scenario;
}

int run(const std::vector<std::string>& words) {
  const std::map<std::string, render::DiagramForm> forms = {{"ascii", render::DiagramForm::ascii},
                                                            {"utf8", render::DiagramForm::utf8},
                                                            {"dot", render::DiagramForm::dot},
                                                            {"svg", render::DiagramForm::svg}};
  if (words.size() < 2 || words.size() > 6 || !forms.contains(words[1])) {
    std::cerr << "usage: fan_picture SCENARIO ascii|utf8|dot|svg [FLOWS [SECONDS [SEED [4|6]]]]\n";
    return 2;
  }
  const auto number = [&words](std::size_t at, unsigned long otherwise) {
    return words.size() > at ? std::stoul(words[at]) : otherwise;
  };
  TraceOptions options;
  options.flows = static_cast<std::uint16_t>(number(2, 32));
  options.family = number(5, 4) == 6 ? Family::ipv6 : Family::ipv4;
  EngineRun traced(read_scenario(words[0]), number(4, 1), options);
  traced.run(std::chrono::seconds(number(3, 60)));
  const Topology& topology = traced.network().topology();
  const NodeNames names(topology);
  std::string out;
  for (const NodeId id : topology.destinations)
    render::append_diagram(out, forms.at(words[1]), *traced.snapshot(topology.nodes[id].name), names);
  std::cout << out << std::flush;
  return std::cout ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& problem) {
    std::cerr << "fan_picture: " << problem.what() << '\n';
    return 1;
  }
}
