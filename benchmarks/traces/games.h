// games.h: makers of the twelve workloads, for workload.cpp.
#pragma once

#include <cstdint>
#include <memory>

#include "workload.h"

namespace libsync::traces {

// colony.cpp
std::unique_ptr<Workload> make_idle(std::uint64_t seed);
std::unique_ptr<Workload> make_defaults(std::uint64_t seed);
std::unique_ptr<Workload> make_inserts(std::uint64_t seed);
std::unique_ptr<Workload> make_big(std::uint64_t seed);
std::unique_ptr<Workload> make_big_inserts(std::uint64_t seed);
std::unique_ptr<Workload> make_room(std::uint64_t seed);
// orbits.cpp
std::unique_ptr<Workload> make_orbits_double(std::uint64_t seed);
std::unique_ptr<Workload> make_orbits_float(std::uint64_t seed);
// traffic.cpp
std::unique_ptr<Workload> make_traffic(std::uint64_t seed);
// talk.cpp
std::unique_ptr<Workload> make_talk(std::uint64_t seed);
// reorder.cpp
std::unique_ptr<Workload> make_reorder(std::uint64_t seed);
// cubes.cpp
std::unique_ptr<Workload> make_cubes(std::uint64_t seed);

}  // namespace libsync::traces
