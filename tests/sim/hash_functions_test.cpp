#include "sim/hash_functions.hpp"

#include <map>
#include <set>
#include <string_view>

#include "base/ip_address.hpp"
#include "catch.hpp"

namespace ecmp::sim {
namespace {

ByteView text(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

/// What routers hash of a TCP or UDP datagram: addresses, ports.
std::vector<std::uint8_t> headers(std::string_view source, std::string_view destination, int source_port = -1,
                                  int destination_port = -1) {
  std::vector<std::uint8_t> bytes;
  for (const std::string_view address : {source, destination}) {
    const auto parsed = IpAddress::parse(address).value();
    const ByteView view = parsed.bytes();
    bytes.insert(bytes.end(), view.begin(), view.end());
  }
  for (const int port : {source_port, destination_port}) {
    if (port < 0) continue;
    bytes.push_back(static_cast<std::uint8_t>(port >> 8));
    bytes.push_back(static_cast<std::uint8_t>(port));
  }
  return bytes;
}

TEST_CASE("CRCs have the check values of the CRC catalogue", "[hash_functions]") {
  // Greg Cook, "Catalogue of parametrised CRC algorithms": the CRC of "123456789".
  CHECK(crc16_arc(text("123456789")) == 0xbb3d);             // CRC-16/ARC
  CHECK(crc16_xmodem(text("123456789")) == 0x31c3);          // CRC-16/XMODEM
  CHECK(crc16_xmodem(text("123456789"), 0xffff) == 0x29b1);  // CRC-16/IBM-3740
  CHECK(crc32_ieee(text("123456789")) == 0xcbf43926);        // CRC-32/ISO-HDLC
}

TEST_CASE("Toeplitz has the values of Microsoft's verification suite", "[hash_functions]") {
  // "Verifying the RSS hash calculation": source, destination, without and with ports.
  struct Row {
    const char *source, *destination;
    int source_port, destination_port;
    std::uint32_t addresses, with_ports;
  };
  for (const Row& row : {
           Row{"66.9.149.187", "161.142.100.80", 2794, 1766, 0x323e8fc2, 0x51ccc178},
           Row{"199.92.111.2", "65.69.140.83", 14230, 4739, 0xd718262a, 0xc626b0ea},
           Row{"24.19.198.95", "12.22.207.184", 12898, 38024, 0xd2d0a5de, 0x5c2b394a},
           Row{"38.27.205.30", "209.142.163.6", 48228, 2217, 0x82989176, 0xafc7327f},
           Row{"153.39.163.191", "202.188.127.2", 44251, 1303, 0x5d1809c5, 0x10e828a2},
           Row{"3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766, 0x2cc18cd5, 0x40207d3d},
           Row{"3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739, 0x0f0c461c, 0xdde51bbf},
       }) {
    CAPTURE(row.source);
    CHECK(toeplitz(headers(row.source, row.destination)) == row.addresses);
    CHECK(toeplitz(headers(row.source, row.destination, row.source_port, row.destination_port)) == row.with_ports);
  }
}

TEST_CASE("XOR16 adds words without carry", "[hash_functions]") {
  // 0x0102 ^ 0x0304 ^ 0x0500 = 0x0706
  const std::vector<std::uint8_t> bytes{1, 2, 3, 4, 5};
  CHECK(xor16(bytes) == 0x0706);
}

TEST_CASE("a seed moves every choice of a CRC by the same constant", "[hash_functions]") {
  // "Hashing Linearity Enables Relative Path Control in Data Centers" (ATC 2021): so two stages with the same CRC and
  // different seeds stay polarised over 2^k next hops, and do not over three.
  for (const HashFunction function : {HashFunction::crc16_bisync, HashFunction::crc16_ccitt, HashFunction::crc32_upper,
                                      HashFunction::crc32_lower, HashFunction::xor16, HashFunction::toeplitz}) {
    std::set<std::uint32_t> differences;
    std::map<std::uint32_t, std::set<std::uint32_t>> of_three;
    for (int port = 32768; port < 34768; ++port) {
      const auto bytes = headers("192.0.2.1", "198.51.100.1", port * 7 % 16384 + 32768, 443);
      differences.insert(choose_by_hash(function, 1, bytes, 8) ^ choose_by_hash(function, 0x9e3779b9, bytes, 8));
      of_three[choose_by_hash(function, 1, bytes, 3)].insert(choose_by_hash(function, 0x9e3779b9, bytes, 3));
    }
    CAPTURE(static_cast<int>(function));
    CHECK(differences.size() == 1);
    CHECK(of_three.begin()->second.size() > 1);
  }
  std::set<std::uint32_t> differences;
  for (int port = 32768; port < 33768; ++port) {
    const auto bytes = headers("192.0.2.1", "198.51.100.1", port, 443);
    differences.insert(choose_by_hash(HashFunction::siphash, 1, bytes, 8) ^
                       choose_by_hash(HashFunction::siphash, 2, bytes, 8));
  }
  CHECK(differences.size() == 8);
}

}  // namespace
}  // namespace ecmp::sim
