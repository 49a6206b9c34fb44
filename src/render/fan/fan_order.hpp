#pragma once

#include <cstddef>
#include <vector>

namespace ecmp::render {

/// A layered graph whose links go from a column to the next one only: what crosses a column has a place of its own
/// there.
struct LayeredGraph {
  struct Place {
    std::size_t column = 0;
    std::vector<std::size_t> before;  ///< places of the column before that are linked to it
    std::vector<std::size_t> after;
    double row = 0;
  };

  std::vector<Place> places;
  std::vector<std::vector<std::size_t>> columns;  ///< places from the top down

  void link(std::size_t from, std::size_t to);
};

/// How many pairs of links cross.
std::size_t count_crossings(const LayeredGraph& graph);

/// Orders the places of each column so that few links cross (barycentre sweeps there and back; the order given is
/// kept where it makes no difference) and gives them rows: near to those they are linked with, 1 apart, from 0 down.
void arrange(LayeredGraph& graph);

}  // namespace ecmp::render
