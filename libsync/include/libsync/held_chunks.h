// held_chunks.h: what a client names of a snapshot that the server need not know, and the patch that is made for it.
// Layout: docs/WIRE_FORMAT.md section 5.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libsync/limits.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

inline constexpr std::size_t kMaxHeldChunks = 4096;
inline constexpr std::size_t kMinHeldChunkBytes = 256;
inline constexpr std::size_t kHeldFingerprintBytes = 6;

// Bytes per chunk of a snapshot of `size_bytes`: a power of two fixed by the format.
std::size_t held_chunk_bytes(std::size_t size_bytes);

struct HeldChunks {
  std::size_t size_bytes = 0;
  Bytes fingerprints;  // [whole chunks] six bytes each

  // One pass over `bytes`.
  static HeldChunks of(BytesView bytes);
  // Whether there are as many fingerprints as the size says, and the size is within the limit.
  bool is_valid(const Limits& limits) const;
  bool operator==(const HeldChunks&) const = default;
};

// Replaces `out` with a patch of kind kBytes that turns a snapshot with these chunks into `target`: copies of the
// chunks that are there, wherever they are, and everything else as it is. If fingerprints are wrong the patch leads to
// another digest. Cost: linear in `target`, whatever the fingerprints are: some nanoseconds for four bytes. Size: at
// most target.size_bytes() + kPatchOverheadBytes. Requires: held.is_valid().
void make_chunk_diff(const HeldChunks& held, const Snapshot& target, Bytes& out);

}  // namespace libsync
