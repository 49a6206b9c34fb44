#include "trace/recording.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <deque>
#include <fmt/format.h>
#include <map>
#include <set>
#include <sys/stat.h>
#include <system_error>
#include <utility>

#include "agent/history/history_batches.hpp"
#include "agent/history/history_files.hpp"
#include "agent/history/path_names_file.hpp"
#include "config/text.hpp"
#include "trace/round_line.hpp"

namespace ecmp {
namespace {

/// Destinations named in an error.
constexpr std::size_t kNamed = 5;
/// And counted: beyond that, there are many.
constexpr std::size_t kMostSeen = 10000;
/// What belongs to a record beside its hops.
constexpr std::size_t kRecordBytes = sizeof(RoundRecord) + 64;

/// The newest rounds, within bounds.
template <typename Record>
class Newest {
 public:
  explicit Newest(std::size_t most_bytes) : most_(most_bytes) {}

  void add(std::shared_ptr<Record> record) {
    bytes_ += bytes_of(*record);
    kept_.push_back(std::move(record));
    for (; bytes_ > most_ && kept_.size() > 1; ++left_out_) {
      bytes_ -= bytes_of(*kept_.front());
      kept_.pop_front();
    }
  }
  [[nodiscard]] bool empty() const { return kept_.empty(); }
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  std::vector<std::shared_ptr<Record>> take() {
    std::vector<std::shared_ptr<Record>> out(kept_.begin(), kept_.end());
    kept_.clear();
    return out;
  }

 private:
  static std::size_t bytes_of(const RoundRecord& record) {
    return kRecordBytes + record.round.hops.capacity() * sizeof(HopResult);
  }

  std::size_t most_;
  std::size_t bytes_ = 0;
  std::uint64_t left_out_ = 0;
  std::deque<std::shared_ptr<Record>> kept_;
};

void sort_by_time(std::vector<std::shared_ptr<const RoundRecord>>& rounds) {
  std::ranges::stable_sort(rounds, {}, [](const auto& record) { return record->wall(record->round.finished); });
}

std::string counted_rounds(std::uint64_t count) {
  return fmt::format("{} round{}", count, count == 1 ? "" : "s");
}

void note_left_out(Recording& recording, std::uint64_t count) {
  if (count > 0)
    recording.notices.push_back(counted_rounds(count) + " from before the first that is shown are left out");
}

Error several(const std::string& path, const std::set<std::string>& names) {
  std::string text = fmt::format("{}: has {}{} destinations, say which one: ", path,
                                 names.size() >= kMostSeen ? "at least " : "", names.size());
  std::size_t named = 0;
  for (const std::string& name : names) {
    if (named == kNamed) break;
    text += (named++ > 0 ? ", " : "") + config::printable(name, 60);
  }
  return Error{text + (names.size() > kNamed ? ", ..." : "")};
}

Error no_round(const std::string& path, const std::string& destination) {
  return Error{path + ": has no round" + (destination.empty() ? "" : " of " + config::in_quotes(destination))};
}

bool is_wanted(const DestinationFacts& facts, const std::string& destination) {
  return destination.empty() || facts.name == destination || facts.host == destination ||
         facts.address == IpAddress::parse(destination);
}

// --- lines of JSON ---------------------------------------------------------------------------------------------------

/// The lines of a stream, none of them held beyond the longest that a round may have.
class Lines {
 public:
  explicit Lines(std::FILE* file) : file_(file) {}

  /// False at the end. `cut`: the line has no end; `line` is longer than a round by a byte where it was cut off.
  bool next(std::string& line, bool& cut) {
    line.clear();
    for (int byte = 0; (byte = std::getc(file_)) != EOF;) {
      if (byte == '\n') return cut = false, true;
      if (line.size() <= kLongestRoundLine) line.push_back(static_cast<char>(byte));
    }
    cut = true;
    return !line.empty();
  }

 private:
  std::FILE* file_;
};

/// Lines that are no rounds, of which the first is named.
struct BadLines {
  std::uint64_t count = 0;
  std::uint64_t first = 0;
  std::string why;

