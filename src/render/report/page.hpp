#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "path/model/snapshot.hpp"

namespace ecmp::render {

/// The page at /: what runs here, where the rest is, and a table of the destinations, by name. Complete in itself:
/// nothing in it makes a browser ask another server.
std::string page(std::span<const std::shared_ptr<const DestinationSnapshot>> snapshots, std::string_view version);

}  // namespace ecmp::render
