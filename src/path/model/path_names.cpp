#include "path/model/path_names.hpp"

#include <algorithm>
#include <iterator>
#include <limits>

#include "base/compact.hpp"
#include "path/history/history_block.hpp"
#include "path/model/round_record.hpp"

namespace ecmp {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kMagic = "ecmpname";
constexpr std::size_t kHeadBytes = kMagic.size() + 1 + 4;
constexpr std::uint64_t kMostId = std::numeric_limits<std::uint32_t>::max();
/// Of a destination. A path that was not seen for a while is the first to go.
constexpr std::size_t kMostPaths = 512;
constexpr std::size_t kMostSlots = 255;

PathContent content_of(const PathSnapshot& path) {
  PathContent content;
  content.complete = path.complete;
  std::size_t length = path.complete ? path.length : 0;
  for (const HopSnapshot& hop : path.hops)
    length = std::max<std::size_t>(length, hop.ttl);
  content.slots.resize(length);
  for (const HopSnapshot& hop : path.hops) {
    if (hop.ttl == 0) continue;
    ContentSlot& slot = content.slots[hop.ttl - 1u];
    slot.add(hop.responder);
    slot.balanced = slot.responders().size() > 1;
  }
  return content;
}

PathContent content_of(const RoundRecord& round) {
  const std::vector<IpAddress>& responders = *round.verdict.responders;
  PathContent content;
  content.complete = round.round.end_to_end == EndToEnd::reached && round.round.distance == responders.size();
  content.slots.resize(responders.size());
  for (std::size_t i = 0; i < responders.size(); ++i)
    if (!responders[i].is_unspecified()) content.slots[i].add(responders[i]);
  while (!content.complete && !content.slots.empty() && !content.slots.back().known())
    content.slots.pop_back();
  return content;
}

void append_content(CompactWriter& to, const PathContent& content) {
  to.byte(content.complete ? 1 : 0);
  to.number(content.slots.size());
  for (const ContentSlot& slot : content.slots) {
    to.number(slot.responders().size() << 1 | (slot.balanced ? 1 : 0));
    for (const IpAddress& responder : slot.responders())
      to.address(responder);
  }
}

PathContent read_content(CompactReader& from) {
  PathContent content;
  content.complete = from.byte() != 0;
  const std::size_t slots = from.count();
  if (slots > kMostSlots) from.fail();
  if (!from.ok()) return content;
  content.slots.resize(slots);
  for (ContentSlot& slot : content.slots) {
    const std::uint64_t head = from.number();
    slot.balanced = (head & 1) != 0;
    if (head >> 1 > from.left()) from.fail();
    for (std::uint64_t left = head >> 1; left > 0 && from.ok(); --left) {
      const IpAddress responder = from.address();
      if (responder.is_unspecified()) from.fail();
      if (from.ok()) slot.add(responder);
    }
  }
  return content;
}

}  // namespace

bool take_in(PathNames& names, const DestinationSnapshot& told, WallTime now) {
  if (told.paths.empty()) return false;
  DestinationPathNames& known = names[told.facts->name];
  bool changed = false;
  for (const PathSnapshot& path : told.paths) {
    PathContent content = content_of(path);
    const auto same = std::ranges::find(known.paths, path.id, &PathName::id);
    if (same == known.paths.end()) {
      known.paths.push_back({path.id, path.ordinal, std::move(content), now});
      changed = true;
      continue;
    }
    changed = changed || same->ordinal != path.ordinal || !(same->content == content);
    *same = {path.id, path.ordinal, std::move(content), now};
  }
  if (!changed) return false;
  std::ranges::stable_sort(known.paths, {}, &PathName::ordinal);
  known.last_ordinal = std::max(known.last_ordinal, known.paths.back().ordinal);
  return true;
}

bool take_in(PathNames& names, const RoundRecord& told, WallTime now) {
  const PathVerdict& verdict = told.verdict;
  if (verdict.path == 0 || verdict.responders == nullptr) return false;
  const auto known = names.find(told.destination->name);
  if (known != names.end() &&
      std::ranges::find(known->second.paths, verdict.path, &PathName::id) != known->second.paths.end()) {
    return false;
  }
  PathContent content = content_of(told);
  if (content.slots.empty()) return false;
  DestinationPathNames& of = names[told.destination->name];
  of.paths.push_back({verdict.path, verdict.ordinal, std::move(content), now});
  std::ranges::stable_sort(of.paths, {}, &PathName::ordinal);
  of.last_ordinal = std::max(of.last_ordinal, verdict.ordinal);
  return true;
}

void forget_old(PathNames& names, WallTime since) {
  for (auto entry = names.begin(); entry != names.end();) {
    std::vector<PathName>& paths = entry->second.paths;
    std::erase_if(paths, [&](const PathName& path) { return path.seen < since; });
    while (paths.size() > kMostPaths)
      paths.erase(std::ranges::min_element(paths, {}, &PathName::seen));
    entry = paths.empty() ? names.erase(entry) : std::next(entry);
  }
}

std::string encode(const PathNames& names) {
  std::string body;
  CompactWriter to(body);
  to.number(names.size());
  for (const auto& [destination, known] : names) {
    to.text(destination);
    to.number(known.last_ordinal);
    to.number(known.paths.size());
    for (const PathName& path : known.paths) {
      to.number(path.id);
      to.number(path.ordinal);
      to.signed_number(path.seen.time_since_epoch().count());
      append_content(to, path.content);
    }
  }
  const std::uint32_t checksum = crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(body.data()), body.size()));
  std::string out(kMagic);
  out.push_back(static_cast<char>(kVersion));
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(checksum >> shift));
  return out + body;
}

std::optional<PathNames> decode_path_names(ByteView bytes) {
  if (bytes.size() < kHeadBytes) return std::nullopt;
  const std::string_view magic(reinterpret_cast<const char*>(bytes.data()), kMagic.size());
  const ByteView body = bytes.subspan(kHeadBytes);
  if (magic != kMagic || bytes[kMagic.size()] != kVersion || load32(bytes, kMagic.size() + 1) != crc32c(body))
    return std::nullopt;
  CompactReader from(body);
  PathNames names;
  for (std::size_t left = from.count(3); left > 0 && from.ok(); --left) {
    const auto [at, is_new] = names.try_emplace(std::string(from.text()));
    DestinationPathNames& known = at->second;
    if (!is_new) from.fail();  // what is told of it twice need not fit together
    known.last_ordinal = static_cast<std::uint32_t>(from.number(kMostId));
    for (std::size_t paths = from.count(5); paths > 0 && from.ok(); --paths) {
      PathName& path = known.paths.emplace_back();
      path.id = static_cast<std::uint32_t>(from.number(kMostId));
      path.ordinal = static_cast<std::uint32_t>(from.number(kMostId));
      path.seen = WallTime(Duration(from.signed_number()));
      path.content = read_content(from);
      if (path.id == 0 || path.ordinal == 0 || path.ordinal > known.last_ordinal) from.fail();
    }
  }
  if (!from.ok()) return std::nullopt;
  return names;
}

}  // namespace ecmp
