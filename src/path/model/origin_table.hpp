#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace ecmp {

/// Which autonomous systems announce an address: the longest prefix that holds it decides. Never changes once it is
/// made. About 8 bytes for an IPv4 prefix and 20 for one of IPv6.
class OriginTable {
 public:
  /// "64500", or "64500_64501" where several do; empty if nobody does.
  [[nodiscard]] std::string_view origin(const IpAddress& address) const;

  [[nodiscard]] std::uint64_t prefixes() const { return prefixes_; }
  /// Bytes held.
  [[nodiscard]] std::size_t bytes() const;

 private:
  friend class OriginTableBuilder;
  using Wide = std::array<std::uint64_t, 2>;  ///< an IPv6 address as a number, upper half first

  /// From an address on, until the next: whose it is.
  template <typename Number>
  struct Ranges {
    std::vector<Number> starts;
    std::vector<std::uint32_t> origins;  ///< of names_; 0: nobody's
  };

  template <typename Number>
  [[nodiscard]] std::string_view find(const Ranges<Number>& ranges, const Number& address) const;

  Ranges<std::uint32_t> v4_;
  Ranges<Wide> v6_;
  std::vector<std::string> names_ = {""};
  std::uint64_t prefixes_ = 0;
};

/// Reads a table out of text, which may come in pieces of any size. Two forms of lines are understood, also mixed:
///
///   pfx2as of CAIDA and RouteViews   PREFIX <tab> LENGTH <tab> ORIGIN, as "192.0.2.0  24  64500"; ORIGIN may be
///   several
///                                    origins "64500_64501" and sets "64500,64501"
///   IPtoASN                          FIRST <tab> LAST <tab> ASN <tab> COUNTRY <tab> NAME; an ASN of 0 is nobody
///
/// Empty lines and those that begin with # say nothing. Where two say something of the same addresses, the smaller one
/// holds, and of two alike the later one.
class OriginTableBuilder {
 public:
  /// Ten times what the Internet has.
  static constexpr std::size_t kMostPrefixes = 12'000'000;
  static constexpr std::size_t kLongestLine = 1024;
  static constexpr std::size_t kLongestOrigin = 120;

  /// Takes in the next piece. The error names the line: "12: what is wrong"; nothing is to be fed after it.
  std::optional<Error> feed(std::string_view piece);
  /// The text is over.
  Result<OriginTable> finish();

 private:
  using Wide = OriginTable::Wide;
  template <typename Number>
  struct Span {
    Number first;
    Number last;
    std::uint32_t origin;
  };

  std::optional<Error> take_line(std::string_view line);
  std::optional<Error> take_prefix(const IpAddress& network, std::string_view length, std::string_view origin);
  std::optional<Error> take_range(const IpAddress& first, std::string_view last, std::string_view origin);
  std::optional<Error> add(const IpAddress& first, const IpAddress& last, std::string_view origin);
  [[nodiscard]] Error at_line(std::string_view what) const;
  template <typename Number>
  static void lay(std::vector<Span<Number>>& spans, OriginTable::Ranges<Number>& ranges);

  std::vector<Span<std::uint32_t>> v4_;
  std::vector<Span<Wide>> v6_;
  std::unordered_map<std::string, std::uint32_t> numbers_;
  std::vector<std::string> names_ = {""};
  std::string rest_;  ///< of a line whose end has not come yet
  std::uint64_t line_ = 0;
};

/// The table that this text is; the error begins with "line: ".
Result<OriginTable> parse_origins(std::string_view text);

}  // namespace ecmp
