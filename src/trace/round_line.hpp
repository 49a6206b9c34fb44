#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/result.hpp"
#include "path/model/round_record.hpp"
#include "render/hop_names.hpp"

namespace ecmp {

/// Names, origins and places of addresses, as lines of rounds say them.
class RecordedNames final : public render::HopNames {
 public:
  /// More addresses than this have no name: a file may hold anything.
  static constexpr std::size_t kMost = 65536;

  [[nodiscard]] std::string_view name(const IpAddress& address) const override { return of(names_, address); }
  [[nodiscard]] std::string_view origin(const IpAddress& address) const override { return of(origins_, address); }

  [[nodiscard]] std::string_view city(const IpAddress& address) const override { return of(cities_, address); }
  [[nodiscard]] std::string_view country(const IpAddress& address) const override { return of(countries_, address); }

  void set_name(const IpAddress& address, std::string_view name) { set(names_, address, name); }
  void set_origin(const IpAddress& address, std::string_view origin) { set(origins_, address, origin); }
  void set_city(const IpAddress& address, std::string_view city) { set(cities_, address, city); }
  void set_country(const IpAddress& address, std::string_view country) { set(countries_, address, country); }

 private:
  using Texts = std::unordered_map<IpAddress, std::string>;
  static std::string_view of(const Texts& texts, const IpAddress& address) {
    const auto found = texts.find(address);
    return found == texts.end() ? std::string_view{} : std::string_view(found->second);
  }
  static void set(Texts& texts, const IpAddress& address, std::string_view text);

  Texts names_;
  Texts origins_;
  Texts cities_;
  Texts countries_;
};

/// The longest line that is read; a round of 255 hops with eight labels each is shorter.
constexpr std::size_t kLongestRoundLine = std::size_t{1} << 20;

/// Reads one line of /paths or of `ecmp_trace --json`: what render::append_round() writes. Takes names in, too. What
/// such a line does not say is left empty: the responders of the path, its window, the facts beyond name, address,
/// protocol and port, and what replies give away; the distance is that of the round, 0 where it did not reach. The
/// error says in one line what is wrong, without the place.
Result<std::shared_ptr<RoundRecord>> read_round_line(std::string_view line, RecordedNames& names);

}  // namespace ecmp
