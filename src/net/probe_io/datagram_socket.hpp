#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "net/http/http_socket.hpp"

namespace ecmp::net {

/// A UDP datagram that arrived, with all that is needed to answer it from where it was sent to.
struct ReceivedDatagram {
  ByteView bytes;    ///< of the batch's buffer
  bool cut = false;  ///< there was more of it than the buffer holds
  IpAddress source;
  std::uint16_t source_port = 0;
  std::uint32_t scope = 0;  ///< the interface's index, of a link-local source
  IpAddress destination;
  bool to_many = false;            ///< the destination is a broadcast or multicast address
  std::uint8_t ttl = 255;          ///< 255 if the kernel did not say
  std::uint8_t traffic_class = 0;  ///< DSCP and ECN
  WallTime received;               ///< the kernel's stamp
};

/// Room for datagrams that are received with one call.
class DatagramBatch {
 public:
  static constexpr std::size_t kMost = 32;
  static constexpr std::size_t kLongest = 9216;  ///< an Ethernet frame of the larger kind

  DatagramBatch();

 private:
  friend class DatagramSocket;
  struct Buffer {
    std::array<std::uint8_t, kLongest> bytes;
    alignas(8) std::array<std::uint8_t, 256> control;
    sockaddr_storage name;
  };
  std::vector<Buffer> buffers_;
  std::array<ReceivedDatagram, kMost> received_;
};

/// An unconnected UDP socket that answers from the address that was asked (IP_PKTINFO, IPV6_PKTINFO: ip(7), ipv6(7)),
/// with a TTL of 255 and without the DF bit: a path that is narrower on the way back must not lose every reply.
class DatagramSocket {
 public:
  /// One for an address; of the empty host one for IPv4 and IPv6, or for IPv4 alone where there is no IPv6. The port is
  /// ours alone.
  static Result<DatagramSocket> open(const ListenAddress& address);
  /// One that systemd passed: a bound socket for datagrams.
  static Result<DatagramSocket> adopt(OwnedSocket socket, const std::string& name);

  [[nodiscard]] int descriptor() const { return socket_.get(); }
  [[nodiscard]] const SocketAddress& bound() const { return bound_; }

  /// What has arrived, without waiting; good until the batch is used again.
  std::span<const ReceivedDatagram> receive(DatagramBatch& batch);
  /// Answers a datagram, with another TTL than 255 if one is given; false: the kernel did not take it. Never waits.
  [[nodiscard]] bool answer(const ReceivedDatagram& to, ByteView bytes, std::uint8_t traffic_class,
                            std::optional<std::uint8_t> ttl = std::nullopt) const;
  /// Datagrams that the kernel has dropped since the last call of this, because nobody read them in time (SO_RXQ_OVFL).
  std::uint32_t take_overflow();

 private:
  static Result<DatagramSocket> finish(OwnedSocket socket);

  OwnedSocket socket_;
  SocketAddress bound_;
  bool v6_ = false;
  std::uint32_t overflow_ = 0;
  std::uint32_t overflow_taken_ = 0;
};

}  // namespace ecmp::net
