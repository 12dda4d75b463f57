// chains.h: rows of patches, each in the context of those before, that no honest sender would make; and what the
// decoder of this library says to each. Another decoder has to say the same.
#pragma once

#include <cstdint>
#include <vector>

#include "libsync/limits.h"
#include "libsync/patch.h"
#include "libsync/types.h"

namespace libsync::cross {

// A patch for what the receiver holds when it comes.
struct Step {
  Bytes patch;
  ErrorCode error = ErrorCode::kNone;  // then nothing changes but that the context is closed
  Digest digest;                       // of the target, without an error
};

struct Chain {
  Bytes baseline;
  std::vector<Step> steps;
  std::size_t n_prefix = 0;  // steps that only lead to where it begins: they were made before
};

inline Limits chain_limits() {
  Limits limits;
  limits.max_snapshot_bytes = 1 << 16;
  return limits;
}

// A family: a few honest patches of one state and what came of them when they were bent, some hundred cases in all.
// The same for the same number. Aborts if this library's own decoders differ: apply_patch(), Replica, and what the
// symbols meant when they were chosen.
std::vector<Chain> make_family(std::uint64_t number);

}  // namespace libsync::cross
