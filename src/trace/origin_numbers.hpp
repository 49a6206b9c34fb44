#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "render/hop_names.hpp"
#include "tui/scene.hpp"

namespace ecmp {

/// The first of the systems that announce an address, for the live view.
class OriginNumbers final : public tui::AsNumbers {
 public:
  explicit OriginNumbers(std::shared_ptr<const render::HopNames> names) : names_(std::move(names)) {}
  [[nodiscard]] std::uint32_t number(const IpAddress& address) const override {
    const std::string_view origin = names_->origin(address);
    std::uint32_t value = 0;
    std::from_chars(origin.data(), origin.data() + origin.size(), value);
    return value;
  }

 private:
  std::shared_ptr<const render::HopNames> names_;
};

}  // namespace ecmp
