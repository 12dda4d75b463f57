// meeting.h: where both sides go on together after they parted.
#pragma once

#include <cstdint>
#include <optional>

#include "codec/align/comparer.h"
#include "codec/align/sides.h"
#include "codec/align/target_vtables.h"

namespace libsync::codec {

// The first pair of tables at or behind the cursor that are the same, or else alike, as the next ones are, with what is
// the same before them. `window`: bytes to look at on both sides.
std::optional<Cursor> find_meeting(const Sides& sides, TargetVtables& vtables, Comparer& comparer, const Cursor& parted,
                                   std::uint32_t window, WorkLeft& work);

}  // namespace libsync::codec
