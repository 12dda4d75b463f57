// excerpt.h: a small FlatBuffer that has the types and vtables of a large one: what a snapshot that nobody holds is
// patched from. Only an encoder's business; a receiver finds the structure of an excerpt as of any baseline.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

struct Excerpt {
  Bytes bytes;  // none: it would not be smaller than the whole
  // Objects that are there as they are in the whole: where they start there, and in the excerpt. Ascending in both.
  std::vector<std::pair<std::uint32_t, std::uint32_t>> same;
};

// One object of each type, of tables one for each vtable, as far as references lead to them.
// Requires: `structure` was found in `bytes`, and is_flatbuffer.
Excerpt excerpt_of(const Structure& structure, BytesView bytes);

}  // namespace libsync::codec
