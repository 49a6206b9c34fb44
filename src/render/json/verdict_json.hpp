#pragma once

#include <string>

#include "path/localisation/balance.hpp"
#include "path/localisation/crosswise.hpp"
#include "path/localisation/link_verdict.hpp"

namespace ecmp::render {

// Findings of localisation as JSON objects; docs/http.md has their fields.

void append_link_verdict(std::string& out, const LinkVerdict& verdict);
void append_delay_verdict(std::string& out, const DelayVerdict& verdict);
void append_branching(std::string& out, const Branching& branching);
void append_polarisation(std::string& out, const Polarisation& pair);
void append_crosswise(std::string& out, const Crosswise& crosswise);

}  // namespace ecmp::render
