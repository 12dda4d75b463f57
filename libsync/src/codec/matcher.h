// matcher.h: which objects of the baseline the objects of a target were: what an encoder wishes the arrangement to be.
// Only a matter of size: any answer makes a valid patch.
#pragma once

#include <vector>

#include "codec/arrangement_coder.h"
#include "codec/structure.h"

namespace libsync::codec {

// Back to front, to be coded in an arrangement of `base`, `baseline` and the target's size.
std::vector<Wish> match(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target);

}  // namespace libsync::codec
