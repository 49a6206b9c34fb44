#pragma once

#include "config/config.hpp"
#include "config/reader.hpp"

namespace ecmp::config {

// One function for each table of the file but those about probes. They take the table's reader, and write into `config`
// what is right; what is wrong goes to the reader's problems.

void read_web(TableReader& reader, Config& config);
void read_limits(TableReader& reader, Config& config);
void read_window(TableReader& reader, Config& config);
void read_histograms(TableReader& reader, Config& config);
void read_metrics(TableReader& reader, Config& config);
void read_history(TableReader& reader, Config& config);
void read_dns(TableReader& reader, Config& config);
void read_discovery(TableReader& reader, Config& config);
void read_shard(TableReader& reader, Config& config);
void read_localisation(TableReader& reader, Config& config);
void read_reflector(TableReader& reader, Config& config);

/// A list of networks, each once.
void read_networks(TableReader& reader, std::string_view key, std::vector<Network>& networks);

}  // namespace ecmp::config
