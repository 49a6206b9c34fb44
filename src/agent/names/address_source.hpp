#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "base/ip_address.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// What a file says of addresses: the systems that announce them, or where they are. Never changes once it is read. Any
/// thread; what is returned is valid as long as the source is. Empty: not known. Files come from elsewhere: nothing is
/// to be believed of the bytes.
class AddressSource {
 public:
  AddressSource() = default;
  AddressSource(const AddressSource&) = delete;
  AddressSource& operator=(const AddressSource&) = delete;
  virtual ~AddressSource() = default;

  [[nodiscard]] virtual std::string_view origin(const IpAddress& /*address*/) const { return {}; }
  [[nodiscard]] virtual std::string_view city(const IpAddress& /*address*/) const { return {}; }
  [[nodiscard]] virtual std::string_view country(const IpAddress& /*address*/) const { return {}; }
};

/// Names, and what a source says besides: whoever renders asks for all of it.
class NamesAndSource final : public render::HopNames {
 public:
  NamesAndSource(std::shared_ptr<const render::HopNames> names, std::shared_ptr<const AddressSource> source)
      : names_(std::move(names)), source_(std::move(source)) {}

  [[nodiscard]] std::string_view name(const IpAddress& address) const override { return names_->name(address); }
  [[nodiscard]] std::string_view origin(const IpAddress& address) const override {
    return first(source_->origin(address), names_->origin(address));
  }
  [[nodiscard]] std::string_view city(const IpAddress& address) const override {
    return first(source_->city(address), names_->city(address));
  }
  [[nodiscard]] std::string_view country(const IpAddress& address) const override {
    return first(source_->country(address), names_->country(address));
  }

 private:
  static std::string_view first(std::string_view one, std::string_view other) { return one.empty() ? other : one; }

  std::shared_ptr<const render::HopNames> names_;
  std::shared_ptr<const AddressSource> source_;
};

/// The names themselves where `source` is null.
inline std::shared_ptr<const render::HopNames> with_source(std::shared_ptr<const render::HopNames> names,
                                                           const std::shared_ptr<const AddressSource>& source) {
  if (source == nullptr) return names;
  return std::make_shared<const NamesAndSource>(std::move(names), source);
}

/// Those that a user may name; null where none was.
struct AddressSources {
  std::shared_ptr<const AddressSource> asn;
  std::shared_ptr<const AddressSource> cities;

  [[nodiscard]] std::shared_ptr<const render::HopNames> with(std::shared_ptr<const render::HopNames> names) const {
    return with_source(with_source(std::move(names), asn), cities);
  }
};

}  // namespace ecmp
