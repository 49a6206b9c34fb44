#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace ecmp::net {

/// Whether an Accept-Encoding header asks for gzip rather than for the plain body (RFC 9110 section 12.5.3): q-values
/// and "*" count, and gzip is taken where identity is not explicitly preferred. An unreadable element counts as absent.
bool prefers_gzip(std::string_view accept_encoding);

/// Compresses one body, fast rather than small: a scrape is compressed on every request.
class GzipEncoder {
 public:
  enum class Flush : std::uint8_t {
    none,  ///< keep what does not fill a block yet
    sync,  ///< everything so far can be read at the other end
    end,   ///< the last call
  };

  /// Throws std::bad_alloc when there is no memory for its 256 KiB.
  GzipEncoder();
  GzipEncoder(const GzipEncoder&) = delete;
  GzipEncoder& operator=(const GzipEncoder&) = delete;
  ~GzipEncoder();

  void append(std::string_view plain, Flush flush, std::string& out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// A whole body at once.
std::string gzip(std::string_view plain);

}  // namespace ecmp::net
