// replica.h: a receiver's own copy of one topic's state, changed in place by patches: what a patch costs is what
// changed, not what exists. For receivers that look at the current state only; those who keep states use apply_patch().
#pragma once

#include <memory>

#include "libsync/fingerprint.h"
#include "libsync/limits.h"
#include "libsync/result.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

class Replica {
 public:
  // Of no bytes, baseline of every full update.
  Replica();
  // Begins with a copy of this state.
  explicit Replica(const Snapshot& snapshot);
  Replica(Replica&&) noexcept;
  Replica& operator=(Replica&&) noexcept;
  ~Replica();

  // The state as it is now, aligned for FlatBuffers (16 bytes). Valid until the next apply(), which changes it.
  BytesView bytes() const;
  Digest digest() const;
  // A copy of it that stays.
  SnapshotPtr snapshot() const;

  // Takes the state to the patch's target and returns its digest, in the context of the patches before. Cost: where
  // nothing moved, what changed plus the chunks that hold it; else one pass over the state. Errors: as apply_patch();
  // the state is then as it was, and a patch that continues is refused until one stands alone.
  [[nodiscard]] Result<Digest> apply(BytesView patch, const Limits& limits);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace libsync
