// workload.h: the twelve named games whose successive states the benchmarks use.
//
// A workload is a small simulation at 10 Hz. The same name and seed give the same bytes with every compiler that
// follows IEEE 754: whole numbers, + - * / and square roots only, no contraction of them, and one random number per
// expression, because the order in which operands are evaluated is not the same everywhere.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "model.h"
#include "random.h"

namespace libsync::traces {

inline constexpr std::uint64_t kDefaultSeed = 1;

class Workload {
 public:
  explicit Workload(std::uint64_t seed) : random_(seed) {}
  Workload(const Workload&) = delete;
  Workload& operator=(const Workload&) = delete;
  virtual ~Workload() = default;

  const World& world() const { return world_; }

  // Advances the game by one tick of 0.1 s.
  void step() {
    ++world_.tick;
    world_.time_ms += 100;
    tick();
  }

 protected:
  virtual void tick() = 0;

  Random random_;
  World world_;
};

struct WorkloadInfo {
  std::string_view name;    // short, as in tables: "a2"
  std::string_view title;   // a word or two: "defaults"
  std::uint32_t snapshots;  // how many a trace has by default
  std::unique_ptr<Workload> (*make)(std::uint64_t seed);
};

// In the order of their names.
std::span<const WorkloadInfo> workloads();
// Null if there is none of that name.
const WorkloadInfo* find_workload(std::string_view name);

}  // namespace libsync::traces
