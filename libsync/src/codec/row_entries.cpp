#include "codec/row_entries.h"

#include <algorithm>

namespace libsync::codec {
namespace {

using Active = std::vector<ActiveColumn>::const_iterator;

// The first column in [from, end) that is not below `column`: mostly near, but a stream may name many.
Active first_at(Active from, Active end, std::uint32_t column) {
  for (int i = 0; i < 4; ++i, ++from) {
    if (from == end || from->column >= column) return from;
  }
  const auto is_below = [](const ActiveColumn& active, std::uint32_t wanted) { return active.column < wanted; };
  return std::lower_bound(from, end, column, is_below);
}

}  // namespace

void RowEntries::make_plan(RowPlan& plan, const Shape& shape) {
  plan.stamp = stamp_;
  plan.found.clear();
  const Active begin = work_.active.begin(), end = work_.active.end();
  Active next = begin;
  for (const Lane& lane : shape.lanes) {
    next = first_at(next, end, lane.column);
    if (next == end) break;
    if (next->column == lane.column)
      plan.found.push_back({static_cast<std::uint32_t>(next - begin), {lane.offset, lane.width}});
  }
}

// A table that is smaller than its vtable says, or has something behind it.
void RowEntries::find_in_odd_table(const Object& object) {
  const Active begin = work_.active.begin(), end = work_.active.end();
  Active next = begin;
  for_each_entry(type_, schema_.shapes, object, 0, [&](std::uint32_t column, Entry entry) {
    next = first_at(next, end, column);
    if (next != end && next->column == column) work_.found.push_back({static_cast<std::uint32_t>(next - begin), entry});
  });
}

// Where columns are four bytes apart.
void RowEntries::find_in_vector(const Object& object, std::uint32_t row) {
  const RowRange range = row_range(type_, object, row);
  for (std::uint32_t i = 0; i < work_.active.size(); ++i) {
    const std::uint32_t column = work_.active[i].column;
    if (column < range.first_column) continue;
    const std::uint64_t position = range.begin + 4 * std::uint64_t{column - range.first_column};
    if (position >= range.end) break;
    const auto at = static_cast<std::uint32_t>(position);
    work_.found.push_back({i, {at, std::min(4u, range.end - at)}});
  }
}

}  // namespace libsync::codec
