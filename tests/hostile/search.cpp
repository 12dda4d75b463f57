#include "search.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "codec/structure.h"
#include "hostile_case.h"
#include "unit/random_world.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace libsync::hostile {
namespace {

constexpr std::uint32_t kBaselineBytes = 50'000;
constexpr std::size_t kMaxValues = 200'000;
constexpr std::size_t kKept = 8;  // of each kind of baseline
constexpr std::size_t kMaxPhrases = 24;
constexpr std::uint32_t kMostValue = (1u << 30) - 2;  // of a number

struct Baseline {
  std::string name;
  Bytes bytes;
};

// Values that are said some times over.
struct Phrase {
  Values values;
  std::uint32_t times = 1;
};

// What a patch says, and what it is said of.
struct Script {
  bool moves = false;
  std::uint32_t target_size = 0;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pokes;  // of the baseline: a word's index, its value
  std::vector<Phrase> phrases;
};

struct Found {
  Script script;
  double ns_per_byte = 0;
};

std::vector<Baseline> make_baselines() {
  constexpr std::uint32_t n = kBaselineBytes;
  test::Random random(1);
  std::vector<Baseline> all{{"a table without fields", tables_of_bytes(1, 0)},
                            {"tables without fields", tables_of_bytes(n / 8, 0)},
                            {"tables of 40 bytes", tables_of_bytes(n / 48, 40)},
                            {"tables of 240 bytes", tables_of_bytes(n / 248, 240)},
                            {"tables with vtables of their own", tables_of_own_vtables(n / 40, 4)},
                            {"a type for each table", chain_of_types(n / 16)},
                            {"a vector of bytes", data_of(n)},
                            {"large tables that overlap", test::crowded_layout(n / 100, n / 32)},
                            {"a small world", test::small_world(n / 100).build()}};
  for (;;) {
    test::RandomWorld world(random);
    for (int i = 0; i < 400 && world.build().size() < n; ++i) world.play(random);
    Bytes bytes = world.build();
    if (bytes.size() < n / 4) continue;
    all.push_back({"a random world", std::move(bytes)});
    if (all.size() == 12) return all;
  }
}

class Search {
 public:
  explicit Search(std::uint64_t seed) : random_(seed), baselines_(make_baselines()), best_(baselines_.size()) {}

  void run(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (std::chrono::steady_clock::now() < end) {
      const std::size_t kind = pick(0, baselines_.size() - 1);
      std::vector<Found>& best = best_[kind];
      Script script = best.empty() || pick(0, 19) == 0 ? new_script() : best[pick(0, best.size() - 1)].script;
      if (pick(0, 5) == 0) cross(script);
      for (std::uint64_t n = pick(1, 4); n > 0; --n) change(script);
      const double ns_per_byte = measure(baselines_[kind], script, 1);
      ++n_tried_;
      if (best.size() == kKept && ns_per_byte <= best.back().ns_per_byte) continue;
      // Once may be chance.
      const double again = std::min(ns_per_byte, measure(baselines_[kind], script, 4));
      best.push_back({std::move(script), again});
      std::stable_sort(best.begin(), best.end(),
                       [](const Found& a, const Found& b) { return a.ns_per_byte > b.ns_per_byte; });
      if (best.size() > kKept) best.pop_back();
    }
  }

  void print() const {
    std::size_t worst = 0;
    std::vector<double> speeds;
    for (std::size_t kind = 0; kind < baselines_.size(); ++kind) {
      const Found& found = best_[kind].empty() ? Found{} : best_[kind].front();
      speeds.push_back(measure(baselines_[kind], found.script, 20));
      if (speeds.back() > speeds[worst]) worst = kind;
      std::printf("%-40s %6.1f ns/byte\n   %s\n", baselines_[kind].name.c_str(), speeds.back(),
                  words_of(found.script).c_str());
    }
    std::printf("%zu tried, worst: %.1f ns/byte: %s\n", n_tried_, speeds[worst], baselines_[worst].name.c_str());
  }

 private:
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) { return test::pick(random_, low, high); }
  // Small ones mostly; what matters is small in nearly all places.
  std::uint32_t value() {
    switch (pick(0, 5)) {
      case 0: return static_cast<std::uint32_t>(pick(0, kBaselineBytes));
      case 1: return static_cast<std::uint32_t>(pick(0, 255));
      case 2: return 0;
      default: return static_cast<std::uint32_t>(pick(0, 9));
    }
  }
  std::uint32_t times() { return pick(0, 1) == 0 ? 1 : static_cast<std::uint32_t>(1u << pick(0, 15)); }
  Phrase phrase() {
    Phrase made;
    for (std::uint64_t n = pick(1, 6); n > 0; --n) made.values.push_back(value());
    made.times = times();
    return made;
  }

