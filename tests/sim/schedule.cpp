#include "schedule.h"

#include <algorithm>

#include "sim_game.h"
#include "sim_random.h"

namespace libsync::sim {

const char* name_of(FaultKind kind) {
  constexpr const char* kNames[kFaultKinds] = {
      "cut",         "stall",       "slow reader",     "bent state", "client crash", "client sleep", "server crash",
      "server stop", "server move", "server rollback", "wall clock", "disk full",    "go away",      "switch"};
  return kNames[static_cast<std::size_t>(kind)];
}

Schedule Schedule::from_seed(std::uint64_t seed) {
  using namespace std::chrono_literals;
  Random random(seed);
  Schedule schedule;
  schedule.seed = seed;
  schedule.n_clients = random.pick(1, kMaxClients);
  schedule.n_users = random.pick(1, schedule.n_clients);
  schedule.n_shards = static_cast<std::uint32_t>(random.pick(1, 2));
  schedule.world_bytes = random.one_in(20) ? 40'000 : random.pick(100, 400);
  schedule.patch_format = random.one_in(4) ? 1 : 2;
  schedule.tick = random.pick(Duration(50ms), Duration(300ms));
  schedule.max_delay =
      random.one_in(4) ? random.pick(Duration(20ms), Duration(400ms)) : random.pick(Duration(1ms), Duration(20ms));
  const Duration length = random.pick(Duration(1s), Duration(5s));
  // Common ones often, those that throw everything away rarely.
  constexpr std::uint64_t kWeights[kFaultKinds] = {30, 8, 6, 6, 12, 5, 16, 6, 1, 1, 3, 3, 3, 6};
  std::uint64_t total = 0;
  for (const std::uint64_t weight : kWeights) total += weight;
  for (std::uint64_t n = random.pick(2, 6); n > 0; --n) {
    std::uint64_t at = random.pick(0, total - 1);
    std::size_t kind = 0;
    while (at >= kWeights[kind]) at -= kWeights[kind++];
    schedule.faults.push_back({static_cast<FaultKind>(kind), random.pick(Duration(0), length),
                               static_cast<std::size_t>(random.pick(0, schedule.n_clients - 1)), random.next()});
  }
  const std::uint64_t n_acts = random.pick(20, 40);
  while (schedule.acts.size() < n_acts) {
    // Alone, or in a burst.
    const Duration at = random.pick(Duration(0), length);
    const auto client = static_cast<std::size_t>(random.pick(0, schedule.n_clients - 1));
    for (std::uint64_t n = random.one_in(3) ? random.pick(2, 10) : 1; n > 0 && schedule.acts.size() < n_acts; --n) {
      schedule.acts.push_back({at, client});
    }
  }
  const auto by_time = [](const auto& a, const auto& b) { return a.at < b.at; };
  std::stable_sort(schedule.faults.begin(), schedule.faults.end(), by_time);
  std::stable_sort(schedule.acts.begin(), schedule.acts.end(), by_time);
  return schedule;
}

}  // namespace libsync::sim
