// patch.h: the difference between two snapshots, and how to apply it.
// Byte layout: docs/WIRE_FORMAT.md section 3.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libsync/limits.h"
#include "libsync/result.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

inline constexpr std::uint8_t kPatchFormat = 1;
// A patch is never larger than its target plus this: header and one add.
inline constexpr std::size_t kPatchOverheadBytes = 32;

// The fixed part of a patch.
struct PatchHeader {
  std::uint8_t format = 0;
  std::size_t baseline_size_bytes = 0;
  std::size_t target_size_bytes = 0;
  Digest digest;               // of the target
  std::size_t ops_offset = 0;  // where the ops begin in the patch
};

// Replaces `out` with the patch that turns `baseline` into `target`, reusing its capacity.
// Cost: one pass over `target` where nothing moved; an index of `baseline` is built only where something did.
// Size: at most target.size_bytes() + kPatchOverheadBytes.
void make_patch(const Snapshot& baseline, const Snapshot& target, Bytes& out);

// Errors: kMalformed.
[[nodiscard]] Result<PatchHeader> read_patch_header(BytesView patch);

// Rebuilds the target from `baseline` and untrusted `patch` bytes. The result owns its bytes; `baseline` is never
// touched. Allocates at most the declared size, after checking it. Work: linear in patch plus target.
// Errors: kWrongBaseline (other size), kDigestMismatch, kMalformed, kSnapshotTooBig. After any of them the state can be
// had again whole (GetState).
[[nodiscard]] Result<SnapshotPtr> apply_patch(const Snapshot& baseline, BytesView patch, const Limits& limits);

}  // namespace libsync
