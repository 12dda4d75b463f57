#include "codec/structure.h"

#include <algorithm>
#include <numeric>

namespace libsync::codec {

std::uint32_t Type::rows_of(std::uint32_t size_bytes) const {
  if (has_one_row()) return 1;
  if (!has_length()) return (size_bytes + 31) / 32;
  return size_bytes <= 4 ? 1 : 1 + (size_bytes - 4 + row_bytes() - 1) / row_bytes();
}

std::uint32_t Structure::rank_of(std::uint32_t type, std::uint32_t position) const {
  const std::vector<std::uint32_t>& all = groups[type].starts;
  return static_cast<std::uint32_t>(std::lower_bound(all.begin(), all.end(), position) - all.begin());
}

void Structure::assemble(std::span<const Found> found) {
  starts = Starts(size_bytes);
  for (const Found& object : found) starts.add(object.start);
  starts.count();
  tags.resize(found.size());
  groups.assign(types().size(), {});
  std::vector<Found> vtables;
  std::vector<std::uint32_t> n(types().size());
  for (const Found& object : found) {
    tags[starts.index_of(object.start)] = tag_of(object.type, object.shape);
    ++n[object.type];
    if (object.type == 1) vtables.push_back(object);
  }
  const auto is_before = [](const Found& a, const Found& b) { return a.start < b.start; };
  std::sort(vtables.begin(), vtables.end(), is_before);
  vtable_shapes.clear();
  for (const Found& vtable : vtables) vtable_shapes.push_back(vtable.shape);
  for (std::size_t type = 0; type < n.size(); ++type) groups[type].starts.reserve(n[type]);
  std::uint32_t index = 0;
  std::uint32_t table_end = 0;  // where the table before has to end
  Group* table_group = nullptr;
  starts.for_each(0, size_bytes, [&](std::uint32_t start) {
    if (table_end > start) table_group->is_roomy = false;
    const Tag tag = tags[index++];
    Group& group = groups[type_of(tag)];
    group.starts.push_back(start);
    const bool is_table = tag >= types().size();
    table_end = is_table ? start + shapes()[tag - types().size()].table_size : 0;
    table_group = is_table ? &group : nullptr;
  });
}

void Structure::count_rows() {
  for (std::uint32_t type = 0; type < groups.size(); ++type)
    groups[type].n_rows = rows_in(*this, type, groups[type].starts);
}

std::uint32_t rows_in(const Structure& structure, std::uint32_t type, std::span<const std::uint32_t> starts) {
  const Type& what = structure.types()[type];
  if (what.has_one_row()) return static_cast<std::uint32_t>(starts.size());
  std::uint32_t n = 0;
  for (const std::uint32_t start : starts) n += what.rows_of(structure.starts.next(start) - start);
  return n;
}

std::size_t Structure::memory_bytes() const {
  std::size_t total = sizeof *this + starts.memory_bytes() + tags.capacity() * sizeof(Tag) +
                      vtable_shapes.capacity() * sizeof(std::uint32_t);
  for (const Group& group : groups) total += sizeof group + group.starts.capacity() * sizeof(std::uint32_t);
  return total;
}

std::optional<Shape> read_shape(BytesView vtable, std::uint32_t& n_read) {
  if (vtable.size() < 4) return std::nullopt;
  Shape shape;
  shape.size = static_cast<std::uint16_t>(load16(vtable.data()));
  shape.table_size = static_cast<std::uint16_t>(load16(vtable.data() + 2));
  if (shape.size % 2 != 0 || shape.table_size < 4) return std::nullopt;
  const std::size_t n_fields = (vtable.size() - 4) / 2;
  const auto offset_of = [&](std::size_t field) {
    return static_cast<std::uint16_t>(load16(vtable.data() + 4 + 2 * field));
  };
  // Most of what is tested is no vtable: nothing is allocated before it passes.
  std::size_t n_present = 0;
  for (std::size_t field = 0; field < n_fields; ++field) {
    const std::uint16_t offset = offset_of(field);
    ++n_read;
    if (offset != 0 && (offset < 4 || offset >= shape.table_size)) return std::nullopt;
    n_present += offset != 0 ? 1 : 0;
  }
  shape.offsets.reserve(n_fields);
  shape.widths.reserve(n_fields);
  shape.present.reserve(n_present);
  std::vector<std::uint16_t> sorted;
  sorted.reserve(n_present);
  for (std::size_t field = 0; field < n_fields; ++field) {
    const std::uint16_t offset = offset_of(field);
    shape.offsets.push_back(offset);
    if (offset == 0) continue;
    sorted.push_back(offset);
    shape.present.push_back(static_cast<std::uint16_t>(field));
  }
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return std::nullopt;
  for (const std::uint16_t offset : shape.offsets) {
    const auto next = std::upper_bound(sorted.begin(), sorted.end(), offset);
    shape.widths.push_back(
        offset == 0 ? std::uint16_t{0}
                    : static_cast<std::uint16_t>((next == sorted.end() ? shape.table_size : *next) - offset));
  }
  return shape;
}

void assign_columns(Shape& shape, Type& type) {
  const auto column_of = [&](std::uint32_t field, std::uint32_t lane) {
    return type.columns.number_of(field << 16 | lane);
  };
  // All of the table but what its fields leave over at their ends.
  shape.lanes.reserve(shape.table_size / 4u + shape.present.size());
  shape.lanes.push_back({column_of(0, 0), 0, 4});
  std::uint32_t first = shape.table_size;
  for (const std::uint32_t field : shape.present) {
    const std::uint32_t offset = shape.offsets[field], width = shape.widths[field];
    first = std::min(first, offset);
    for (std::uint32_t lane = 0; 4 * lane < width; ++lane) {
      shape.lanes.push_back({column_of(field + 1, lane), static_cast<std::uint16_t>(offset + 4 * lane),
                             static_cast<std::uint16_t>(std::min(4u, width - 4 * lane))});
    }
  }
  for (std::uint32_t at = 4; at < first; at += 4) {
    shape.lanes.push_back(
        {kHeadColumns + at / 4, static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(std::min(4u, first - at))});
  }
  std::sort(shape.lanes.begin(), shape.lanes.end(), [](const Lane& a, const Lane& b) { return a.column < b.column; });
  shape.by_offset.resize(shape.lanes.size());
  std::iota(shape.by_offset.begin(), shape.by_offset.end(), std::uint16_t{0});
  std::sort(shape.by_offset.begin(), shape.by_offset.end(),
            [&](std::uint16_t a, std::uint16_t b) { return shape.lanes[a].offset < shape.lanes[b].offset; });
  shape.first_in_word.reserve(shape.table_size / 4u + 2);
  std::size_t lane = 0;
  for (std::uint32_t word = 0; word <= (shape.table_size + 3u) / 4; ++word) {
    while (lane < shape.by_offset.size() && shape.lanes[shape.by_offset[lane]].offset < 4 * word) ++lane;
    shape.first_in_word.push_back(static_cast<std::uint16_t>(lane));
  }
}

}  // namespace libsync::codec
