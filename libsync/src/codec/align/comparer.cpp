#include "codec/align/comparer.h"

namespace libsync::codec {

Comparer::Comparer(const Sides& sides, TargetVtables& vtables)
    : sides_(sides), vtables_(vtables), lanes_(sides.base.shapes().size()) {
  find_plain_tags();
}

void Comparer::find_plain_tags() {
  const auto n_types = static_cast<std::uint32_t>(sides_.types().size());
  const auto n_shapes = static_cast<std::uint32_t>(sides_.base.shapes().size());
  plain_.resize(n_types + n_shapes);
  for (std::uint32_t type = 0; type < n_types; ++type) plain_[type].is_text = sides_.types()[type].kind == Kind::kText;
  for (std::uint32_t shape = 0; shape < n_shapes; ++shape) {
    Plain& plain = plain_[n_types + shape];
    plain.shape = shape;
    plain.core = vtables_.shape(shape).table_size;
    plain.step = sides_.plan.may_alternate(shape) ? 8 : 4;
    if (sides_.plan.has_vtable(shape)) plain.lanes = &lanes_of(shape);
  }
}

void Comparer::find_lanes(std::uint32_t shape_index, Lanes& lanes) const {
  const Shape& shape = vtables_.shape(shape_index);
  const Type& type = sides_.types()[shape.type];
  lanes.is_known = true;
  for (const std::uint16_t field : shape.present) {
    if (field < type.fields.size() && type.fields[field].child != kNone && shape.widths[field] >= 4)
      lanes.references.emplace_back(shape.offsets[field], type.fields[field].child);
  }
  std::sort(lanes.references.begin(), lanes.references.end());
  lanes.values.resize((shape.table_size + 63u) / 64);
  auto reference = lanes.references.begin();
  for (std::uint32_t at = 4; at < shape.table_size; at += 4) {
    while (reference != lanes.references.end() && reference->first + 4u <= at) ++reference;
    if (reference != lanes.references.end() && reference->first < at + 4) continue;
    const std::uint64_t bytes = (std::uint64_t{1} << std::min(4u, shape.table_size - at)) - 1;
    lanes.values[at / 64] |= bytes << (at % 64);
    ++lanes.n_values;
  }
}

void Comparer::tolerate(const Object& table, std::uint32_t to) {
  const Lanes& lanes = lanes_of(table.shape);
  tolerance_ = std::min(100u, 10 + 100 * n_changed(table.start, to, lanes) / lanes.n_values);
}

bool Comparer::is_same(const Object& old, const Object& other) {
  if (old.type != other.type) return false;
  const Type& type = sides_.types()[old.type];
  const std::uint32_t room = std::min(old.size(), other.size());
  if (type.kind == Kind::kTable) {
    return old.shape == other.shape && room >= vtables_.shape(old.shape).table_size &&
           n_changed(old.start, other.start, lanes_of(old.shape)) == 0;
  }
  if (type.kind == Kind::kVTable) return old.shape == other.shape;
  if (room < 4) return false;
  const std::byte* const a = sides_.old_bytes + old.start;
  const std::byte* const b = sides_.new_bytes + other.start;
  const std::uint32_t count = load32(a);
  if (count != load32(b)) return false;
  if (type.kind == Kind::kReferences) return true;
  const std::uint64_t n = type.kind == Kind::kText ? count : std::uint64_t{type.stride} * count;
  return n + 4 <= room && std::memcmp(a + 4, b + 4, static_cast<std::size_t>(n)) == 0;
}

bool Comparer::may_be(const Object& old, const Object& other) {
  if (old.type != other.type) return false;
  if (!is_table(old) || old.shape != other.shape) return is_reshaped(old, other);
  return is_alike(old.shape, old.start, other.start, percent_alike());
}

bool Comparer::is_reshaped(const Object& old, const Object& other) const {
  const Type& type = sides_.types()[old.type];
  // A vtable may come instead of another only where the baseline does not have it: that one stays what it was.
  if (type.kind == Kind::kVTable) return old.shape == other.shape || !was_there(other.shape);
  // The only table of its type, such as the root, can be no other.
  if (type.kind != Kind::kTable || sides_.base.groups[old.type].starts.size() == 1) return true;
  const Shape& a = vtables_.shape(old.shape);
  const Shape& b = vtables_.shape(other.shape);
  std::uint32_t n = 0, n_equal = 0;
  for (const std::uint16_t field : a.present) {
    const bool is_reference = field < type.fields.size() && type.fields[field].child != kNone;
    if (field >= b.offsets.size() || b.offsets[field] == 0 || is_reference) continue;
    const std::size_t width = std::min(a.widths[field], b.widths[field]);
    ++n;
    n_equal += std::memcmp(sides_.old_bytes + old.start + a.offsets[field],
                           sides_.new_bytes + other.start + b.offsets[field], width) == 0;
  }
  return 3 * n_equal >= 2 * n;
}

}  // namespace libsync::codec
