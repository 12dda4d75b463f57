// rows.h: where the rows of an object are, and what they have in which column.
// Definition: docs/WIRE_FORMAT.md section 3.3.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "codec/structure.h"

namespace libsync::codec {

// Objects of a type whose rows are counted together: all of them, or those with a predecessor.
struct Rows {
  std::span<const std::uint32_t> starts;
  std::uint32_t n = 0;
};
inline Rows rows_of(const Group& group) { return {group.starts, group.n_rows}; }

// What an entry of a row is: bytes [position, position + width), width 0: this row has no such column.
struct Entry {
  std::uint32_t position = 0;
  std::uint32_t width = 0;
};

// The bytes of a row of an object that is no table, and the column that it begins with.
struct RowRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t first_column = 0;
};
inline RowRange row_range(const Type& type, const Object& object, std::uint32_t row) {
  if (type.has_one_row()) return {object.start, object.end, 0};
  if (!type.has_length()) return {object.start + 32 * row, std::min(object.end, object.start + 32 * (row + 1)), 0};
  const std::uint32_t rows_begin = std::min(object.start + 4, object.end);
  if (row == 0) return {object.start, rows_begin, 0};
  const std::uint32_t begin = rows_begin + (row - 1) * type.row_bytes();
  return {begin, std::min(object.end, begin + type.row_bytes()), 1};
}

// Calls visit(column, entry) for every entry of row `row` of the object, by column.
template <typename Visit>
void for_each_entry(const Type& type, const std::vector<Shape>& shapes, const Object& object, std::uint32_t row,
                    Visit visit) {
  if (type.kind != Kind::kTable) {
    const RowRange range = row_range(type, object, row);
    std::uint32_t column = range.first_column;
    for (std::uint32_t at = range.begin; at < range.end; at += 4)
      visit(column++, Entry{at, std::min(4u, range.end - at)});
    return;
  }
  const Shape& shape = shapes[object.shape];
  for (const Lane& lane : shape.lanes) {
    const std::uint32_t at = object.start + lane.offset;
    if (at < object.end) visit(lane.column, Entry{at, std::min<std::uint32_t>(lane.width, object.end - at)});
  }
  std::uint32_t column = kTailColumns;
  for (std::uint32_t at = object.start + shape.table_size; at < object.end; at += 4) {
    visit(column++, Entry{at, std::min(4u, object.end - at)});
  }
}

// An entry that the target changes by `delta`, modulo its width.
struct Change {
  std::uint32_t row = 0;  // in the type
  std::uint32_t column = 0;
  std::int32_t delta = 0;
};

inline std::uint32_t load_entry(const std::byte* bytes, Entry entry) {
  if (entry.width == 4) return load32(bytes + entry.position);
  std::uint32_t value = 0;
  for (std::uint32_t i = 0; i < entry.width; ++i)
    value |= static_cast<std::uint32_t>(bytes[entry.position + i]) << (8 * i);
  return value;
}
inline void store_entry(std::byte* bytes, Entry entry, std::uint32_t value) {
  if (entry.width == 4) return store32(bytes + entry.position, value);
  for (std::uint32_t i = 0; i < entry.width; ++i) bytes[entry.position + i] = static_cast<std::byte>(value >> (8 * i));
}
// Of a difference its lowest bytes, with their sign.
inline std::int32_t cut(std::uint32_t difference, std::uint32_t width) {
  const unsigned shift = 32 - 8 * width;
  return static_cast<std::int32_t>(difference << shift) >> shift;
}

// The changes of one row, appended by column.
inline void add_changes(const Type& type, const std::vector<Shape>& shapes, const Object& object,
                        std::uint32_t row_in_object, std::uint32_t row, const std::byte* prediction,
                        const std::byte* target, std::vector<Change>& changes) {
  const auto add = [&](std::uint32_t column, Entry entry) {
    const std::uint32_t from = load_entry(prediction, entry), to = load_entry(target, entry);
    if (from != to) changes.push_back({row, column, cut(to - from, entry.width)});
  };
  if (type.kind == Kind::kTable && shapes[object.shape].table_size == object.end - object.start) {
    for (const Lane& lane : shapes[object.shape].lanes) add(lane.column, {object.start + lane.offset, lane.width});
  } else {
    for_each_entry(type, shapes, object, row_in_object, add);
  }
}

}  // namespace libsync::codec
