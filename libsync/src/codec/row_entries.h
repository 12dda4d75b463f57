// row_entries.h: where a row has the columns that take part in a patch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/row_work.h"
#include "codec/rows.h"
#include "codec/structure.h"

namespace libsync::codec {

// Of the rows of one type, one row at a time.
class RowEntries {
 public:
  // Requires: work.active is complete; `stamp` is another for other ones. All outlive this.
  RowEntries(RowWork& work, const Structure& structure, std::uint32_t type, std::uint64_t stamp)
      : work_(work),
        structure_(structure),
        schema_(*structure.schema),
        type_(schema_.types[type]),
        stamp_(stamp),
        shapes_(work.shapes.of(type)),
        is_roomy_(structure.groups[type].is_roomy),
        has_tails_(!work.active.empty() && work.active.back().column >= kTailColumns) {}

  // Goes to a row of the object of this rank that starts at `start`.
  void find(std::size_t rank, std::uint32_t start, std::uint32_t row_in_object) {
    if (type_.kind == Kind::kTable && find_by_plan(rank, start)) return;
    const Object object = structure_.object(start);
    work_.found.clear();
    base_ = 0;
    if (type_.kind == Kind::kTable) {
      find_in_odd_table(object);
    } else {
      find_in_vector(object, row_in_object);
    }
    found_ = work_.found.data();
    n_ = work_.found.size();
  }

  // What it has, by column.
  std::size_t n() const { return n_; }
  const ActiveColumn& column(std::size_t k) const { return work_.active[found_[k].active]; }
  Entry entry(std::size_t k) const { return {base_ + found_[k].entry.position, found_[k].entry.width}; }
  std::uint32_t width(std::size_t k) const { return found_[k].entry.width; }

 private:
  // Most tables have as many bytes as their vtable says, so that all with this vtable have the same entries.
  bool find_by_plan(std::size_t rank, std::uint32_t start) {
    const std::size_t shape_index =
        shapes_ != nullptr ? shapes_[rank] : structure_.tags[structure_.starts.index_of(start)] - schema_.types.size();
    const Shape& shape = schema_.shapes[shape_index];
    if (work_.plans.size() <= shape_index) work_.plans.resize(schema_.shapes.size());
    RowPlan& plan = work_.plans[shape_index];
    if (plan.stamp != stamp_) make_plan(plan, shape);
    if (!is_roomy_ || has_tails_) {
      const std::uint32_t size = structure_.starts.next(start) - start;
      if (shape.table_size > size || (shape.table_size < size && has_tails_)) return false;
    }
    found_ = plan.found.data();
    n_ = plan.found.size();
    base_ = start;
    return true;
  }
  void make_plan(RowPlan& plan, const Shape& shape);
  void find_in_odd_table(const Object& object);
  void find_in_vector(const Object& object, std::uint32_t row);

  RowWork& work_;
  const Structure& structure_;
  const Schema& schema_;
  const Type& type_;
  std::uint64_t stamp_;
  const Tag* shapes_;  // [rank], or null
  bool is_roomy_;      // no table is smaller than its vtable says
  bool has_tails_;     // some column is of what is behind tables
  // The row at hand.
  const FoundEntry* found_ = nullptr;
  std::size_t n_ = 0;
  std::uint32_t base_ = 0;  // what the positions in found_ count from
};

}  // namespace libsync::codec
