#include "codec/arrangement.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

namespace libsync::codec {
namespace {

// Which fields there are, whatever their places.
std::string fields_of(const Shape& shape) {
  std::string present;
  for (const std::uint16_t offset : shape.offsets) present.push_back(offset != 0 ? '1' : '0');
  present.resize(present.find_last_of('1') + 1);
  return present;
}

// The last possible start at or before `start`; of elements of 8 bytes, which begin behind their number.
std::uint32_t aligned(std::uint32_t start, std::uint32_t align) {
  if (align == 8 && start >= 4) return (start + 4) / 8 * 8 - 4;
  return start / std::min(align, 4u) * std::min(align, 4u);
}

}  // namespace

Arrangement::Arrangement(const Structure& structure, BytesView bytes, std::uint32_t target_size_bytes)
    : base(structure), baseline(bytes), target_size(target_size_bytes) {
  n_placed_.resize(types().size());
  has_vtable_.resize(shapes().size());
  for (const std::uint32_t shape : base.vtable_shapes) has_vtable_[shape] = 1;
  first_of_kind_.resize(shapes().size(), kNone);
  kindred_.resize(shapes().size());
  for (const Type& type : types()) {
    std::unordered_map<std::string, std::uint32_t> first;
    for (const std::uint32_t shape : type.shapes) {
      first_of_kind_[shape] = first.try_emplace(fields_of(shapes()[shape]), shape).first->second;
      ++kindred_[first_of_kind_[shape]].n_shapes;
    }
  }
}

std::uint32_t Arrangement::expected_shape(const Object& source, std::uint32_t end) {
  if (source.end / 4 % 2 == end / 4 % 2) return source.shape;
  const Kindred& kindred = kindred_[first_of_kind_[source.shape]];
  if (kindred.n_shapes == 1) return source.shape;
  if (!kindred.is_known) find_alignments(source.type);
  const std::uint32_t other = kindred.at_alignment[end / 4 % 2];
  return other == kNone ? source.shape : other;
}

void Arrangement::find_alignments(std::uint32_t type) {
  std::size_t n_left = 0;  // of those that matter
  for (const std::uint32_t shape : base.types()[type].shapes) {
    if (first_of_kind_[shape] != shape) continue;
    kindred_[shape].is_known = true;
    n_left += kindred_[shape].n_shapes > 1 ? 2 : 0;
  }
  for (const std::uint32_t start : base.groups[type].starts) {
    if (n_left == 0) return;
    const Object table = base.object(start);
    Kindred& kindred = kindred_[first_of_kind_[table.shape]];
    std::uint32_t& shape = kindred.at_alignment[table.end / 4 % 2];
    if (shape != kNone) continue;
    shape = table.shape;
    n_left -= kindred.n_shapes > 1 ? 1 : 0;
  }
}

std::uint32_t Arrangement::expected_count(const Object& source) const {
  const std::uint32_t count = old_count(source);
  const std::uint32_t element = types()[source.type].element;
  // The one list of all objects of a type grows and shrinks with them.
  return element != kNone && count == base.groups[element].starts.size() ? n_placed_[element] : count;
}

std::uint32_t Arrangement::add_shape(std::uint32_t type, Shape shape) {
  if (own_schema_ == nullptr) own_schema_ = std::make_shared<Schema>(*base.schema);
  Schema& schema = *own_schema_;
  shape.type = type;
  assign_columns(shape, schema.types[type]);
  const auto index = static_cast<std::uint32_t>(schema.shapes.size());
  schema.shapes.push_back(std::move(shape));
  schema.types[type].shapes.push_back(index);
  has_vtable_.push_back(0);
  return index;
}

bool Arrangement::place(std::uint32_t source, bool is_fresh, const Overrides& overrides, std::uint32_t end,
                        Placed& object) {
  const Object from = base.object(source);
  const Type& type = types()[from.type];
  object = Placed{};
  object.end = end;
  object.type = from.type;
  object.source = source;
  object.is_fresh = is_fresh;
  const bool has_count = type.kind == Kind::kText || type.kind == Kind::kReferences;
  if (overrides.resizes && !(overrides.is_spliced ? type.kind == Kind::kData : has_count)) return false;
  if (overrides.reshapes && type.kind != Kind::kTable && type.kind != Kind::kVTable) return false;
  if (overrides.reshapes && type.kind == Kind::kTable && shapes()[overrides.shape].type != from.type) return false;
  std::uint64_t core = 0;
  std::uint32_t align = 4;
  switch (type.kind) {
    case Kind::kOther:
      core = from.start == 0 ? end : from.size();
      align = 1;
      break;
    case Kind::kVTable:
      object.shape = overrides.reshapes ? overrides.shape : from.shape;
      core = shapes()[object.shape].size;
      align = 1;
      break;
    case Kind::kTable:
      object.shape = overrides.reshapes ? overrides.shape : expected_shape(from, end);
      core = shapes()[object.shape].table_size;
      break;
    case Kind::kText:
      object.count = overrides.resizes ? overrides.count : old_count(from);
      core = std::uint64_t{5} + object.count;
      break;
    case Kind::kReferences:
      object.count = overrides.resizes ? overrides.count : expected_count(from);
      core = 4 + 4 * std::uint64_t{object.count};
      break;
    case Kind::kData: {
      std::uint64_t count = old_count(from);
      if (overrides.resizes) {
        std::uint64_t left = count;
        for (const Splice& splice : overrides.splices) {
          if (std::uint64_t{splice.copy} + splice.remove > left) return false;
          left -= std::uint64_t{splice.copy} + splice.remove;
          count = count - splice.remove + splice.insert;
        }
        object.splices = static_cast<std::uint32_t>(splices.size());
        splices.push_back(overrides.splices);
      }
      if (count > end) return false;
      object.count = static_cast<std::uint32_t>(count);
      core = 4 + std::uint64_t{type.stride} * count;
      if (type.is_aligned) align = 8;
      break;
    }
  }
  if (overrides.pads) {
    core += overrides.padding;
    if (align == 8) align = 4;
  }
  if (core > end) return false;
  object.start = aligned(end - static_cast<std::uint32_t>(core), align);
  return object.start % 2 == 0;
}

bool Arrangement::is_regular(const Object& object, std::uint32_t distance) const {
  const Type& type = types()[object.type];
  const std::byte* bytes = baseline.data() + object.start;
  const std::uint32_t size = object.size();
  std::uint64_t core = 0;
  std::uint32_t align = 4;
  switch (type.kind) {
    case Kind::kTable:
      if (!has_vtable(object.shape) || (distance % 8 != 0 && may_alternate(object.shape))) return false;
      core = shapes()[object.shape].table_size;
      break;
    case Kind::kText: core = std::uint64_t{4} + old_count(object); break;
    case Kind::kReferences: {
      const std::uint32_t count = old_count(object);
      if (type.element != kNone && count == base.groups[type.element].starts.size()) return false;
      core = 4 + 4 * std::uint64_t{count};
      break;
    }
    case Kind::kData:
      if (old_count(object) > size) return false;
      if (type.is_aligned && (object.start < 4 || distance % 8 != 0)) return false;
      core = 4 + std::uint64_t{type.stride} * old_count(object);
      if (type.is_aligned) align = 8;
      break;
    default: return false;
  }
  // A zero behind a string is its own.
  const std::uint64_t needed = core + (type.kind == Kind::kText ? 1 : 0);
  if (size < 4 || needed > size || size - needed > 8) return false;
  if (aligned(object.end - static_cast<std::uint32_t>(needed), align) != object.start) return false;
  for (auto at = static_cast<std::uint32_t>(core); at < size; ++at) {
    if (bytes[at] != std::byte{0}) return false;
  }
  return true;
}

Placed Arrangement::regular(const Object& object, std::uint32_t distance) const {
  Placed moved;
  moved.start = object.start + distance;
  moved.end = object.end + distance;
  moved.source = object.start;
  moved.type = object.type;
  moved.shape = object.shape;
  if (types()[object.type].kind != Kind::kTable) moved.count = old_count(object);
  return moved;
}

void Arrangement::push(const Placed& object) {
  placed.push_back(object);
  if (object.is_run()) {
    if (is_long(object)) {
      for (std::uint32_t type = 0; type < n_placed_.size(); ++type)
        n_placed_[type] += base.rank_of(type, object.source_end()) - base.rank_of(type, object.source);
    } else {
      base.for_each(object.source, object.source_end(), [&](const Object& each) { ++n_placed_[each.type]; });
    }
    return;
  }
  ++n_placed_[object.type];
  if (object.shape == kNone || has_vtable_[object.shape] != 0 || object.type == 1) return;
  has_vtable_[object.shape] = 1;
  fresh_shapes.push_back(object.shape);
}

bool Arrangement::extend(const Object& object) {
  Placed& last = placed.back();
  if (last.source != object.end) return false;
  last.start -= object.size();
  last.source = object.start;
  ++last.n_objects;
  ++n_placed_[object.type];
  return true;
}

BytesView Arrangement::old_text(const Object& object) const {
  return object.size() < 4 ? BytesView()
                           : baseline.subspan(object.start + 4, std::min(old_count(object), object.size() - 4));
}

}  // namespace libsync::codec
