// The twelve workloads (traces/README.md), each version against the one before it, as a server and a client that are in
// step would have them: encode (with the target's digest), apply to a new snapshot, apply in place, and beside them
// what a machine must do at least: compare, copy and hash the whole snapshot. Also history: what versions take, and the
// oldest of them made again.
// The first patch, which begins the context, is left out of the times.
// Bytes per second are bytes of snapshot; wire_bytes is the mean patch. `times_memcmp` of an encode: its speed as a
// multiple of a comparison of the same two buffers, measured in the same iterations.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libsync/patch.h"
#include "libsync/replica.h"
#include "libsync/snapshot_store.h"
#include "trace.h"

namespace {

using namespace libsync;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kSnapshots = 24;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// The first snapshots of a workload and the patches between them.
struct Recorded {
  std::vector<Bytes> snapshots;
  std::vector<Bytes> patches;  // [i] leads to snapshot i + 1
  double snapshot_bytes = 0;   // means
  double patch_bytes = 0;
};

const Recorded& recorded(const traces::WorkloadInfo& info) {
  static std::map<std::string_view, Recorded> all;
  Recorded& result = all[info.name];
  if (!result.snapshots.empty()) return result;
  traces::Trace trace(info, traces::kDefaultSeed, kSnapshots);
  while (trace.next()) {
    const auto* bytes = reinterpret_cast<const std::byte*>(trace.snapshot().data());
    result.snapshots.emplace_back(bytes, bytes + trace.snapshot().size());
  }
  PatchContext context;
  SnapshotPtr held = Snapshot::copy_of(result.snapshots[0]);
  for (std::size_t i = 1; i < result.snapshots.size(); ++i) {
    const SnapshotPtr next = Snapshot::copy_of(result.snapshots[i]);
    make_patch(*held, *next, result.patches.emplace_back(), kPatchFormat, &context);
    result.patch_bytes += static_cast<double>(result.patches.back().size());
    result.snapshot_bytes += static_cast<double>(next->size_bytes());
    held = next;
  }
  result.patch_bytes /= static_cast<double>(result.patches.size());
  result.snapshot_bytes /= static_cast<double>(result.patches.size());
  return result;
}

void report(benchmark::State& state, const Recorded& game) {
  state.SetBytesProcessed(static_cast<std::int64_t>(static_cast<double>(state.iterations()) * game.snapshot_bytes));
  state.counters["snapshot_bytes"] = game.snapshot_bytes;
  state.counters["wire_bytes"] = game.patch_bytes;
}

void encode(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  PatchContext context;
  SnapshotPtr held;
  Bytes patch;
  std::size_t at = 0;
  double encode_seconds = 0, compare_seconds = 0;
  int (*volatile compare)(const void*, const void*, std::size_t) = std::memcmp;
  for (auto _ : state) {
    if (at == 0) {
      const SnapshotPtr first = Snapshot::copy_of(game.snapshots[0]);
      context.close();
      held = Snapshot::copy_of(game.snapshots[++at]);
      make_patch(*first, *held, patch, kPatchFormat, &context);
    }
    Bytes taken = game.snapshots[at + 1], same = taken;
    const auto begin = SteadyClock::now();
    const SnapshotPtr next = Snapshot::take(std::move(taken), held.get());
    make_patch(*held, *next, patch, kPatchFormat, &context);
    const double seconds = seconds_since(begin);
    state.SetIterationTime(seconds);
    encode_seconds += seconds;
    const auto compared = SteadyClock::now();
    benchmark::DoNotOptimize(compare(same.data(), next->bytes().data(), same.size()));
    compare_seconds += seconds_since(compared);
    if (patch != game.patches[at]) return state.SkipWithError("another patch than at first");
    held = next;
    at = (at + 1) % game.patches.size();
  }
  report(state, game);
  state.counters["times_memcmp"] = compare_seconds / encode_seconds;
}

void apply(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  const Limits limits;
  PatchContext context;
  SnapshotPtr held;
  std::size_t at = 0;
  for (auto _ : state) {
    if (at == 0) {
      context.close();
      held = *apply_patch(*Snapshot::copy_of(game.snapshots[0]), game.patches[at++], limits, &context);
    }
    const auto begin = SteadyClock::now();
    Result<SnapshotPtr> next = apply_patch(*held, game.patches[at], limits, &context);
    state.SetIterationTime(seconds_since(begin));
    if (!next || !std::ranges::equal((*next)->bytes(), game.snapshots[at + 1]))
      return state.SkipWithError("the patch does not lead to the target");
    held = *next;
    at = (at + 1) % game.patches.size();
  }
  report(state, game);
}

void apply_in_place(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  const Limits limits;
  Replica replica;
  std::size_t at = 0;
  for (auto _ : state) {
    if (at == 0) {
      replica = Replica(*Snapshot::copy_of(game.snapshots[0]));
      if (!replica.apply(game.patches[at++], limits)) return state.SkipWithError("no first patch");
    }
    const auto begin = SteadyClock::now();
    const Result<Digest> digest = replica.apply(game.patches[at], limits);
    state.SetIterationTime(seconds_since(begin));
    if (!digest) return state.SkipWithError("the patch does not lead to the target");
    at = (at + 1) % game.patches.size();
    if (at == 0 && !std::ranges::equal(replica.bytes(), game.snapshots.back()))
      return state.SkipWithError("not the last snapshot");
  }
  report(state, game);
}

void compare(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  const Bytes &one = game.snapshots[0], two = one;
  for (auto _ : state) benchmark::DoNotOptimize(std::memcmp(one.data(), two.data(), one.size()));
  report(state, game);
}

void digest(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  for (auto _ : state) benchmark::DoNotOptimize(digest_of(game.snapshots[0]));
  report(state, game);
}

// A hundred versions, over and over the same ones; `memory` is what they take as a multiple of one snapshot.
void history(benchmark::State& state, const traces::WorkloadInfo& info) {
  const Recorded& game = recorded(info);
  Limits limits;
  limits.max_history_versions = 100;
  limits.max_history_bytes = std::size_t{4} << 30;
  SnapshotStore store(limits);
  SnapshotPtr held;
  // There and back, so that all neighbours are neighbours in the trace.
  for (std::size_t i = 0; i < 100; ++i) {
    const std::size_t lap = 2 * (game.snapshots.size() - 1), step = i % lap;
    const std::size_t index = step < game.snapshots.size() ? step : lap - step;
    const SnapshotPtr next = Snapshot::take(game.snapshots[index], held.get());
    store.push(Version{i + 1}, next, held != nullptr ? StepBack::between(*next, *held) : nullptr);
    held = next;
  }
  // What was found in the latest is part of it.
  held->structure();
  for (auto _ : state) benchmark::DoNotOptimize(store.find(Version{1}));
  if (!std::ranges::equal(store.find(Version{1})->bytes(), game.snapshots[0]))
    return state.SkipWithError("not the oldest");
  report(state, game);
  state.counters["memory"] = static_cast<double>(store.memory_bytes()) / game.snapshot_bytes;
}

[[maybe_unused]] const bool registered = [] {
  const auto add = [](const char* what, const traces::WorkloadInfo& info, auto run) {
    return benchmark::RegisterBenchmark((std::string(what) + "/" + std::string(info.name)).c_str(),
                                        [run, &info](benchmark::State& state) { run(state, info); });
  };
  for (const traces::WorkloadInfo& info : traces::workloads()) {
    add("encode", info, encode)->UseManualTime();
    add("apply", info, apply)->UseManualTime();
    add("apply_in_place", info, apply_in_place)->UseManualTime();
    add("compare", info, compare);
    add("digest", info, digest);
    add("history_oldest", info, history);
  }
  return true;
}();

}  // namespace
