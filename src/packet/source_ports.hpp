#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "packet/five_tuple.hpp"

namespace ecmp {

/// Source ports (ICMP: identifiers) from `first` to `last`, both included.
struct PortBlock {
  std::uint16_t first = 32768;
  std::uint16_t last = 49151;

  [[nodiscard]] std::uint32_t size() const { return std::uint32_t{last} - first + 1; }
  friend bool operator==(const PortBlock&, const PortBlock&) = default;
};

/// All ports of a block in the order in which the flows of one destination take them. The order looks random, and comes
/// from name, protocol and destination port and nothing else: it is the same after every restart and reload, whatever
/// the address is, and further flows leave the first ones their ports.
///
/// Why not one port after the other: CRC and XOR are linear, so that they deal consecutive ports out by a pattern. Some
/// branches of a fan then get none of them, however many there are (docs/adr/0025-spread-source-ports.md).
class PortOrder {
 public:
  PortOrder(PortBlock block, std::string_view name, Protocol protocol, std::uint16_t destination_port);

  /// Port `place` of the order; below size().
  [[nodiscard]] std::uint16_t operator[](std::uint32_t place) const;
  [[nodiscard]] std::uint32_t size() const { return block_.size(); }

 private:
  PortBlock block_;
  unsigned half_bits_ = 1;  ///< the permutation is one of 2 * half_bits_ bits
  std::uint64_t seed_ = 0;
};

/// The source ports of the flows of one destination. Copies share one list.
class SourcePorts {
 public:
  /// Flow i has port first + i.
  SourcePorts(std::uint16_t first = 0) : first_(first) {}  // NOLINT(google-explicit-constructor): a port is a start
  explicit SourcePorts(std::vector<std::uint16_t> ports)
      : list_(std::make_shared<const std::vector<std::uint16_t>>(std::move(ports))) {}
  /// The first `count` of the order, or as many as there are.
  SourcePorts(const PortOrder& order, std::uint32_t count);

  /// The port of a flow; 0 for one that has none.
  [[nodiscard]] std::uint16_t operator[](std::size_t flow) const {
    if (list_ == nullptr) return static_cast<std::uint16_t>(first_ + flow);
    return flow < list_->size() ? (*list_)[flow] : std::uint16_t{0};
  }

  /// The ports one by one; empty where they are consecutive.
  [[nodiscard]] std::span<const std::uint16_t> list() const {
    return list_ == nullptr ? std::span<const std::uint16_t>() : std::span<const std::uint16_t>(*list_);
  }

  /// Whether every flow that both have has the same port in both.
  [[nodiscard]] bool agrees(const SourcePorts& other) const;

 private:
  std::uint16_t first_ = 0;
  std::shared_ptr<const std::vector<std::uint16_t>> list_;
};

}  // namespace ecmp