  void add(std::uint64_t line, std::string what) {
    if (count++ > 0) return;
    first = line;
    why = std::move(what);
  }
};

/// What lines do not say and the file as a whole does: how far away destinations are, which flows there are, and who is
/// on the paths.
void complete(std::vector<std::shared_ptr<RoundRecord>>& records) {
  std::map<std::uint32_t, bool> reached;
  std::map<std::uint32_t, std::vector<IpAddress>> paths;
  std::vector<std::uint16_t> ports;
  for (const auto& record : records) {
    Round& round = record->round;
    bool& ever = reached[record->flow_index];
    ever = ever || round.reached();
    if (ever) round.distance = static_cast<std::uint8_t>(round.hops.size());
    if (ports.size() <= record->flow_index) ports.resize(record->flow_index + 1u);
    ports[record->flow_index] = record->source_port;
    if (record->verdict.path == 0 || record->verdict.unconfirmed) continue;
    auto& responders = paths[record->verdict.path];
    responders.resize(std::max(responders.size(), round.hops.size()));
    for (const HopResult& hop : round.hops) {
      IpAddress& known = responders[hop.ttl - 1u];
      // The lowest one where a balancer alternates, as the model has it.
      if (hop.outcome == HopOutcome::replied && (known.is_unspecified() || hop.responder < known))
        known = hop.responder;
    }
  }
  std::map<std::uint32_t, std::shared_ptr<const std::vector<IpAddress>>> shared;
  for (auto& [path, responders] : paths)
    shared[path] = std::make_shared<const std::vector<IpAddress>>(std::move(responders));
  std::map<IpAddress, std::shared_ptr<const DestinationFacts>> facts;  // by the address, which a name may change
  for (const auto& record : records) {
    if (const auto found = shared.find(record->verdict.path); found != shared.end())
      record->verdict.responders = found->second;
    auto& of = facts[record->destination->address];
    if (of == nullptr) {
      auto all = std::make_shared<DestinationFacts>(*record->destination);
      all->flows = static_cast<std::uint16_t>(ports.size());
      all->source_ports = SourcePorts(ports);
      of = std::move(all);
    }
    record->destination = of;
  }
}

Result<Recording> read_lines(const std::string& path, const std::string& destination, std::size_t most_bytes) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (file == nullptr) return Error{path + ": " + std::generic_category().message(errno)};
  auto names = std::make_shared<RecordedNames>();
  Newest<RoundRecord> newest(most_bytes);
  BadLines bad;
  std::set<std::string> seen;
  Lines lines(file.get());
  std::string line;
  bool cut = false;
  std::uint64_t number = 0;
  while (lines.next(line, cut)) {
    ++number;
    if (line.empty()) continue;
    auto record = read_round_line(line, *names);
    if (!record.ok()) {
      bad.add(number, cut ? "the file ends within it" : record.error());
      continue;
    }
    const DestinationFacts& facts = *(*record)->destination;
    if (seen.size() < kMostSeen) seen.insert(facts.name);
    if (is_wanted(facts, destination)) newest.add(std::move(*record));
  }
  if (std::ferror(file.get()) != 0) return Error{path + ": " + std::generic_category().message(errno)};
  if (newest.empty() && bad.count > 0) return Error{fmt::format("{}:{}: not a round: {}", path, bad.first, bad.why)};
  if (newest.empty()) return no_round(path, destination);
  if (destination.empty() && seen.size() > 1) return several(path, seen);
  Recording recording{.names = names, .lines = true};
  if (bad.count > 0) {
    recording.notices.push_back(fmt::format("{} line{} left out, the first is {}:{}: {}", bad.count,
                                            bad.count == 1 ? " is" : "s are", path, bad.first, bad.why));
  }
  note_left_out(recording, newest.left_out());
  auto records = newest.take();
  complete(records);
  recording.rounds.assign(records.begin(), records.end());
  sort_by_time(recording.rounds);
  return recording;
}

// --- the history of an exporter --------------------------------------------------------------------------------------

/// Gives every round that the filter wants to `each`, until that returns false.
template <typename Each>
void read_all(HistoryFiles& files, const RoundFilter& filter, Each each) {
  HistoryPlace place;
  for (;;) {
    const auto step = files.read(place, filter, ~std::uint64_t{0});
    if (step.done) return;
    std::vector<StoredRound> items;
    files.count_damaged(history_batches::take_items(
        items, step, [&](ByteView batch, BatchRange range) { return decode_rounds(batch, filter, range); }));
    for (const StoredRound& item : items)
      if (!each(item.record)) return;
  }
}

/// The names of destinations there are, by what is known of their paths; without that, by the rounds.
std::set<std::string> destinations_in(const std::string& directory, HistoryFiles& files) {
  std::set<std::string> names;
  for (const auto& [name, paths] : read_path_names(directory).value_or(PathNames()))
    names.insert(name);
  if (!names.empty()) return names;
  read_all(files, {}, [&](const History::Record& record) {
    names.insert(record->destination->name);
    return names.size() < kMostSeen;
  });
  return names;
}

Result<Recording> read_directory(const std::string& path, const std::string& destination, std::size_t most_bytes) {
  HistoryFiles files(path, HistoryKind::rounds, HistoryAccess::read);
  if (const auto problem = files.open()) return Error{problem->error.message};
  if (files.size().files == 0 && files.unread() == 0) return no_round(path, "");
  if (files.size().files == 0) return Error{path + ": its files cannot be read"};
  RoundFilter filter{.destination = destination};
  if (destination.empty()) {
    const auto names = destinations_in(path, files);
    if (names.size() > 1) return several(path, names);
    if (names.empty()) return no_round(path, "");
    filter.destination = *names.begin();
  } else if (IpAddress::parse(destination)) {
    filter.destination = std::nullopt;  // most destinations have names
  }
  Newest<const RoundRecord> newest(most_bytes);
  std::set<std::string> seen;
  read_all(files, filter, [&](History::Record record) {
    const DestinationFacts& facts = *record->destination;
    if (facts.name != destination && !is_wanted(facts, filter.destination.value_or(destination))) return true;
    seen.insert(facts.name);
    newest.add(std::move(record));
    return seen.size() < kMostSeen;
  });
  if (newest.empty()) return no_round(path, destination);
  if (seen.size() > 1) return several(path, seen);
  Recording recording{.names = std::make_shared<render::NoNames>()};
  const auto damaged = files.size().damaged;
  if (damaged > 0) {
    recording.notices.push_back(fmt::format("{} place{} in {} damaged, the rest is shown", damaged,
                                            damaged == 1 ? "" : "s", path + (damaged == 1 ? " is" : " are")));
  }
  if (files.unread() > 0) {
    recording.notices.push_back(fmt::format("{} file{} in {} cannot be read, the rest is shown", files.unread(),
                                            files.unread() == 1 ? "" : "s", path));
  }
  note_left_out(recording, newest.left_out());
  recording.rounds = newest.take();
  sort_by_time(recording.rounds);
  return recording;
}

}  // namespace

Result<Recording> read_recording(const std::string& path, const std::string& destination, std::size_t most_bytes) {
  struct stat facts{};
  if (::stat(path.c_str(), &facts) != 0) return Error{path + ": " + std::generic_category().message(errno)};
  return S_ISDIR(facts.st_mode) ? read_directory(path, destination, most_bytes)
                                : read_lines(path, destination, most_bytes);
}

}  // namespace ecmp
