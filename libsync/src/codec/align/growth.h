// growth.h: objects that became longer or shorter, or got another vtable, where all goes on just behind them.
#pragma once

#include <optional>
#include <vector>

#include "codec/align/comparer.h"
#include "codec/align/sides.h"
#include "codec/align/target_reader.h"
#include "codec/matcher.h"

namespace libsync::codec {

struct Growth {
  std::vector<Match> grown;  // front to back; the first may begin in what was padding before the cursor
  std::vector<Object> gone;  // vtables of the baseline that did not become anything here
  Cursor behind;             // where both go on together
};

// Nothing if the object at the cursor did not grow in this way, alone or with the next few. A vtable may have come
// before a table, or gone. Vtables that nobody knew are learnt.
std::optional<Growth> find_growth(const Sides& sides, TargetReader& reader, Comparer& comparer, const Cursor& at);

}  // namespace libsync::codec
