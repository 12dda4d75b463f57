#include "codec/align/target_vtables.h"

#include <algorithm>
#include <optional>

namespace libsync::codec {

TargetVtables::TargetVtables(const Sides& sides, WorkLeft& work)
    : base_(sides.base), bytes_(sides.new_bytes), size_(sides.new_size), work_(work), schema_(sides.base.schema) {
  last_.resize(shapes().size(), kNone);
  from_end_.resize(shapes().size());
  for (std::size_t i = 0; i < base_.vtable_shapes.size(); ++i)
    from_end_[base_.vtable_shapes[i]] = base_.size_bytes - base_.groups[1].starts[i];
  for (std::uint32_t index = 0; index < shapes().size(); ++index) by_sizes_.emplace_back(sizes_of(shape(index)), index);
  std::sort(by_sizes_.begin(), by_sizes_.end());
  for (const auto& [sizes, index] : by_sizes_) is_size_[sizes % is_size_.size()] = true;
}

bool TargetVtables::is_at(std::uint32_t position, const Shape& shape) const {
  if (position >= size_ || position % 2 != 0 || size_ - position < shape.size) return false;
  const std::byte* at = bytes_ + position;
  if (load16(at) != shape.size || load16(at + 2) != shape.table_size) return false;
  for (std::size_t field = 0; field < shape.offsets.size(); ++field) {
    if (load16(at + 4 + 2 * field) != shape.offsets[field]) return false;
  }
  return true;
}

std::uint32_t TargetVtables::find(std::uint32_t position) const {
  const std::uint32_t sizes = load32(bytes_ + position);
  if (!is_size_[sizes % is_size_.size()]) return kNone;
  // Types may have equal vtables: then it is the one that was as far from the end.
  constexpr int kMost = 64;
  std::uint32_t best = kNone, least = kNone;
  auto at = std::lower_bound(by_sizes_.begin(), by_sizes_.end(), std::pair(sizes, 0u));
  for (int i = 0; i < kMost && at != by_sizes_.end() && at->first == sizes; ++i, ++at) {
    const std::uint32_t index = at->second;
    if (!is_at(position, shape(index))) continue;
    if (last_[index] == position) return index;
    const std::uint32_t here = size_ - position, there = from_end_[index];
    const std::uint32_t distance = here > there ? here - there : there - here;
    if (best == kNone || distance < least) best = index, least = distance;
  }
  return best;
}

std::uint32_t TargetVtables::learn(std::uint32_t start, std::uint32_t type) {
  if (start >= size_ || size_ - start < 4 || schema_->types.size() + shapes().size() >= kMaxTags) return kNone;
  const std::uint32_t position = start - load32(bytes_ + start);
  if (position >= size_ || position % 2 != 0 || size_ - position < 4) return kNone;
  const std::uint32_t vtable_size = load16(bytes_ + position);
  if (vtable_size > size_ - position) return kNone;
  work_.n -= vtable_size;
  std::uint32_t n_read = 0;
  std::optional<Shape> shape = read_shape({bytes_ + position, vtable_size}, n_read);
  if (!shape || shape->table_size > size_ - start) return kNone;

  if (own_schema_ == nullptr) schema_ = own_schema_ = std::make_shared<Schema>(*base_.schema);
  const auto index = static_cast<std::uint32_t>(shapes().size());
  const std::pair entry(sizes_of(*shape), index);
  shape->type = type;
  own_schema_->shapes.push_back(std::move(*shape));
  own_schema_->types[type].shapes.push_back(index);
  by_sizes_.insert(std::upper_bound(by_sizes_.begin(), by_sizes_.end(), entry), entry);
  is_size_[entry.first % is_size_.size()] = true;
  last_.push_back(kNone);
  from_end_.push_back(size_ - position);
  cache_[position / 2 % cache_.size()] = {position, index};  // it was unknown there until now
  note(position, index);
  return index;
}

}  // namespace libsync::codec
