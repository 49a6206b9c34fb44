#include "render/fan/fan_order.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace ecmp::render {

namespace {

using Columns = std::vector<std::vector<std::size_t>>;

/// Of each place, its number in its column.
std::vector<std::size_t> positions(const LayeredGraph& graph) {
  std::vector<std::size_t> position(graph.places.size());
  for (const auto& column : graph.columns) {
    for (std::size_t i = 0; i < column.size(); ++i)
      position[column[i]] = i;
  }
  return position;
}

/// Counts, for each link in the order of its near end, the links seen before whose far end lies lower: a tree of
/// partial sums keeps a full mesh of 64 by 64 cheap.
std::size_t crossings_behind(const LayeredGraph& graph, std::size_t column, const std::vector<std::size_t>& position) {
  const std::size_t size = column + 1 < graph.columns.size() ? graph.columns[column + 1].size() : 0;
  std::vector<std::size_t> sums(size + 1);
  std::size_t seen = 0;
  std::size_t crossings = 0;
  std::vector<std::size_t> ends;
  for (const std::size_t place : graph.columns[column]) {
    ends.clear();
    for (const std::size_t next : graph.places[place].after)
      ends.push_back(position[next]);
    std::ranges::sort(ends);
    for (const std::size_t end : ends) {
      std::size_t above_or_same = 0;
      for (std::size_t i = end + 1; i > 0; i -= i & (~i + 1))
        above_or_same += sums[i];
      crossings += seen - above_or_same;
    }
    for (const std::size_t end : ends) {
      for (std::size_t i = end + 1; i <= size; i += i & (~i + 1))
        ++sums[i];
      ++seen;
    }
  }
  return crossings;
}

/// Sorts a column by where the neighbours on one side are on average.
void sort_column(LayeredGraph& graph, std::size_t column, bool by_before, std::vector<std::size_t>& position) {
  std::vector<std::pair<double, std::size_t>> keyed;
  for (const std::size_t place : graph.columns[column]) {
    const auto& neighbours = by_before ? graph.places[place].before : graph.places[place].after;
    double sum = 0;
    for (const std::size_t neighbour : neighbours)
      sum += static_cast<double>(position[neighbour]);
    const double own = static_cast<double>(position[place]);
    keyed.emplace_back(neighbours.empty() ? own : sum / static_cast<double>(neighbours.size()), place);
  }
  std::ranges::stable_sort(keyed, {}, [](const auto& one) { return one.first; });
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    graph.columns[column][i] = keyed[i].second;
    position[keyed[i].second] = i;
  }
}

void untangle(LayeredGraph& graph) {
  constexpr int kSweeps = 12;
  std::vector<std::size_t> position = positions(graph);
  Columns best = graph.columns;
  std::size_t least = count_crossings(graph);
  for (int sweep = 0; sweep < kSweeps && least > 0; ++sweep) {
    const std::size_t count = graph.columns.size();
    for (std::size_t i = 1; i < count; ++i) {
      const bool there = sweep % 2 == 0;
      sort_column(graph, there ? i : count - 1 - i, there, position);
    }
    const std::size_t crossings = count_crossings(graph);
    if (crossings < least) {
      least = crossings;
      best = graph.columns;
    }
  }
  graph.columns = std::move(best);
}

/// Rows of a column as near as can be (least squares) to those wished for, with the order kept and 1 apart: pool
/// adjacent violators.
void settle(LayeredGraph& graph, const std::vector<std::size_t>& column, const std::vector<double>& wishes) {
  struct Block {
    double mean;
    std::size_t size;
  };
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < column.size(); ++i) {
    blocks.push_back({wishes[i] - static_cast<double>(i), 1});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].mean > blocks.back().mean) {
      const Block last = blocks.back();
      blocks.pop_back();
      Block& block = blocks.back();
      const auto size = static_cast<double>(block.size);
      const auto more = static_cast<double>(last.size);
      block.mean = (block.mean * size + last.mean * more) / (size + more);
      block.size += last.size;
    }
  }
  std::size_t at = 0;
  for (const Block& block : blocks) {
    for (std::size_t i = 0; i < block.size; ++i, ++at)
      graph.places[column[at]].row = block.mean + static_cast<double>(at);
  }
}

void place_rows(LayeredGraph& graph) {
  for (const auto& column : graph.columns) {
    for (std::size_t i = 0; i < column.size(); ++i)
      graph.places[column[i]].row = static_cast<double>(i) - static_cast<double>(column.size() - 1) / 2;
  }
  // Between neighbours on both sides each time, from either end in turn: a few times are enough to come to rest.
  constexpr int kSweeps = 10;
  std::vector<double> wishes;
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    for (std::size_t i = 0; i < graph.columns.size(); ++i) {
      const auto& column = graph.columns[sweep % 2 == 0 ? i : graph.columns.size() - 1 - i];
      wishes.clear();
      for (const std::size_t id : column) {
        const LayeredGraph::Place& place = graph.places[id];
        double sum = 0;
        for (const auto* const side : {&place.before, &place.after}) {
          for (const std::size_t neighbour : *side)
            sum += graph.places[neighbour].row;
        }
        const std::size_t count = place.before.size() + place.after.size();
        wishes.push_back(count == 0 ? place.row : sum / static_cast<double>(count));
      }
      settle(graph, column, wishes);
    }
  }
}

/// From 0 down, in steps that a picture of text can keep.
void normalise(LayeredGraph& graph) {
  double least = 0;
  bool first = true;
  for (const LayeredGraph::Place& place : graph.places) {
    least = first ? place.row : std::min(least, place.row);
    first = false;
  }
  constexpr double kSteps = 64;  // a power of two: rows stay exactly 1 apart, and the same on every machine
  for (LayeredGraph::Place& place : graph.places)
    place.row = std::round((place.row - least) * kSteps) / kSteps;
  for (const auto& column : graph.columns) {
    for (std::size_t i = 1; i < column.size(); ++i) {
      const double least_row = graph.places[column[i - 1]].row + 1;
      graph.places[column[i]].row = std::max(graph.places[column[i]].row, least_row);
    }
  }
}

}  // namespace

void LayeredGraph::link(std::size_t from, std::size_t to) {
  places[from].after.push_back(to);
  places[to].before.push_back(from);
}

std::size_t count_crossings(const LayeredGraph& graph) {
  const std::vector<std::size_t> position = positions(graph);
  std::size_t crossings = 0;
  for (std::size_t column = 0; column + 1 < graph.columns.size(); ++column)
    crossings += crossings_behind(graph, column, position);
  return crossings;
}

void arrange(LayeredGraph& graph) {
  untangle(graph);
  place_rows(graph);
  normalise(graph);
}

}  // namespace ecmp::render
