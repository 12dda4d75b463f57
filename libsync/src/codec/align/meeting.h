// meeting.h: where both sides go on together after they parted.
#pragma once

#include <cstdint>
#include <optional>

#include "codec/align/comparer.h"
#include "codec/align/sides.h"
#include "codec/align/target_vtables.h"

namespace libsync::codec {

// The first pair of tables at or behind the cursor that differ in at most so many percent of their values, as the next
// ones do, with what is the same before them; never at the cursor itself. `window`: bytes to look at on both sides.
std::optional<Cursor> find_meeting(const Sides& sides, TargetVtables& vtables, Comparer& comparer, const Cursor& parted,
                                   std::uint32_t percent, std::uint32_t window, WorkLeft& work);

}  // namespace libsync::codec
