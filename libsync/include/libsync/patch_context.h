// patch_context.h: what both ends of a row of patches have learnt, so that the next one need not say it.
#pragma once

#include <memory>

#include "libsync/fingerprint.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

namespace codec {
struct Context;
}

// One at the sender, one at each receiver of the same patches, in the same order: which tables there are, how each
// column changes, by how much it did last time. A receiver that missed one patch cannot read the next; the sender
// begins anew for it with a patch that stands alone. Memory: a few times that of what changes in a step, at most some
// times that of the snapshot.
class PatchContext {
 public:
  PatchContext();
  PatchContext(const PatchContext& other);
  PatchContext& operator=(const PatchContext& other);
  PatchContext(PatchContext&&) noexcept;
  PatchContext& operator=(PatchContext&&) noexcept;
  ~PatchContext();

  // Whether a patch from this baseline would continue it.
  bool is_at(const Snapshot& baseline) const { return is_at(baseline.digest()); }
  bool is_at(Digest baseline) const { return context_ != nullptr && at_ == baseline; }
  // The next patch stands alone.
  void close();

  // For the codec. Null: closed.
  std::unique_ptr<codec::Context> release();
  void hold(std::unique_ptr<codec::Context> context, Digest at);

 private:
  std::unique_ptr<codec::Context> context_;
  Digest at_;
};

}  // namespace libsync
