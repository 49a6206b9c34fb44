// Feeds the readers of the history's files with what libFuzzer makes of the samples in corpus/history. The first byte
// says which reader. Checksums are given, where one would keep the fuzzer out: what is behind them must bear anything
// too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "path/history_block.hpp"
#include "path/history_codec.hpp"
#include "path/path_names.hpp"
#include "render/event_json.hpp"
#include "render/ndjson.hpp"

namespace {

using namespace ecmp;

void rounds(ByteView bytes) {
  const auto all = decode_rounds(bytes, {}, {});
  if (!all) return;
  HistoryEncoder encoder;
  for (const StoredRound& round : *all) {
    std::string text;
    render::append_round(text, *round.record, render::NoNames{});
    if (text.empty() || round.record->round.hops.size() > 255) std::abort();
    encoder.add(round.number, *round.record);
  }
  // What was understood says the same once it is written again.
  const std::string again = encoder.take();
  if (again.size() > kMostBatchBytes) return;
  const auto same = decode_rounds(ByteView(reinterpret_cast<const std::uint8_t*>(again.data()), again.size()), {}, {});
  if (!same || same->size() != all->size()) std::abort();
  for (std::size_t i = 0; i < all->size(); ++i) {
    std::string before;
    std::string after;
    render::append_round(before, *(*all)[i].record, render::NoNames{});
    render::append_round(after, *(*same)[i].record, render::NoNames{});
    if (before != after || (*all)[i].number != (*same)[i].number) std::abort();
  }
  const RoundFilter filter{.destination = "fra-edge", .flow = 50000};
  const auto some = decode_rounds(bytes, filter, {});
  if (!some) return;
  for (const StoredRound& round : *some)
    if (!filter.matches(*round.record)) std::abort();
}

void events(ByteView bytes) {
  const auto all = decode_events(bytes, {}, {});
  if (!all) return;
  std::string text;
  for (const StoredEvent& event : *all)
    render::append_event(text, *event.event, event.number, render::NoNames{});
}

void heads(ByteView bytes) {
  if (const auto head = HistoryBlockHead::parse(bytes)) {
    const auto written = head->bytes();
    if (head->first >= head->end || head->shard >= head->shards || written.size() > bytes.size()) std::abort();
  }
  static_cast<void>(HistoryFileHead::parse(bytes));
}

/// The bytes as the body of a file whose head is right.
void names(ByteView bytes) {
  std::string file = encode(PathNames{});
  file.resize(file.size() - 1);  // "none"
  const std::uint32_t checksum = crc32c(bytes);
  for (std::size_t i = 0; i < 4; ++i)
    file[file.size() - 4 + i] = static_cast<char>(checksum >> (24 - 8 * i));
  file.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto known = decode_path_names(ByteView(reinterpret_cast<const std::uint8_t*>(file.data()), file.size()));
  if (!known) return;
  const std::string again = encode(*known);
  const auto same = decode_path_names(ByteView(reinterpret_cast<const std::uint8_t*>(again.data()), again.size()));
  if (!same || *same != *known) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView bytes(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      rounds(bytes);
      break;
    case 1:
      events(bytes);
      break;
    case 2:
      heads(bytes);
      break;
    default:
      names(bytes);
      break;
  }
  return 0;
}
