// Databases in MaxMind's format: whatever stands there, opening and asking ends, what is said is short, and a system is
// a number. The library reads the file; what is tried is it and how it is asked.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/names/mmdb_file.hpp"

namespace {

constexpr std::size_t kLongestName = 120;

void require(bool holds) {
  if (!holds) std::abort();
}

/// A file in memory with a path.
class File {
 public:
  File(const std::uint8_t* data, std::size_t size) : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    require(descriptor_ >= 0);
    for (std::size_t put = 0; put < size;) {
      const ssize_t more = ::write(descriptor_, data + put, size - put);
      require(more > 0);
      put += static_cast<std::size_t>(more);
    }
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() { ::close(descriptor_); }
  [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

bool is_number(std::string_view text) {
  return text.size() <= 10 && std::ranges::all_of(text, [](char each) { return each >= '0' && each <= '9'; });
}

}  // namespace

/// The library forgets what it has allocated where metadata are malformed, which a damaged file costs once a reload.
extern "C" const char* __lsan_default_suppressions();   // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __lsan_default_suppressions() {  // NOLINT(bugprone-reserved-identifier)
  return "leak:libmaxminddb";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const File file(data, size);
  const bool marked = ecmp::is_mmdb(file.path());
  const auto opened = ecmp::open_mmdb(file.path());
  if (!opened.ok()) {
    require(opened.error().starts_with(file.path() + ": "));
    require(opened.error().find('\n') == std::string::npos);
    return 0;
  }
  require(marked);
  for (const std::string_view text : {"0.0.0.1", "10.0.0.1", "192.0.2.1", "192.0.2.129", "198.51.100.7",
                                      "255.255.255.255", "::1", "2001:db8::1", "2001:db8:1::", "ffff:ffff::"}) {
    const auto address = ecmp::IpAddress::parse(text);
    require(address.has_value());
    const std::string_view origin = (*opened)->origin(*address);
    const std::string_view city = (*opened)->city(*address);
    const std::string_view country = (*opened)->country(*address);
    require(is_number(origin));
    require(city.size() <= kLongestName && country.size() <= kLongestName);
    // It stays where it is, whatever is asked besides.
    const std::array<std::string, 3> once = {std::string(origin), std::string(city), std::string(country)};
    require(once[0] == (*opened)->origin(*address));
    require(once[1] == city && once[2] == country);
  }
  return 0;
}
