#include "workload.h"

#include <algorithm>
#include <array>

#include "games.h"

namespace libsync::traces {
namespace {

constexpr std::array<WorkloadInfo, 12> kWorkloads = {{
    {"a", "idle", 100, make_idle},
    {"a2", "defaults", 100, make_defaults},
    {"b", "inserts", 100, make_inserts},
    {"c", "nbody f64", 100, make_orbits_double},
    {"c2", "nbody f32", 100, make_orbits_float},
    {"d", "fixed point", 100, make_traffic},
    {"e", "big", 25, make_big},
    {"e2", "big with inserts", 25, make_big_inserts},
    {"f", "room", 100, make_room},
    {"g", "strings", 100, make_talk},
    {"h", "reorder", 100, make_reorder},
    {"i", "cubes", 100, make_cubes},
}};

}  // namespace

std::span<const WorkloadInfo> workloads() { return kWorkloads; }

const WorkloadInfo* find_workload(std::string_view name) {
  const auto found = std::ranges::find(kWorkloads, name, &WorkloadInfo::name);
  return found == kWorkloads.end() ? nullptr : &*found;
}

}  // namespace libsync::traces
