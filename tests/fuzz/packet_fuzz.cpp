// Feeds parse() and parse_probe() with what libFuzzer makes of the golden datagrams: as it is, and with the checksums
// put right, for a fuzzer does not guess them.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "packet/checksum.hpp"
#include "packet/message.hpp"
#include "unit/packet/invariants.hpp"

namespace {

using ecmp::ByteView;

void check(ByteView datagram) {
  if (!ecmp::packet::samples::sound(datagram, ecmp::packet::parse(datagram))) std::abort();
  const auto probe = ecmp::packet::parse_probe(datagram);
  if (const auto* quote = std::get_if<ecmp::packet::Quote>(&probe))
    if (!ecmp::packet::samples::sound(datagram, *quote)) std::abort();
}

std::uint16_t complement(std::uint16_t sum) {
  return static_cast<std::uint16_t>(~sum);
}

/// IPv4 header and ICMP message without extension headers.
void repair(std::vector<std::uint8_t>& bytes) {
  const ByteView view(bytes);
  const bool v4 = view[0] >> 4 == 4;
  const std::size_t header = v4 ? std::size_t{view[0] & 0xfu} * 4 : 40;
  if (header < 20 || view.size() < header + 4) return;
  if (v4) {
    ecmp::store16(bytes, 10, 0);
    ecmp::store16(bytes, 10, complement(ecmp::packet::ones_complement_sum(view.first(header))));
  }
  const std::size_t total = v4 ? ecmp::load16(view, 2) : ecmp::load16(view, 4) + std::size_t{40};
  if (view[v4 ? 9 : 6] != (v4 ? 1 : 58) || total < header + 4 || total > view.size()) return;
  ecmp::store16(bytes, header + 2, 0);
  const ByteView message = view.subspan(header, total - header);
  std::uint16_t sum = 0;
  if (!v4)
    sum = ecmp::packet::pseudo_header_sum(ecmp::IpAddress::v6(view.subspan<8, 16>()),
                                          ecmp::IpAddress::v6(view.subspan<24, 16>()), 58,
                                          static_cast<std::uint32_t>(message.size()));
  ecmp::store16(bytes, header + 2, complement(ecmp::packet::ones_complement_sum(message, sum)));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  check({data, size});
  if (size == 0) return 0;
  std::vector<std::uint8_t> repaired(data, data + size);
  repaired.shrink_to_fit();
  repair(repaired);
  check(repaired);
  return 0;
}
