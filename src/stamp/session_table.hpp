#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/time.hpp"
#include "stamp/own_tlv.hpp"

namespace ecmp::stamp {

/// What tells sessions apart (RFC 8972 section 3: the SSID; RFC 8762: addresses and ports).
struct SessionKey {
  IpAddress source;
  IpAddress destination;
  std::uint16_t source_port = 0;
  std::uint16_t destination_port = 0;
  std::uint16_t ssid = 0;

  friend bool operator==(const SessionKey&, const SessionKey&) = default;
};

/// What a stateful reflector knows of a session.
struct Session {
  SessionKey key;
  OwnTlv own;                  ///< without the path
  std::uint32_t requests = 0;  ///< that arrived, duplicates too
  std::uint32_t replies = 0;   ///< that were written: R of the next one
  std::uint32_t left_sequence = 0;
  std::uint8_t late_in_a_row = 0;  ///< requests behind the bitmap: the sender may have begun anew
  std::optional<WallTime> left;    ///< when the reply `left_sequence` left
};

/// Sessions, at most so many. A flood of requests from sources that do not exist makes sessions of one request each;
/// these give way first, so that whoever goes on sending keeps what is known of him.
class SessionTable {
 public:
  SessionTable(std::size_t most, const SipKey& secret);

  /// The session, found or begun; nullptr when there is no room: every session has had more than a few requests, and
  /// none was idle for a minute. Its number is good until it is forgotten.
  struct Found {
    Session* session;
    std::uint32_t number;
  };
  std::optional<Found> find_or_begin(const SessionKey& key, Instant now);
  /// By its number; another session may have it by now.
  [[nodiscard]] Session* at(std::uint32_t number);
  /// Another memory of the same session: the next request is its first.
  void begin_epoch(Session& session);

  /// Forgets sessions that were idle for a quarter of an hour, at most a few with each call.
  void expire(Instant now);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::size_t memory() const;

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  /// Sessions with few requests, and those with more.
  enum List : std::uint8_t { fresh, settled, lists };
  struct Slot {
    Session session;
    Instant seen;
    std::uint32_t chain = kNone;  ///< the next of the same bucket; of a free slot the next free one
    std::uint32_t newer = kNone;
    std::uint32_t older = kNone;
    List list = fresh;
    bool used = false;
  };

  [[nodiscard]] std::uint32_t& bucket(const SessionKey& key);
  [[nodiscard]] std::optional<std::uint32_t> room(Instant now);
  void forget(std::uint32_t number);
  void put_newest(List list, std::uint32_t number);
  void take_out(std::uint32_t number);

  SipKey secret_;
  std::size_t most_;
  std::size_t size_ = 0;
  std::uint64_t epochs_ = 0;
  std::vector<std::uint32_t> buckets_;
  std::vector<Slot> slots_;  ///< grows up to `most_`
  std::uint32_t free_ = kNone;
  std::array<std::uint32_t, lists> newest_{kNone, kNone};
  std::array<std::uint32_t, lists> oldest_{kNone, kNone};
};

}  // namespace ecmp::stamp
