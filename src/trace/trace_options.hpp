#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/log.hpp"
#include "base/ip_address.hpp"
#include "base/time.hpp"
#include "config/config.hpp"
#include "packet/five_tuple.hpp"
#include "render/fan/diagram.hpp"
#include "render/json/path_hash.hpp"

namespace ecmp {

/// Where an option stands in --help and in the manual.
enum class TraceSection : std::uint8_t { probes, timing, output, simulation, general };
std::string_view title_of(TraceSection section);

/// What a shell offers behind an option.
enum class TraceValue : std::uint8_t { none, words, number, duration, port, file, address, interface };

/// One option of ecmp_trace. The command line is read by this table; --help, the manual and the completions are made
/// of it.
struct TraceOption {
  TraceSection section = TraceSection::general;
  char letter = 0;         ///< 0: none
  std::string_view name;   ///< without the dashes
  std::string_view value;  ///< its name in --help; empty: the option is a flag
  TraceValue kind = TraceValue::none;
  std::string_view words;      ///< the values there are, with blanks between, of kind `words`
  std::string_view otherwise;  ///< the default, as people write it; empty: none
  std::string_view help;       ///< whole sentences without the last full stop
};
std::span<const TraceOption> trace_options();

/// What comes out.
enum class TraceOutput : std::uint8_t { view, json, report, diagram };

/// What ecmp_trace was asked to do, checked.
struct TraceRequest {
  std::string host;                  ///< empty: the first destination of the scenario
  std::optional<IpAddress> address;  ///< when host is one
  config::FamilyChoice family = config::FamilyChoice::any;
  Protocol protocol{};
  std::uint16_t port = 0;                       ///< 0 for ICMP
  bool stamp = false;                           ///< UDP, with a stream of STAMP packets for each flow
  std::optional<std::uint16_t> source_port;     ///< of the first flow; else ports are spread as the exporter does
  std::uint16_t flows = 5;                      ///< with `auto_flows` the most that are asked
  std::optional<config::AutoFlows> auto_flows;  ///< they are found by themselves
  std::uint8_t max_ttl = 30;
  std::optional<IpAddress> source_address;
  std::string interface;  ///< empty: the route decides
  std::uint32_t fwmark = 0;

  std::uint32_t rounds = 0;  ///< of each flow; 0: until it is stopped
  Duration ttl_gap = std::chrono::milliseconds(100);
  Duration interval = std::chrono::seconds(2);
  Duration timeout = std::chrono::seconds(1);

  TraceOutput output = TraceOutput::view;
  render::DiagramForm diagram = render::DiagramForm::ascii;
  std::string json_file;  ///< lines besides the output; empty: none
  render::PathHash hash = render::PathHash::crc32;
  bool names = true;
  bool find_loss = false;     ///< with the output `report`: end as soon as it is clear which flows lose
  std::string asn_database;   ///< empty: no AS numbers
  std::string city_database;  ///< empty: no places
  std::string log_file;       ///< empty: standard error
  log::Level log_level = log::Level::error;

  std::string recording;  ///< shown instead of tracing; empty: none

  std::string scenario_file;  ///< empty: the real network
  std::uint64_t seed = 1;
};

}  // namespace ecmp
