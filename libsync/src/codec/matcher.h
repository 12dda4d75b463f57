// matcher.h: which objects of the baseline the objects of a target were: what an encoder wishes the arrangement to be.
// Only a matter of size: any answer makes a valid patch.
#pragma once

#include <vector>

#include "codec/arrangement_coder.h"
#include "codec/structure.h"

namespace libsync::codec {

// Places the objects of the target in `plan`, an arrangement of `base` and the target's size, from the end on.
// `is_followed`: the target's types are those of `base`.
Wishes match(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
             bool is_followed, Arrangement& plan);

}  // namespace libsync::codec
