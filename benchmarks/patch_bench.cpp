// Encoding and applying a patch, beside the dull alternatives: comparing, copying and hashing the whole snapshot.
// wire_bytes is what travels, times_smaller what it saves against the snapshot. Every result is checked first.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "libsync/patch.h"
#include "workloads.h"

namespace {

using namespace libsync;

void report(benchmark::State& state, const bench::Pair& pair, std::size_t wire_bytes) {
  const auto snapshot_bytes = static_cast<double>(pair.target->size_bytes());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(pair.target->size_bytes()));
  state.counters["snapshot_bytes"] = snapshot_bytes;
  state.counters["wire_bytes"] = static_cast<double>(wire_bytes);
  state.counters["times_smaller"] = snapshot_bytes / static_cast<double>(wire_bytes);
}

bool check(benchmark::State& state, const bench::Pair& pair, const Bytes& patch) {
  const Result<SnapshotPtr> applied = apply_patch(*pair.baseline, patch, Limits{});
  if (applied && std::ranges::equal((*applied)->bytes(), pair.target->bytes())) return true;
  state.SkipWithError("the patch does not lead to the target");
  return false;
}

void encode(benchmark::State& state, const bench::Pair& pair) {
  Bytes patch;
  make_patch(*pair.baseline, *pair.target, patch);
  if (!check(state, pair, patch)) return;
  for (auto _ : state) {
    make_patch(*pair.baseline, *pair.target, patch);
    benchmark::DoNotOptimize(patch.data());
  }
  report(state, pair, patch.size());
}

void apply(benchmark::State& state, const bench::Pair& pair) {
  Bytes patch;
  make_patch(*pair.baseline, *pair.target, patch);
  if (!check(state, pair, patch)) return;
  const Limits limits;
  for (auto _ : state) {
    auto applied = apply_patch(*pair.baseline, patch, limits);
    benchmark::DoNotOptimize(applied);
  }
  report(state, pair, patch.size());
}

void compare(benchmark::State& state, const bench::Pair& pair) {
  const Bytes copy(pair.target->bytes().begin(), pair.target->bytes().end());
  for (auto _ : state) {
    benchmark::DoNotOptimize(std::memcmp(copy.data(), pair.target->bytes().data(), copy.size()));
  }
  report(state, pair, copy.size());
}

void copy(benchmark::State& state, const bench::Pair& pair) {
  Bytes copy(pair.target->size_bytes());
  for (auto _ : state) {
    std::memcpy(copy.data(), pair.target->bytes().data(), copy.size());
    benchmark::ClobberMemory();
  }
  report(state, pair, copy.size());
}

void digest(benchmark::State& state, const bench::Pair& pair) {
  for (auto _ : state) benchmark::DoNotOptimize(digest_of(pair.target->bytes()));
  report(state, pair, pair.target->size_bytes());
}

[[maybe_unused]] const bool registered = [] {
  struct Workload {
    const char* name;
    bench::Pair (*make)(std::size_t);
  };
  const Workload workloads[] = {
      {"sparse_1pct", bench::sparse_1pct}, {"dense_motion", bench::dense_motion}, {"inserted", bench::inserted}};
  for (const std::size_t bodies : {20, 1000, 20'000}) {
    for (const Workload& workload : workloads) {
      const bench::Pair pair = workload.make(bodies);
      const std::string suffix = std::string(workload.name) + "/" + std::to_string(bodies);
      benchmark::RegisterBenchmark(("patch/encode/" + suffix).c_str(), [pair](auto& state) { encode(state, pair); });
      benchmark::RegisterBenchmark(("patch/apply/" + suffix).c_str(), [pair](auto& state) { apply(state, pair); });
    }
    const bench::Pair pair = bench::dense_motion(bodies);
    const std::string suffix = "whole/" + std::to_string(bodies);
    benchmark::RegisterBenchmark(("compare/" + suffix).c_str(), [pair](auto& state) { compare(state, pair); });
    benchmark::RegisterBenchmark(("copy/" + suffix).c_str(), [pair](auto& state) { copy(state, pair); });
    benchmark::RegisterBenchmark(("digest/" + suffix).c_str(), [pair](auto& state) { digest(state, pair); });
  }
  return true;
}();

}  // namespace
