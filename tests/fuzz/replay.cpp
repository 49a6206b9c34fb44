// Runs a fuzz target without libFuzzer: over every file of its corpus, then over so many mutations of them, drawn from
// a seed. For builds of any compiler, with whatever sanitizers they have: `replay CORPUS [MUTATIONS [SEED]]`.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sim/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kLongest = 4096;

std::vector<Bytes> read_corpus(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    if (entry.is_regular_file()) paths.push_back(entry.path());
  std::ranges::sort(paths);  // a seed means the same run everywhere
  std::vector<Bytes> corpus;
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

/// One of libFuzzer's simpler steps.
void mutate(Bytes& bytes, const std::vector<Bytes>& corpus, ecmp::sim::Random& random) {
  const auto place = [&] { return static_cast<std::ptrdiff_t>(random.below(bytes.size() + 1)); };
  if (bytes.empty()) return bytes.push_back(static_cast<std::uint8_t>(random.below(256)));
  std::uint8_t& byte = bytes[random.below(bytes.size())];
  switch (random.below(7)) {
    case 0:
      byte ^= static_cast<std::uint8_t>(1u << random.below(8));
      break;
    case 1:
      byte = static_cast<std::uint8_t>(random.below(256));
      break;
    case 2: {
      constexpr std::uint8_t kEdges[] = {0, 1, 0x7f, 0x80, 0xff, '\n', '"', '%'};
      byte = kEdges[random.below(std::size(kEdges))];
      break;
    }
    case 3:
      bytes.resize(random.below(bytes.size()) + 1);
      break;
    case 4:
      bytes.insert(bytes.begin() + place(), static_cast<std::uint8_t>(random.below(256)));
      break;
    case 5: {  // a stretch once more
      const std::size_t from = random.below(bytes.size());
      const Bytes copied(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                         bytes.begin() + static_cast<std::ptrdiff_t>(from + random.below(bytes.size() - from) + 1));
      bytes.insert(bytes.begin() + place(), copied.begin(), copied.end());
      break;
    }
    default: {  // the end of another
      const Bytes& other = corpus[random.below(corpus.size())];
      bytes.resize(random.below(bytes.size()) + 1);
      if (!other.empty())
        bytes.insert(bytes.end(), other.begin() + static_cast<std::ptrdiff_t>(random.below(other.size())), other.end());
      break;
    }
  }
  if (bytes.size() > kLongest) bytes.resize(kLongest);
}

/// A copy of exactly its size, so that the address sanitizer sees a byte read beyond it.
void run(const Bytes& bytes) {
  Bytes exact(bytes);
  exact.shrink_to_fit();
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

int replay(int count, char** arguments) {
  const std::uint64_t mutations = count > 2 ? std::strtoull(arguments[2], nullptr, 10) : 0;
  const std::uint64_t seed = count > 3 ? std::strtoull(arguments[3], nullptr, 10) : 1;
  const auto corpus = read_corpus(arguments[1]);
  if (corpus.empty()) {
    std::fprintf(stderr, "replay: %s holds no inputs\n", arguments[1]);
    return 2;
  }
  std::printf("%zu inputs, then %llu mutations from seed %llu\n", corpus.size(),
              static_cast<unsigned long long>(mutations), static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  for (const Bytes& bytes : corpus)
    run(bytes);
  ecmp::sim::Random random(seed);
  for (std::uint64_t i = 0; i < mutations; ++i) {
    Bytes bytes = corpus[random.below(corpus.size())];
    for (std::uint64_t steps = 1 + random.below(4); steps > 0; --steps)
      mutate(bytes, corpus, random);
    run(bytes);
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: replay CORPUS [MUTATIONS [SEED]]\n");
    return 2;
  }
  try {
    return replay(count, arguments);
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "replay: %s\n", failure.what());
    return 1;
  }
}
