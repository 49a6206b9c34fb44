#include "trace/trace_options.hpp"

#include <array>

#include "base/names.hpp"

namespace ecmp {

namespace {

using enum TraceSection;

constexpr std::array kOptions = {
    TraceOption{probes, 'T', "tcp", "", TraceValue::none, "", "", "Probe with TCP SYNs; this is the default"},
    TraceOption{probes, 'U', "udp", "", TraceValue::none, "", "", "Probe with UDP datagrams"},
    TraceOption{probes, 'I', "icmp", "", TraceValue::none, "", "",
                "Probe with ICMP echo requests. They have no ports: many routers send all of them one way"},
    TraceOption{
        probes, 0, "stamp", "", TraceValue::none, "", "",
        "Probe a STAMP or TWAMP Light reflector with its own packets, and send it a stream of them on each flow: "
        "--report then says which way packets were lost"},
    TraceOption{probes, '4', "ipv4", "", TraceValue::none, "", "", "Use the IPv4 address of a name"},
    TraceOption{probes, '6', "ipv6", "", TraceValue::none, "", "", "Use the IPv6 address of a name"},
    TraceOption{probes, 'p', "dest-port", "PORT", TraceValue::port, "", "443 for TCP, 33434 for UDP, 862 for --stamp",
                "Destination port of all probes; 0 stands for the default"},
    TraceOption{
        probes, 's', "source-port", "PORT", TraceValue::port, "", "",
        "Source port of the first flow; flow k has PORT+k. Without it the flows have ports that are spread over "
        "32768 to 49151, the same ones each time for a destination, protocol and port"},
    TraceOption{probes, 'P', "parallel-probes", "N", TraceValue::number, "", "5",
                "Flows: each has a source port of its own, so that equal-cost routers keep it on one path"},
    TraceOption{probes, 0, "flows", "N|auto", TraceValue::words, "auto", "",
                "The same as --parallel-probes. With auto as many are asked as it takes to find all paths with the "
                "chance that --confidence says, and those stay that go over all of them"},
    TraceOption{probes, 0, "confidence", "CHANCE", TraceValue::number, "", "0.95",
                "How likely a search by --flows auto finds all paths, such as 0.99, or 99 for percent"},
    TraceOption{probes, 0, "max-flows", "N", TraceValue::number, "", "512",
                "The most flows that a search by --flows auto asks"},
    TraceOption{probes, 0, "p-min", "SHARE", TraceValue::number, "", "all branches have the same",
                "The least share of flows that a branch may have for --flows auto to find it"},
    TraceOption{probes, 'm', "max-ttl", "N", TraceValue::number, "", "30", "Highest TTL to probe"},
    TraceOption{probes, 0, "source-address", "ADDRESS", TraceValue::address, "", "",
                "Send from this address of this host instead of the one that the route says"},
    TraceOption{probes, 0, "interface", "NAME", TraceValue::interface, "", "",
                "Send by this interface instead of the one that the route says"},
    TraceOption{probes, 0, "fwmark", "MARK", TraceValue::number, "", "0",
                "Take the route of packets with this mark, such as 7 or 0x7"},

    TraceOption{timing, 'c', "count", "N", TraceValue::number, "",
                "0, for ever; 10 with --report and --diagram, 200 with --find",
                "End after so many rounds of each flow"},
    TraceOption{timing, 'i', "inter-ttl-delay", "TIME", TraceValue::duration, "", "100ms",
                "Between two probes of a round: TTL k leaves (k-1) times TIME after the round begins"},
    TraceOption{timing, 'd', "inter-probe-delay", "TIME", TraceValue::duration, "", "2s",
                "From the beginning of a flow's round to that of its next one"},
    TraceOption{timing, 't', "timeout", "TIME", TraceValue::duration, "", "1s",
                "How long a reply is waited for; one that comes later counts as lost"},

    TraceOption{output, 'J', "json", "", TraceValue::none, "", "",
                "Write one line of JSON for each finished round to standard output, and show nothing else there"},
    TraceOption{output, 'j', "json-file", "FILE", TraceValue::file, "", "",
                "Write these lines to FILE besides what is shown. What the file held is lost"},
    TraceOption{output, 0, "report", "", TraceValue::none, "", "",
                "Show nothing until the rounds are over, then print a table of the paths, the flows and their hops"},
    TraceOption{output, 0, "diagram", "FORM", TraceValue::words, "ascii utf8 dot svg", "",
                "Show nothing until the rounds are over, then print the fan of paths as a picture"},
    TraceOption{output, 0, "find", "WHAT", TraceValue::words, "loss", "",
                "Show nothing until it is clear which flows lose packets, or the rounds are over. Then print which "
                "link their loss begins at, and commands that send over it and past it"},
    TraceOption{output, 0, "replay", "RECORDED", TraceValue::file, "", "",
                "Show recorded rounds and send nothing: a file of lines from /paths or --json, or the directory of an "
                "exporter's history. DESTINATION says whose, and may be left out where there is only one"},
    TraceOption{output, 'n', "no-resolve", "", TraceValue::none, "", "", "Look up no names of addresses"},
    TraceOption{
        output, 0, "asn-database", "FILE", TraceValue::file, "", "",
        "Show the autonomous systems of addresses, by the prefixes in FILE: pfx2as or IPtoASN, plain or gzipped, or a "
        "database in MaxMind's format (.mmdb)"},
    TraceOption{output, 0, "city-database", "FILE", TraceValue::file, "", "",
                "Show the cities and countries of addresses, by a database in MaxMind's format (.mmdb)"},
    TraceOption{output, 0, "hash-algorithm", "NAME", TraceValue::words, "crc32 sha256", "crc32",
                "What path_hash is computed with"},
    TraceOption{output, 'l', "log", "FILE", TraceValue::file, "", "standard error",
                "Append the log to FILE. While the view is on the screen nothing is logged without it"},
    TraceOption{output, 0, "log-level", "LEVEL", TraceValue::words, "debug info warn error", "error",
                "Least severe messages to log"},

    TraceOption{simulation, 0, "simulate", "FILE", TraceValue::file, "", "",
                "Trace in the simulated network of this scenario, where DESTINATION may be the name of one of its "
                "destinations and may be left out. Needs no privilege. With --count it takes no time"},
    TraceOption{simulation, 0, "seed", "N", TraceValue::number, "", "1",
                "What chance in the simulated network begins with"},

    TraceOption{general, 'v', "version", "", TraceValue::none, "", "", "Print the version and exit"},
    TraceOption{general, 'h', "help", "", TraceValue::none, "", "", "Print a summary of the options and exit"},
};

}  // namespace

std::span<const TraceOption> trace_options() {
  return kOptions;
}

std::string_view title_of(TraceSection section) {
  constexpr auto kNames = std::to_array<std::string_view>({"Probes", "Timing", "Output", "Simulation", "General"});
  return name_at(kNames, section);
}

}  // namespace ecmp
