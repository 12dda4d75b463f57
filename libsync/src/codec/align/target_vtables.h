// target_vtables.h: the vtables that tables of a target use: those of the baseline, wherever they are now, and new ones
// that were learnt on the way.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "codec/align/sides.h"
#include "codec/structure.h"

namespace libsync::codec {

class TargetVtables {
 public:
  // What is read of new vtables is taken off `work`, which outlives this.
  TargetVtables(const Sides& sides, WorkLeft& work);

  // The baseline's, and what was learnt.
  const std::shared_ptr<const Schema>& schema() const { return schema_; }
  const std::vector<Shape>& shapes() const { return schema_->shapes; }
  const Shape& shape(std::uint32_t index) const { return schema_->shapes[index]; }

  // Whether the table at `start` has a vtable like this one. Requires: start + 4 <= size of the target.
  bool is_of(std::uint32_t start, std::uint32_t shape) {
    const std::uint32_t position = start - load32(bytes_ + start);
    if (position == last_[shape]) return true;
    if (!is_at(position, this->shape(shape))) return false;
    note(position, shape);
    return true;
  }
  // The vtable of a table at `start`; kNone: there is no table with a known one.
  std::uint32_t shape_of(std::uint32_t start) {
    if (size_ - start < 4) return kNone;
    const std::uint32_t position = start - load32(bytes_ + start);
    if (position >= size_ || position % 2 != 0 || size_ - position < 4) return kNone;
    Cached& cached = cache_[position / 2 % cache_.size()];
    if (cached.position != position) cached = {position, find(position)};
    if (cached.shape == kNone || shape(cached.shape).table_size > size_ - start) return kNone;
    note(position, cached.shape);
    return cached.shape;
  }
  // The vtable that is here; kNone: none that is known.
  std::uint32_t at(std::uint32_t position) const {
    return position % 2 == 0 && size_ - position >= 4 ? find(position) : kNone;
  }
  // Learns the vtable of what should be a table of this type. Requires: it is not known. kNone: it is none.
  std::uint32_t learn(std::uint32_t start, std::uint32_t type);

  // Where tables were found to have theirs.
  struct Met {
    std::uint32_t position;
    std::uint32_t shape;
  };
  const std::vector<Met>& met() const { return met_; }

 private:
  struct Cached {
    std::uint32_t position = kNone;
    std::uint32_t shape = kNone;
  };
  // What a vtable begins with: its size and that of its tables.
  static std::uint32_t sizes_of(const Shape& shape) { return shape.size | std::uint32_t{shape.table_size} << 16; }
  bool is_at(std::uint32_t position, const Shape& shape) const;
  std::uint32_t find(std::uint32_t position) const;
  void note(std::uint32_t position, std::uint32_t shape) {
    if (last_[shape] == position) return;
    last_[shape] = position;
    met_.push_back({position, shape});
  }

  const Structure& base_;
  const std::byte* bytes_;
  std::uint32_t size_;
  WorkLeft& work_;
  std::shared_ptr<const Schema> schema_;  // the baseline's until one is learnt
  std::shared_ptr<Schema> own_schema_;    // then the same as this
  std::vector<std::uint32_t> last_;       // [shapes] where the last table that has it has it
  std::vector<std::uint32_t> from_end_;   // [shapes] bytes from the first one known to the end of its buffer
  std::vector<Met> met_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_sizes_;  // sizes, shape; ascending
  std::bitset<4093> is_size_;                                      // whether any has these sizes, modulo its own size
  std::array<Cached, 512> cache_;
};

}  // namespace libsync::codec
