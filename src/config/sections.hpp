#pragma once

#include "config/config.hpp"
#include "config/reader.hpp"

namespace ecmp::config {

// One function for each table of the file but [probe] and [[destination]]. They take the root's reader, for the table
// may be missing, and write into `config` what is right; what is wrong goes to the reader's problems.

void read_web(TableReader& root, Config& config);
void read_limits(TableReader& root, Config& config);
void read_window(TableReader& root, Config& config);
void read_histograms(TableReader& root, Config& config);
void read_metrics(TableReader& root, Config& config);
void read_history(TableReader& root, Config& config);
void read_dns(TableReader& root, Config& config);
void read_discovery(TableReader& root, Config& config);
void read_shard(TableReader& root, Config& config);
void read_localisation(TableReader& root, Config& config);
void read_reflector(TableReader& root, Config& config);

/// A list of networks, each once.
void read_networks(TableReader& reader, std::string_view key, std::vector<Network>& networks);

}  // namespace ecmp::config
