// patch.h: the difference between two snapshots, and how to apply it.
// Byte layout: docs/WIRE_FORMAT.md section 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "libsync/limits.h"
#include "libsync/patch_context.h"
#include "libsync/result.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

// The newest form of patches; a receiver announces it in Hello, and understands every older one.
inline constexpr std::uint8_t kPatchFormat = 2;
// A patch is never larger than its target plus this: header and one add.
inline constexpr std::size_t kPatchOverheadBytes = 32;

// The first byte of a patch, without kContinuesBit.
enum class PatchKind : std::uint8_t {
  kWhole = 0,    // from nothing: a FlatBuffer, its objects like those of a small excerpt
  kBytes = 1,    // between any bytes: copies, additions, differences
  kInPlace = 2,  // between FlatBuffers of which nothing moved: rows and columns that changed
  kMoved = 3,    // between FlatBuffers: where each object comes from, then as kInPlace
};

// Set in the first byte: the patch continues a context, which its receiver must hold. Never with kWhole or kBytes.
inline constexpr std::uint8_t kContinuesBit = 4;

// The fixed part of a patch.
struct PatchHeader {
  PatchKind kind = PatchKind::kBytes;
  bool continues = false;
  std::optional<std::size_t> baseline_size_bytes;  // kBytes
  std::optional<std::size_t> target_size_bytes;    // but for kInPlace: that of the baseline
  std::optional<std::size_t> excerpt_size_bytes;   // kWhole
  Digest digest;                                   // of the target
  std::size_t body_offset = 0;                     // where the rest begins in the patch
};

// Replaces `out` with the patch that turns `baseline` into `target`, reusing its capacity. `format`: 1 makes kBytes
// only, which are larger, and cheaper for those who apply them. Cost: one pass over `target` where nothing moved; where
// something did, the structure of the target too. Size: at most target.size_bytes() + kPatchOverheadBytes.
// `context`: if it is at `baseline` the patch continues it, else one is begun; in both cases it is at `target`
// afterwards, or closed. Without one the patch stands alone and nothing is kept.
void make_patch(const Snapshot& baseline, const Snapshot& target, Bytes& out, std::uint8_t format = kPatchFormat,
                PatchContext* context = nullptr);

// Errors: kMalformed.
[[nodiscard]] Result<PatchHeader> read_patch_header(BytesView patch);

// Rebuilds the target from `baseline` and untrusted `patch` bytes. The result owns its bytes; `baseline` is never
// touched. Allocates at most the declared size, after checking it. Work: linear in patch plus target.
// Errors: kWrongBaseline (other size), kDigestMismatch, kMalformed (also where the baseline is not the sender's),
// kSnapshotTooBig. After any of them the state can be had again whole (GetState).
// `context`: as in make_patch(); a patch that continues one is kWrongBaseline without it. After an error it is closed.
[[nodiscard]] Result<SnapshotPtr> apply_patch(const Snapshot& baseline, BytesView patch, const Limits& limits,
                                              PatchContext* context = nullptr);

}  // namespace libsync
