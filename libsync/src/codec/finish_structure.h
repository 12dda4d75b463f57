// finish_structure.h: from the objects that were found in a snapshot to all that follows from them.
// Rules: docs/WIRE_FORMAT.md section 3.3, "Objects" and "Rows and columns".
#pragma once

#include <cstdint>
#include <vector>

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// Drops vtables that were tested but that no table has. `found`: by type.
void drop_unused_shapes(Schema& schema, std::vector<std::vector<Found>>& found);

// Numbers columns, finds strides, counts rows. Each start once, one at 0 unless there are no bytes. `is_flatbuffer` and
// `is_mixed` are left to the caller.
Structure finish_structure(BytesView bytes, Schema schema, const std::vector<std::vector<Found>>& found);

}  // namespace libsync::codec