  Script new_script() {
    Script script;
    script.moves = pick(0, 2) != 0;
    script.target_size = static_cast<std::uint32_t>(pick(0, 1) == 0 ? kBaselineBytes : pick(8, 2 * kBaselineBytes));
    for (std::uint64_t n = pick(1, 5); n > 0; --n) script.phrases.push_back(phrase());
    return script;
  }
  // Takes over some phrases of another one that is slow.
  void cross(Script& script) {
    const std::vector<Found>& others = best_[pick(0, best_.size() - 1)];
    if (others.empty() || script.phrases.size() >= kMaxPhrases) return;
    const Script& other = others[pick(0, others.size() - 1)].script;
    const std::size_t from = pick(0, other.phrases.size() - 1), at = pick(0, script.phrases.size());
    script.phrases.insert(script.phrases.begin() + static_cast<std::ptrdiff_t>(at),
                          other.phrases.begin() + static_cast<std::ptrdiff_t>(from), other.phrases.end());
  }
  void change(Script& script) {
    std::vector<Phrase>& phrases = script.phrases;
    const std::size_t at = pick(0, phrases.size() - 1);
    const auto place = phrases.begin() + static_cast<std::ptrdiff_t>(at);
    Values& values = place->values;
    switch (pick(0, 8)) {
      case 0: values[pick(0, values.size() - 1)] = value(); break;
      case 1: {
        std::uint32_t& near = values[pick(0, values.size() - 1)];
        near = std::min(near + static_cast<std::uint32_t>(pick(0, 2)) - 1, kMostValue);
        break;
      }
      case 2: values.insert(values.begin() + static_cast<std::ptrdiff_t>(pick(0, values.size())), value()); break;
      case 3:
        if (values.size() > 1) values.erase(values.begin() + static_cast<std::ptrdiff_t>(pick(0, values.size() - 1)));
        break;
      case 4: place->times = times(); break;
      case 5:
        if (phrases.size() < kMaxPhrases) phrases.insert(place, phrase());
        break;
      case 6:
        if (phrases.size() > 1) phrases.erase(place);
        break;
      case 7: script.target_size = static_cast<std::uint32_t>(pick(8, 2 * kBaselineBytes)); break;
      default:
        if (script.pokes.size() < 16)
          script.pokes.emplace_back(static_cast<std::uint32_t>(pick(0, kBaselineBytes / 4)), value());
    }
  }

  // In nanoseconds for each byte; the least of `n` times. Of few bytes what each patch costs would be all: they count
  // as more.
  static double measure(const Baseline& baseline, const Script& script, int n) {
    constexpr std::size_t kLeast = 40'000;
    Bytes bytes = baseline.bytes;
    for (const auto& [word, value] : script.pokes) codec::store32(bytes.data() + word % (bytes.size() / 4) * 4, value);
    Values values;
    for (const Phrase& phrase : script.phrases) {
      for (std::uint32_t i = 0; i < phrase.times && values.size() < kMaxValues; ++i)
        values.insert(values.end(), phrase.values.begin(), phrase.values.end());
    }
    const Case made = script.moves ? moved("", bytes, script.target_size, values) : in_place("", bytes, values);
    double least = 1e18;
    for (int i = 0; i < n; ++i) least = std::min(least, time_of(made, 1));
    return least / static_cast<double>(std::max(kLeast, bytes.size() + made.target_size + made.patch.size()));
  }

  static std::string words_of(const Script& script) {
    std::string words = script.moves ? "moved to " + std::to_string(script.target_size) : "in place";
    for (const auto& [word, value] : script.pokes)
      words += ", word " + std::to_string(word) + " = " + std::to_string(value);
    words += ":";
    for (const Phrase& phrase : script.phrases) {
      words += " " + std::to_string(phrase.times) + " x {";
      for (std::size_t i = 0; i < phrase.values.size(); ++i)
        words += (i == 0 ? "" : " ") + std::to_string(phrase.values[i]);
      words += "}";
    }
    return words;
  }

  test::Random random_;
  std::vector<Baseline> baselines_;
  std::vector<std::vector<Found>> best_;  // [baselines] the slowest first
  std::size_t n_tried_ = 0;
};

}  // namespace

void search(double seconds, std::uint64_t seed) {
  Search searching(seed);
  searching.run(seconds);
  searching.print();
}

}  // namespace libsync::hostile
