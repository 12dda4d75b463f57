#include "codec/arrangement.h"

#include <string>
#include <unordered_map>
#include <utility>

namespace libsync::codec {
namespace {

std::uint32_t size_of(const Object& object) { return object.end - object.start; }

// Which fields there are, whatever their places.
std::string fields_of(const Shape& shape) {
  std::string present;
  for (const std::uint16_t offset : shape.offsets) present.push_back(offset != 0 ? '1' : '0');
  present.resize(present.find_last_of('1') + 1);
  return present;
}

}  // namespace

Arrangement::Arrangement(const Structure& structure, BytesView bytes, std::uint32_t target_size_bytes)
    : base(structure), baseline(bytes), target_size(target_size_bytes) {
  n_placed_.resize(types().size());
  placed.reserve(base.objects.size() + 16);
  has_vtable_.resize(shapes().size());
  for (const Object& vtable : base.groups[1].objects) has_vtable_[vtable.shape] = 1;
  first_of_kind_.resize(shapes().size(), kNone);
  at_alignment_.resize(shapes().size(), {kNone, kNone});
  for (const Type& type : types()) {
    std::unordered_map<std::string, std::uint32_t> first;
    for (const std::uint32_t shape : type.shapes) {
      first_of_kind_[shape] = first.try_emplace(fields_of(shapes()[shape]), shape).first->second;
    }
  }
  for (std::uint32_t type = 0; type < types().size(); ++type) {
    if (types()[type].kind != Kind::kTable) continue;
    for (const Object& object : base.groups[type].objects) {
      std::uint32_t& shape = at_alignment_[first_of_kind_[object.shape]][object.end / 4 % 2];
      if (shape == kNone) shape = object.shape;
    }
  }
}

std::uint32_t Arrangement::expected_shape(std::uint32_t source, std::uint32_t end) const {
  const Object& object = base.object(source);
  if (object.end / 4 % 2 == end / 4 % 2) return object.shape;
  const std::uint32_t other = at_alignment_[first_of_kind_[object.shape]][end / 4 % 2];
  return other == kNone ? object.shape : other;
}

std::uint32_t Arrangement::expected_count(std::uint32_t source) const {
  const std::uint32_t count = old_count(base.object(source));
  const std::uint32_t element = types()[base.objects[source].type].element;
  // The one list of all objects of a type grows and shrinks with them.
  return element != kNone && count == base.groups[element].objects.size() ? n_placed_[element] : count;
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
  const RankedObject& id = base.objects[source];
  const Type& type = types()[id.type];
  const Object& from = base.object(source);
  object = Placed{};
  object.end = end;
  object.type = id.type;
  object.source = source;
  object.is_fresh = is_fresh;
  if (overrides.resizes && type.kind != Kind::kText && !type.has_length()) return false;
  if (overrides.reshapes && type.kind != Kind::kTable && type.kind != Kind::kVTable) return false;
  std::uint64_t core = 0;
  std::uint32_t align = 4;
  switch (type.kind) {
    case Kind::kOther:
      core = from.start == 0 ? end : size_of(from);
      align = 1;
      break;
    case Kind::kVTable:
      object.shape = overrides.reshapes ? overrides.shape : from.shape;
      core = shapes()[object.shape].size;
      align = 1;
      break;
    case Kind::kTable:
      object.shape = overrides.reshapes ? overrides.shape : expected_shape(source, end);
      core = shapes()[object.shape].table_size;
      break;
    case Kind::kText:
      object.count = overrides.resizes ? overrides.count : old_count(from);
      core = std::uint64_t{5} + object.count;
      break;
    case Kind::kReferences:
      object.count = overrides.resizes ? overrides.count : expected_count(source);
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
  if (core > end || core == 0) return false;
  const std::uint32_t start = end - static_cast<std::uint32_t>(core);
  // The elements begin behind the length.
  object.start = align == 8 && start >= 4 ? (start + 4) / 8 * 8 - 4 : start / std::min(align, 4u) * std::min(align, 4u);
  return object.start % 2 == 0;
}

void Arrangement::finish() {
  std::reverse(placed.begin(), placed.end());
  const std::size_t n_types = types().size();
  result_.size_bytes = target_size;
  result_.is_flatbuffer = base.is_flatbuffer;
  result_.n_unexplained = base.n_unexplained;
  result_.groups.resize(n_types);
  result_.objects.resize(placed.size());
  members_.resize(placed.size());
  member_begin_.assign(n_types + 1, 0);
  // Of each type: where its next member goes, in members_ and in its group.
  struct Next {
    std::uint32_t* member;
    Object* object;
    std::uint32_t rank;
  };
  std::vector<Next> nexts;
  for (std::size_t type = 0; type < n_types; ++type) {
    member_begin_[type + 1] = member_begin_[type] + n_placed_[type];
    result_.groups[type].objects.resize(n_placed_[type]);
    nexts.push_back({members_.data() + member_begin_[type], result_.groups[type].objects.data(), 0});
  }
  is_all_known_.assign(n_types, 1);
  shape_position_.assign(shapes().size(), 0);
  references_.resize(shapes().size());
  copies_.assign(base.objects.size() + 1, kNone);
  std::size_t n_copied = 0;
  for (std::uint32_t i = 0; i < placed.size(); ++i) {
    const Placed& object = placed[i];
    const Object extent{object.start, object.end, object.shape};
    Next& next = nexts[object.type];
    *next.member++ = i;
    *next.object++ = extent;
    result_.objects[i] = {extent, object.type, next.rank++};
    if (object.source == kNone || object.is_fresh) is_all_known_[object.type] = 0;
    if (object.source == kNone) continue;
    if (object.type == 1) shape_position_[object.shape] = object.start;
    std::uint32_t& copy = copies_[object.source];
    if (copy == kNone) {
      copy = i;
      ++n_copied;
      continue;
    }
    std::vector<std::uint32_t>& all = more_copies_[object.source];
    if (all.empty()) all.push_back(copy);
    all.push_back(i);
  }
  if (n_copied < base.objects.size()) {
    next_copied_.resize(base.objects.size() + 1);
    next_copied_.back() = kNone;
    for (std::size_t i = base.objects.size(); i-- > 0;) {
      next_copied_[i] = copies_[i] != kNone ? static_cast<std::uint32_t>(i) : next_copied_[i + 1];
    }
  }
  known_.resize(n_types);
  known_members_.resize(n_types);
  for (std::uint32_t type = 0; type < n_types; ++type) {
    result_.groups[type].count_rows(types()[type]);
    if (is_all_known_[type] != 0) continue;
    for (const std::uint32_t i : members(type)) {
      if (placed[i].source == kNone || placed[i].is_fresh) continue;
      known_[type].objects.push_back({placed[i].start, placed[i].end, placed[i].shape});
      known_members_[type].push_back(i);
    }
    known_[type].count_rows(types()[type]);
  }
}

std::uint32_t Arrangement::other_copy_of(std::uint32_t object, std::uint32_t from) const {
  const std::uint32_t copied = next_copied_.empty() ? object : next_copied_[object];
  if (copied == kNone) return kNone;
  const auto more = more_copies_.find(copied);
  if (more == more_copies_.end()) return copies_[copied];
  const auto behind = std::upper_bound(more->second.begin(), more->second.end(), from);
  return behind == more->second.end() ? more->second.back() : *behind;
}

BytesView Arrangement::source_text(const Placed& object) const {
  const Object& from = base.object(object.source);
  const std::uint32_t size = size_of(from);
  return size < 4 ? BytesView() : baseline.subspan(from.start + 4, std::min(old_count(from), size - 4));
}

std::uint32_t Arrangement::old_count(const Object& object) const {
  return size_of(object) >= 4 ? load32(baseline.data() + object.start) : 0;
}

Structure Arrangement::structure() {
  result_.schema = own_schema_ != nullptr ? std::shared_ptr<const Schema>(std::move(own_schema_)) : base.schema;
  result_.index();
  return std::move(result_);
}

// The reference at `position` leads to where its target in the baseline went.
void Arrangement::refer(std::uint32_t position, std::uint32_t target, std::uint32_t index, std::byte* bytes) const {
  if (target >= baseline.size()) return;
  const std::uint32_t copy = copy_of(base.object_at(target), index);
  if (copy == kNone) return;
  store32(bytes + position, placed[copy].start - position);
}

Arrangement::References& Arrangement::references_of(std::uint32_t shape_index, const Type& type) {
  References& references = references_[shape_index];
  if (references.is_known) return references;
  references.is_known = true;
  const Shape& shape = shapes()[shape_index];
  for (const std::uint32_t field : shape.present) {
    if (field < type.fields.size() && type.fields[field].child != kNone && shape.widths[field] >= 4)
      references.fields.push_back({shape.offsets[field]});
  }
  return references;
}

void Arrangement::predict_table(const Placed& object, std::uint32_t index, std::byte* bytes) {
  const RankedObject& from = base.objects[object.source];
  if (object.shape != from.shape) return predict_other_shape(object, index, bytes);
  const std::uint32_t size = std::min(object.end - object.start, from.end - from.start);
  const std::byte* source = baseline.data() + from.start;
  std::byte* target = bytes + object.start;
  std::memcpy(target, source, std::min<std::uint32_t>(size, shapes()[object.shape].table_size));
  if (object.end - object.start >= 4) store32(target, object.start - shape_position_[object.shape]);
  for (References::Field& field : references_of(object.shape, types()[object.type]).fields) {
    if (field.offset + 4u > size) continue;
    const std::uint64_t target_of_source = std::uint64_t{from.start} + field.offset + load32(source + field.offset);
    if (target_of_source >= baseline.size()) continue;
    // Mostly as many objects further as it was the last time.
    std::uint32_t near = object.source + field.near;
    if (near >= base.objects.size() || base.objects[near].start != target_of_source) {
      near = base.object_at(static_cast<std::uint32_t>(target_of_source));
      field.near = near - object.source;
    }
    const std::uint32_t copy = copy_of(near, index);
    if (copy != kNone) store32(target + field.offset, placed[copy].start - (object.start + field.offset));
  }
}

void Arrangement::predict_other_shape(const Placed& object, std::uint32_t index, std::byte* bytes) const {
  const Object& from = base.object(object.source);
  const Shape& old_shape = shapes()[from.shape];
  const Shape& new_shape = shapes()[object.shape];
  const Type& type = types()[object.type];
  const std::uint32_t old_size = size_of(from), new_size = object.end - object.start;
  const std::byte* source = baseline.data() + from.start;
  std::byte* target = bytes + object.start;
  if (new_size >= 4) store32(target, object.start - shape_position_[object.shape]);
  for (const std::uint32_t field : new_shape.present) {
    if (field >= old_shape.offsets.size()) break;
    const std::uint32_t from_offset = old_shape.offsets[field], to_offset = new_shape.offsets[field];
    if (from_offset == 0) continue;
    const std::uint32_t width = std::min(old_shape.widths[field], new_shape.widths[field]);
    if (from_offset + width > old_size || to_offset + width > new_size) continue;
    std::memcpy(target + to_offset, source + from_offset, width);
    if (field >= type.fields.size() || type.fields[field].child == kNone || width < 4) continue;
    const std::uint32_t position = from.start + from_offset;
    const std::uint64_t refers_to = std::uint64_t{position} + load32(source + from_offset);
    if (refers_to < baseline.size()) {
      refer(object.start + to_offset, static_cast<std::uint32_t>(refers_to), index, bytes);
    }
  }
}

void Arrangement::predict_data(const Placed& object, std::byte* bytes) const {
  const Object& from = base.object(object.source);
  const std::uint32_t stride = types()[object.type].stride;
  const std::uint32_t size = object.end - object.start, old_size = size_of(from);
  std::byte* target = bytes + object.start;
  const std::byte* source = baseline.data() + from.start;
  if (object.splices == kNone) {
    std::memcpy(target, source, std::min<std::uint64_t>({size, old_size, 4 + std::uint64_t{stride} * object.count}));
    return;
  }
  if (size < 4 || old_size < 4) return;
  store32(target, object.count);
  if (stride == 0) return;
  std::uint64_t to = 4, at = 4;
  const auto copy = [&](std::uint64_t n_bytes) {
    if (to < size && at < old_size)
      std::memcpy(target + to, source + at, std::min({n_bytes, size - to, old_size - at}));
    to += n_bytes, at += n_bytes;
  };
  for (const Splice& splice : splices[object.splices]) {
    copy(std::uint64_t{splice.copy} * stride);
    at += std::uint64_t{splice.remove} * stride;
    for (std::uint32_t i = 0; i < splice.insert; ++i, to += stride) {
      if (to >= 4 + stride && to + stride <= size) std::memcpy(target + to, target + to - stride, stride);
    }
  }
  copy(4 + std::uint64_t{stride} * object.count - to);
}

void Arrangement::predict(std::byte* bytes) {
  for (std::uint32_t i = 0; i < placed.size(); ++i) {
    const Placed& object = placed[i];
    if (object.source == kNone) continue;
    const Object& from = base.object(object.source);
    const std::uint32_t size = object.end - object.start;
    switch (types()[object.type].kind) {
      case Kind::kTable: predict_table(object, i, bytes); break;
      case Kind::kVTable: {
        const Shape& shape = shapes()[object.shape];
        const auto put = [&](std::uint32_t at, std::uint32_t value) {
          bytes[object.start + at] = static_cast<std::byte>(value);
          bytes[object.start + at + 1] = static_cast<std::byte>(value >> 8);
        };
        put(0, shape.size);
        put(2, shape.table_size);
        for (std::uint32_t f = 0; f < shape.offsets.size(); ++f) put(4 + 2 * f, shape.offsets[f]);
        break;
      }
      case Kind::kText: {
        const BytesView text = source_text(object);
        store32(bytes + object.start, object.count);
        if (!text.empty()) {
          std::memcpy(bytes + object.start + 4, text.data(), std::min<std::size_t>(text.size(), object.count));
        }
        break;
      }
      case Kind::kReferences: store32(bytes + object.start, object.count); break;
      case Kind::kData: predict_data(object, bytes); break;
      case Kind::kOther:
        std::memcpy(bytes + object.start, baseline.data() + from.start, std::min(size, size_of(from)));
        if (object.start == 0 && from.start == 0 && size >= 4 && size_of(from) >= 4)
          refer(0, load32(baseline.data()), i, bytes);
        break;
    }
  }
}

}  // namespace libsync::codec
