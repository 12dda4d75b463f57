// aligner.h: a quick matcher for targets that are mostly what the baseline was, in the same order: it walks both
// buffers side by side, and looks closer only where they part.
#pragma once

#include <optional>

#include "codec/matcher.h"

namespace libsync::codec {

// Nothing where too much is new or came out of order: match() may do better. Requires: base.is_flatbuffer. Work: linear
// in both sizes. Its parts are in align/.
std::optional<Matches> align(const Structure& base, BytesView baseline, BytesView target);

}  // namespace libsync::codec
