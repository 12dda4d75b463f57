// follow.h: what a target is made of, in the words of a baseline: its references are followed by what is known of the
// baseline's types, without a guess. Several times as fast as find_structure(), and only an encoder's business.
#pragma once

#include <optional>

#include "codec/structure.h"

namespace libsync::codec {

// Types have the numbers they have in `base`; shapes too, those that `base` does not have come behind them. Nothing if
// the target has more that its types do not explain than the baseline has: then it is worth a look of its own.
// Requires: base.is_flatbuffer. Work: linear in the size of `target`, whatever it is.
std::optional<Structure> follow(const Structure& base, BytesView baseline, BytesView target);

}  // namespace libsync::codec
