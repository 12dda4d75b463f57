// describer.h: how to say what the objects of a target were: what an encoder wishes the arrangement to be.
#pragma once

#include "codec/arrangement_coder.h"
#include "codec/matcher.h"

namespace libsync::codec {

// Places the objects of the target in `plan`, an arrangement of `base` and the target's size, from the end on.
Wishes describe(const Structure& base, BytesView baseline, BytesView target, Matches& matches, Arrangement& plan);

}  // namespace libsync::codec
