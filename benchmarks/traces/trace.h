// trace.h: the snapshots of a workload, one after the other, with the field delta of each.
#pragma once

#include <deque>
#include <optional>

#include "build_world.h"
#include "field_delta.h"
#include "libsync/types.h"
#include "workload.h"

namespace libsync::traces {

// Holds one snapshot and the last kMaxLag states of the game; a snapshot of workload e has 15 MB.
class Trace {
 public:
  static constexpr std::size_t kMaxLag = 5;

  // `snapshots` 0: as many as the workload has by default.
  explicit Trace(const WorkloadInfo& info, std::uint64_t seed = kDefaultSeed, std::uint32_t snapshots = 0);

  // Makes the next snapshot, the first one when called for the first time; false when there are no more.
  bool next();
  // Valid until the next call of next().
  BytesView snapshot() const;
  // From the snapshot `lag` before to this one; nothing where there is none, or `lag` is 0 or above kMaxLag.
  std::optional<FieldDelta> delta(std::size_t lag) const;

 private:
  std::unique_ptr<Workload> workload_;
  std::uint32_t left_;
  flatbuffers::FlatBufferBuilder builder_;
  std::deque<World> past_;  // newest first
  bool started_ = false;
};

}  // namespace libsync::traces
