// schedule.h: what happens in one simulated run, drawn from a seed. Everything else of the run follows from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libsync/types.h"

namespace libsync::sim {

enum class FaultKind : std::uint8_t {
  kCut,             // a connection breaks at some byte; both sides hear of it, one, or none
  kStall,           // one direction of a connection stands still for a while
  kSlowReader,      // a client takes nothing off its socket for a while
  kBentState,       // a bit of the next state frame flips on its way
  kClientCrash,     // and restarts from what it had stored
  kClientSleep,     // the client's process does not run for a while
  kServerCrash,     // and restarts from what was durable
  kServerStop,      // cleanly, and starts again
  kServerMove,      // the server is gone with its store, and starts with an empty one
  kServerRollback,  // and starts with an older copy of its store
  kWallClock,       // the server's wall clock jumps
  kDiskFull,        // the server's store takes nothing for a while
  kGoAway,          // the server asks a client to make a new connection
  kSwitch,          // the client changes networks twice: what it said in between arrives when it is elsewhere
};
inline constexpr std::size_t kFaultKinds = 14;
const char* name_of(FaultKind kind);

struct Fault {
  FaultKind kind = FaultKind::kCut;
  Duration at;  // since the start
  std::size_t client = 0;
  std::uint64_t chance = 0;  // decides the details
};

struct Act {
  Duration at;
  std::size_t client = 0;
};

struct Schedule {
  std::uint64_t seed = 0;
  std::size_t n_clients = 1;
  std::size_t n_users = 1;
  std::uint32_t n_shards = 1;
  std::size_t world_bytes = 200;
  std::uint8_t patch_format = 2;
  Duration tick{100'000};
  Duration max_delay{20'000};  // of the network, one way
  std::vector<Fault> faults;   // by time
  std::vector<Act> acts;       // by time

  static Schedule from_seed(std::uint64_t seed);
};

}  // namespace libsync::sim
