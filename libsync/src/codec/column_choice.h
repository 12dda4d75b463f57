// column_choice.h: what an Encoder decides before it codes the rows of a type: which columns take part, and how each is
// predicted. Only a matter of size.
#pragma once

#include <algorithm>
#include <vector>

#include "codec/models.h"
#include "codec/row_work.h"
#include "codec/rows.h"

namespace libsync::codec {

// Fills `choices`: all columns that change, ascending. How those are best predicted that changed in the last step too,
// some rows tell. `changes` and `motions`: by row, then column.
void choose_columns(const std::vector<Change>& changes, const std::vector<Motion>& motions,
                    std::vector<ColumnChoice>& choices);

inline Order best_order(const ColumnChoice& choice) {
  const auto best = std::min_element(choice.bits.begin(), choice.bits.end());
  return static_cast<Order>(best - choice.bits.begin());
}

}  // namespace libsync::codec
