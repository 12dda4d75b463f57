// row_work.h: what is kept while the rows of a type are coded: the columns that take part, and where rows have them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/models.h"
#include "codec/rows.h"
#include "codec/table_shapes.h"

namespace libsync::codec {

// A column that takes part in a patch.
struct ActiveColumn {
  std::uint32_t column;
  Order order;
  ColumnModel* model;
};
// An entry of a row, in one of the active columns.
struct FoundEntry {
  std::uint32_t active;  // index in the active columns
  Entry entry;
};
// Where all tables of a shape have the active columns.
struct RowPlan {
  std::uint64_t stamp = 0;        // of the set of active columns, TypeModel::stamp
  std::vector<FoundEntry> found;  // positions from the start of the table
};
// What an Encoder knows of a column that changes before it codes.
struct ColumnChoice {
  std::uint32_t column;
  std::array<std::uint64_t, kOrders> bits{};  // that it would take by each way of prediction, roughly
};

// What a ResidualCoder works with. Its memory is worth keeping from patch to patch. A copy has none of its content.
struct RowWork {
  RowWork() = default;
  RowWork(const RowWork&) {}
  RowWork& operator=(const RowWork&) {
    for (RowPlan& plan : plans) plan.stamp = 0;
    return *this;
  }
  RowWork(RowWork&&) noexcept = default;
  RowWork& operator=(RowWork&&) noexcept = default;

  std::vector<ColumnChoice> choices;       // an Encoder's, by column
  std::vector<std::uint32_t> new_columns;  // ascending
  std::vector<ActiveColumn> active;        // by column
  std::vector<std::uint32_t> told;         // an Encoder's: changed rows that the last step did not change, ascending
  std::vector<RowPlan> plans;              // [shapes]
  std::vector<Motion> motions;             // of this step
  std::vector<FoundEntry> found;           // of a row without a plan
  std::uint64_t last_stamp = 0;
  TableShapes shapes;
};

}  // namespace libsync::codec
