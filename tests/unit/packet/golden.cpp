#include "golden.hpp"

#include <stdexcept>

namespace ecmp::packet::samples {

// Made and summed by a script of its own and read by tcpdump, which found every checksum right.
const std::vector<Golden>& golden() {
  static const std::vector<Golden> kGolden = {
      {"v4_time_exceeded_smallest_quote",
       hex("45c00038 00000000 3e0115cf cb007101 c6336401 0b00f004 00000000 45b80034 12344000 01117a97 c6336401 "
           "c0000201 c350829a 0020beef")},
      // One byte less than RFC 792 obliges a router to quote.
      {"v4_time_exceeded_7_bytes",
       hex("45000037 00000000 3e011690 cb007101 c6336401 0b00f0f3 00000000 45b80034 12344000 01117a97 c6336401 "
           "c0000201 c350829a 0020be")},
      // RFC 4884 with 32 words of quote; interface information (RFC 5837) before the label stack (RFC 4950).
      {"v4_time_exceeded_mpls",
       hex("450000bc 00000000 fa015a0a cb007101 c6336401 0b00e147 00200000 45b80034 12344000 01117a97 c6336401 "
           "c0000201 c350829a 0020beef 7c06a1a2 a3a4a5a6 a7a8 00*90 20006a1c 0010020a 00000003 0867652d 302f302f "
           "000c0101 03e84001 05dc5b01")},
      // Length 0, the quote padded to 128 bytes, a label stack behind it (RFC 4884 section 5.5).
      {"v4_time_exceeded_mpls_legacy",
       hex("450000a8 00000000 fa015a1e cb007101 c6336401 0b00e167 00000000 45b80034 12344000 01117a97 c6336401 "
           "c0000201 c350829a 0020beef 7c06a1a2 a3a4a5a6 a7a8 00*90 200094b0 00080101 49450101")},
      // No-operation options in the outer header, router alert (RFC 2113) in the quoted one.
      {"v4_time_exceeded_ip_options",
       hex("46000058 00000000 3e01136e cb007101 c6336401 01010100 0b00e167 00000000 46b80038 12344000 0111e58e "
           "c6336401 c0000201 94040000 c350829a 0020beef 7c06a1a2 a3a4a5a6 a7a8 00*14")},
      {"v4_time_exceeded_tcp_8_bytes",
       hex("45000038 00000000 4001148f cb007101 c6336401 0b009255 00000000 4500003c 00774000 01068d0f c6336401 "
           "c0000201 c35101bb deadbeef")},
      {"v4_time_exceeded_echo",
       hex("45000058 00000000 4001146f cb007101 c6336401 0b00f4ff 00000000 4500003c 00774000 01018d14 c6336401 "
           "c0000201 08005a5a c3500007 47b7a1a2 a3a4a5a6 a7a8 00*22")},
      {"v4_port_unreachable",
       hex("45c00050 00000000 350198b7 c0000201 c6336401 0303e964 00000000 45b80034 12344000 35114697 c6336401 "
           "c0000201 c350829a 0020beef 7c06a1a2 a3a4a5a6 a7a8 00*14")},
      // 576 bytes in all, as RFC 1812 section 4.3.2.3 wants it.
      {"v4_fragmentation_needed",
       hex("45000240 00000000 40011287 cb007101 c6336401 0304e993 00000578 450005dc 00014000 09117fda c6336401 "
           "c0000201 c350829a 05c8beef 70b6a1a2 a3a4a5a6 a7a8 00*510")},
      {"v4_reassembly_time_exceeded",
       hex("45000050 00000000 40011477 cb007101 c6336401 0b01e166 00000000 45b80034 12344000 01117a97 c6336401 "
           "c0000201 c350829a 0020beef 7c06a1a2 a3a4a5a6 a7a8 00*14")},
      {"v4_echo_reply",
       hex("4500003c 00000000 40018e8b c0000201 c6336401 0000625a c3500007 47b7a1a2 a3a4a5a6 a7a8 00*22")},
      {"v4_syn_ack",
       hex("4500003c 00004000 37065786 c0000201 c6336401 01bbc351 01020304 deadbef0 a012ffff f5070000 020405b4 "
           "0402080a 00000001 00000000 01030307")},
      // As it comes from Ethernet: padded to 46 bytes.
      {"v4_rst_padded",
       hex("45000028 00004000 3706579a c0000201 c6336401 01bbc351 00000000 deadbef0 5014ffff 60ef0000 00000000 "
           "0000")},
      {"v4_udp", hex("45000028 00000000 3711978f c0000201 c6336401 0035c350 0014bc53 12348182 00000000 00000000")},
      {"v6_time_exceeded",
       hex("60000000 00443a3e 20010db8 00*11 fe20010d b8 00*11 01030066 b7000000 006b8abc de001411 0120010d b8 "
           "00*11 0120010d b8ffff 00*9 01c35082 9a0014be ef0ce1a1 a2a3a4a5 a6a7a800 00")},
      {"v6_time_exceeded_mpls",
       hex("60000000 00943a3e 20010db8 00*11 fe20010d b8 00*11 01030056 67100000 006b8abc de001411 0120010d b8 "
           "00*11 0120010d b8ffff 00*9 01c35082 9a0014be ef0ce1a1 a2a3a4a5 a6a7a8 00*70 20008819 00080101 "
           "05dc5101")},
      // Hop-by-hop, destination options, first fragment, then UDP.
      {"v6_time_exceeded_extension_headers",
       hex("60000000 005c3a3e 20010db8 00*11 fe20010d b8 00*11 010300f1 c1000000 006b8abc de002c00 0120010d b8 "
           "00*11 0120010d b8ffff 00*9 013c0001 04000000 002c0001 04000000 00110000 0100000a bcc35082 9a0014be "
           "ef0ce1a1 a2a3a4a5 a6a7a800 00")},
      {"v6_packet_too_big",
       hex("60000000 04d83a3e 20010db8 00*11 fe20010d b8 00*11 01020069 68000005 00600abc de057811 3c20010d b8 "
           "00*11 0120010d b8ffff 00*9 01c35082 9a0578be ef0219a1 a2a3a4a5 a6a7a8 00*1174")},
      {"v6_port_unreachable",
       hex("60000000 00443a35 20010db8 ffff 00*9 0120010d b8 00*11 01010469 7c000000 006b8abc de001411 3520010d "
           "b8 00*11 0120010d b8ffff 00*9 01c35082 9a0014be ef0ce1a1 a2a3a4a5 a6a7a800 00")},
      {"v6_time_exceeded_echo",
       hex("60000000 00443a3e 20010db8 00*11 fe20010d b8 00*11 01030006 48000000 00600000 0100143a 0120010d b8 "
           "00*11 0120010d b8ffff 00*9 0180005a 5ac35000 0773f4a1 a2a3a4a5 a6a7a800 00")},
      {"v6_echo_reply",
       hex("60000000 00143a35 20010db8 ffff 00*9 0120010d b8 00*11 01810059 5ac35000 0773f4a1 a2a3a4a5 a6a7a800 "
           "00")},
      {"v6_rst",
       hex("60000000 00140635 20010db8 ffff 00*9 0120010d b8 00*11 0101bbc3 51000000 00deadbe f05014ff fff1b100 "
           "00")},
  };
  return kGolden;
}

Bytes golden(std::string_view name) {
  for (const Golden& each : golden())
    if (each.name == name) return each.bytes;
  throw std::invalid_argument(std::string(name));
}

}  // namespace ecmp::packet::samples
