// excerpt.h: a small FlatBuffer that has the types and vtables of a large one: what a snapshot that nobody holds is
// patched from. Only an encoder's business; a receiver finds the structure of an excerpt as of any baseline.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// An excerpt is no larger than this: it costs a receiver most of what a patch from nothing costs per byte.
constexpr std::size_t max_excerpt_bytes(std::size_t target_size_bytes) {
  return std::min(target_size_bytes, target_size_bytes / 4 + 4096);
}

struct Excerpt {
  Bytes bytes;  // none: it would be too large
  // Objects that are there as they are in the whole: where they start there, and in the excerpt. Ascending in both.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> same;
};

// One object of each type, of tables one for each vtable, as far as references lead to them.
// Requires: `structure` was found in `bytes`, and is_flatbuffer.
Excerpt excerpt_of(const Structure& structure, BytesView bytes);

}  // namespace libsync::codec
