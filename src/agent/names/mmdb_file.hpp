#pragma once

#include <memory>
#include <string>

#include "agent/names/address_source.hpp"
#include "base/result.hpp"

namespace ecmp {

/// Whether a file is a database in MaxMind's format, by its name (".mmdb") or the mark that stands near its end. False
/// where it cannot be read.
bool is_mmdb(const std::string& path);

/// Opens a database in MaxMind's format (maxmind.github.io/MaxMind-DB), as MaxMind and IPinfo have them: systems
/// (`autonomous_system_number`, or `asn` as "AS64500"), cities (`city.names.en`, or `city`) and countries
/// (`country.iso_code`, or `country` as a code). It is copied into memory, so that whatever becomes of the file harms
/// nobody. The error is "FILE: why".
Result<std::shared_ptr<const AddressSource>> open_mmdb(const std::string& path);

}  // namespace ecmp
