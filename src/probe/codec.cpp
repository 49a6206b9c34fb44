#include "probe/codec.hpp"

#include <algorithm>

namespace ecmp {
namespace {

constexpr std::size_t kTagSize = 8;

std::uint16_t pack(const ProbeIdentity& identity) {
  return static_cast<std::uint16_t>((identity.ttl << 8) | (identity.round << 2) | identity.attempt);
}

std::optional<ProbeIdentity> unpack(std::uint16_t packed) {
  const ProbeIdentity identity{.ttl = static_cast<std::uint8_t>(packed >> 8),
                               .round = static_cast<std::uint8_t>((packed >> 2) & 0x3f),
                               .attempt = static_cast<std::uint8_t>(packed & 0x3)};
  if (identity.ttl == 0 || identity.round >= ProbeIdentity::kRounds) return std::nullopt;
  return identity;
}

/// Of a payload of `at` + kTagSize bytes at least.
std::uint64_t tag_in(ByteView payload, std::size_t at) {
  return (std::uint64_t{load32(payload, at)} << 32) | load32(payload, at + 4);
}

constexpr bool outside(std::uint16_t number) {
  return number == 0 || number == 0xffff;
}

}  // namespace

template <bool backward>
std::uint16_t Permutation16::feistel(std::uint16_t number) const {
  std::uint32_t left = number >> 8;
  std::uint32_t right = number & 0xff;
  for (int i = 0; i < 4; ++i) {
    const int turn = backward ? 3 - i : i;
    const auto subkey = static_cast<std::uint32_t>((key_ >> (16 * turn)) & 0xffff);
    const std::uint32_t half = backward ? left : right;
    // Murmur3's finaliser: it need not withstand who sees our packets (they can forge anyway), only spread the key.
    std::uint32_t mixed = (half << 16 | subkey) * 0x85ebca6bu;
    mixed = (mixed ^ (mixed >> 13)) * 0xc2b2ae35u;
    mixed >>= 24;
    if (backward) {
      left = right ^ mixed;
      right = half;
    } else {
      right = left ^ mixed;
      left = half;
    }
  }
  return static_cast<std::uint16_t>(left << 8 | right);
}

std::uint16_t Permutation16::forward(std::uint16_t number) const {
  // Cycle walking (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002): on till it lands inside.
  do {
    number = feistel<false>(number);
  } while (outside(number));
  return number;
}

std::uint16_t Permutation16::backward(std::uint16_t number) const {
  do {
    number = feistel<true>(number);
  } while (outside(number));
  return number;
}

FlowCodec::FlowCodec(Protocol protocol, const SipKey& flow_secret, std::size_t tag_at)
    : protocol_(protocol),
      tag_at_(tag_at),
      secret_(flow_secret),
      primary_(siphash(flow_secret, 1)),
      secondary_(siphash(flow_secret, 2)),
      flow_label_(static_cast<std::uint32_t>(siphash(flow_secret, 3) % 0xfffff) + 1),
      icmp_checksum_(static_cast<std::uint16_t>(siphash(flow_secret, 4) % 0xfffe + 1)) {}

/// Odd, so that its last byte is never 0: a quote that was cut and padded with zeros (RFC 4884 section 5) shows none.
std::uint64_t FlowCodec::tag(const ProbeIdentity& identity) const {
  return siphash(secret_, 5, pack(identity)) | 1;
}

bool FlowCodec::tag_matches(const ProbeIdentity& identity, ByteView payload) const {
  return tag_in(payload, tag_at_) == tag(identity);
}

ProbeMark FlowCodec::encode(const ProbeIdentity& identity, packet::ProbeDatagram& probe) const {
  const std::uint32_t word = transport_word(identity);
  const std::uint64_t tag_value = tag(identity);
  probe.ttl = identity.ttl;
  probe.flow_label = flow_label_;
  probe.ip_id = secondary_.forward(pack(identity));
  probe.checksum = protocol_ == Protocol::icmp ? icmp_checksum_ : static_cast<std::uint16_t>(word);
  probe.sequence = word;
  store32(probe.tag, 0, static_cast<std::uint32_t>(tag_value >> 32));
  store32(probe.tag, 4, static_cast<std::uint32_t>(tag_value));
  return {.tag = tag_value, .word = word, .ip_id = probe.ip_id};
}

bool FlowCodec::shows(const packet::Quote& quote, const ProbeMark& mark) const {
  if (mark.word == 0 || word_of(quote) != mark.word) return false;
  if (protocol_ == Protocol::tcp) return true;  // half of the number is the tag's
  if (protocol_ == Protocol::icmp && quote.checksum != icmp_checksum_) return false;
  if (quote.payload.size() >= tag_at_ + kTagSize && quote.payload[tag_at_ + kTagSize - 1] != 0)
    return tag_in(quote.payload, tag_at_) == mark.tag;
  return quote.tuple.destination.is_v4() ? quote.ip_id == mark.ip_id : quote.flow_label == flow_label_;
}

FlowCodec::Decoded FlowCodec::decode(const packet::Quote& quote) const {
  using Match = Decoded::Match;
  const bool v4 = quote.tuple.destination.is_v4();
  const bool tcp = protocol_ == Protocol::tcp;
  const std::uint32_t word = word_of(quote);

  std::optional<ProbeIdentity> primary;
  if (tcp) {
    primary = decode_sequence(word);
    if (primary) return {.match = Match::full, .identity = *primary};
  } else if (word <= 0xffff && !outside(static_cast<std::uint16_t>(word))) {
    primary = unpack(primary_.backward(static_cast<std::uint16_t>(word)));
  }
  std::optional<ProbeIdentity> secondary;
  if (v4 && !outside(quote.ip_id)) secondary = unpack(secondary_.backward(quote.ip_id));

  if (!tcp && quote.payload.size() >= tag_at_ + kTagSize && quote.payload[tag_at_ + kTagSize - 1] != 0) {
    // Where the tag is quoted it decides: nobody on the way has a reason to rewrite a payload.
    for (const auto& candidate : {primary, secondary}) {
      if (candidate && tag_matches(*candidate, quote.payload))
        return {.match = Match::full, .identity = *candidate, .offset = checksum_offset(*candidate, quote)};
    }
    return {};
  }
  if (primary && (v4 ? primary == secondary : quote.flow_label == flow_label_)) {
    return {.match = Match::full, .identity = *primary, .offset = checksum_offset(*primary, quote)};
  }
  if (!secondary) return {};
  const std::uint32_t sent = transport_word(*secondary);
  // One's complement arithmetic for checksums, modulo 2^32 for sequence numbers.
  const std::uint32_t offset = tcp ? word - sent : (word + 0xffff - sent) % 0xffff;
  return {.match = Match::rewritten, .identity = *secondary, .offset = offset};
}

std::uint32_t FlowCodec::checksum_offset(const ProbeIdentity& identity, const packet::Quote& quote) const {
  if (quote.checksum == 0) return 0;
  const std::uint32_t sent = protocol_ == Protocol::icmp ? icmp_checksum_ : transport_word(identity);
  return (quote.checksum + 0xffffu - sent) % 0xffffu;
}

std::uint32_t FlowCodec::transport_word(const ProbeIdentity& identity) const {
  const std::uint32_t word = primary_.forward(pack(identity));
  return protocol_ == Protocol::tcp ? word << 16 | static_cast<std::uint16_t>(tag(identity)) : word;
}

std::optional<ProbeIdentity> FlowCodec::decode_echo(const packet::EchoReply& reply) const {
  if (outside(reply.sequence) || reply.payload.size() < tag_at_ + kTagSize) return std::nullopt;
  const auto identity = unpack(primary_.backward(reply.sequence));
  if (!identity || !tag_matches(*identity, reply.payload)) return std::nullopt;
  return identity;
}

std::uint32_t FlowCodec::stamp_sequence(const ProbeIdentity& identity) const {
  const auto part = static_cast<std::uint32_t>(tag(identity) >> 1) & 0x7fffu;
  return kOfTrace | part << 16 | pack(identity);
}

std::optional<ProbeIdentity> FlowCodec::decode_stamp(std::uint32_t sequence) const {
  const auto identity = unpack(static_cast<std::uint16_t>(sequence));
  if (!identity || stamp_sequence(*identity) != sequence) return std::nullopt;
  return identity;
}

std::optional<ProbeIdentity> FlowCodec::decode_sequence(std::uint32_t sequence) const {
  const auto word = static_cast<std::uint16_t>(sequence >> 16);
  if (outside(word)) return std::nullopt;
  const auto identity = unpack(primary_.backward(word));
  if (!identity || static_cast<std::uint16_t>(sequence) != static_cast<std::uint16_t>(tag(*identity))) {
    return std::nullopt;
  }
  return identity;
}

SipKey derive_flow_secret(const SipKey& process_secret, const FiveTuple& tuple) {
  // The source address is left out: it may change under a flow whose probes are on the way.
  std::array<std::uint8_t, 24> name{};
  std::ranges::copy(tuple.destination.bytes(), name.begin());
  store16(name, 16, tuple.source_port);
  store16(name, 18, tuple.destination_port);
  name[20] = static_cast<std::uint8_t>(tuple.protocol);
  const std::uint64_t first = siphash(process_secret, name);
  name[21] = 1;
  return {first, siphash(process_secret, name)};
}

}  // namespace ecmp
