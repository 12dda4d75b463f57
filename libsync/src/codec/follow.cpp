#include "codec/follow.h"

#include <algorithm>
#include <array>
#include <utility>

namespace libsync::codec {
namespace {

// What a shape's tables refer to.
struct References {
  bool is_known = false;
  std::vector<std::pair<std::uint16_t, std::uint32_t>> fields;  // offset in the table, type
};

class Follower {
 public:
  Follower(const Structure& base, BytesView target)
      : bytes_(target.data()), size_(static_cast<std::uint32_t>(target.size())), claimed_(size_) {
    result_.schema = base.schema;
    result_.size_bytes = size_;
    result_.is_flatbuffer = true;
    found_.reserve(base.n_objects() + base.n_objects() / 8 + 16);
    cores_.reserve(found_.capacity());
    references_.resize(base.shapes().size());
    taken_.resize(base.shapes().size(), kNone);
    from_end_.resize(base.shapes().size());
    for (std::size_t i = 0; i < base.vtable_shapes.size(); ++i)
      from_end_[base.vtable_shapes[i]] = base.size_bytes - base.groups[1].starts[i];
  }

  bool run(std::uint32_t root_type) {
    if (size_ < 8) return false;
    const std::uint32_t root = load32(bytes_);
    claim(0, 0, kNone);
    if (root < 4 || !claim_table(root, root_type)) return false;
    // Children are found behind the ones that refer to them, so this list grows while it is walked.
    for (std::size_t i = 1; i < found_.size(); ++i) {
      const Found object = found_[i];
      switch (result_.types()[object.type].kind) {
        case Kind::kTable: follow_table(object); break;
        case Kind::kReferences: follow_references(object, cores_[i]); break;
        default: break;
      }
    }
    return true;
  }

  Structure finish() {
    result_.assemble(found_);
    result_.count_rows();
    for (std::size_t i = 0; i < found_.size(); ++i) {
      const std::uint32_t start = found_[i].start, room = result_.starts.next(start) - start;
      if (start != 0 && room > cores_[i] + 11) n_unexplained_ += room - cores_[i] - 11;
    }
    return std::move(result_);
  }
  // Bytes behind objects that are more than padding.
  std::uint64_t n_unexplained() const { return n_unexplained_; }

 private:
  bool is_claimed(std::uint32_t start) const { return claimed_.has(start); }
  void claim(std::uint32_t start, std::uint32_t type, std::uint32_t shape, std::uint32_t core = 4) {
    claimed_.add(start);
    found_.push_back({start, type, shape});
    cores_.push_back(core);
  }
  // Where the reference at `position` leads, or kNone. Requires: position + 4 <= size.
  std::uint32_t target_of(std::uint32_t position) const {
    const std::uint32_t offset = load32(bytes_ + position);
    if (offset < 4 || offset > size_ - position - 4) return kNone;
    return (position + offset) % 4 == 0 ? position + offset : kNone;
  }
  void claim_child(std::uint32_t start, std::uint32_t type) {
    if (start == kNone || is_claimed(start)) return;
    const Type& child = result_.types()[type];
    if (child.kind == Kind::kTable) {
      claim_table(start, type);
      return;
    }
    const std::uint32_t count = load32(bytes_ + start), room = size_ - start - 4;
    switch (child.kind) {
      case Kind::kText:
        if (count < room && bytes_[start + 4 + count] == std::byte{0}) claim(start, type, kNone, 5 + count);
        break;
      case Kind::kReferences:
        if (count <= room / 4) claim(start, type, kNone, 4 + 4 * count);
        break;
      case Kind::kData:
        if (std::uint64_t{count} * child.stride <= room) claim(start, type, kNone, 4 + child.stride * count);
        break;
      default: break;
    }
  }
  bool claim_table(std::uint32_t start, std::uint32_t type) {
    if (start % 4 != 0 || start >= size_ || size_ - start < 4) return false;
    const std::uint32_t vtable = start - load32(bytes_ + start);
    if (vtable % 2 != 0 || vtable >= size_) return false;
    const std::uint32_t shape = shape_at(vtable, type);
    if (shape == kNone || result_.shapes()[shape].table_size > size_ - start) return false;
    claim(start, type, shape, result_.shapes()[shape].table_size);
    return true;
  }

  // The shape of the vtable at this place for tables of this type, or kNone.
  std::uint32_t shape_at(std::uint32_t position, std::uint32_t type) {
    Known& known = known_[(position / 2 * 31 + type) % known_.size()];
    if (known.position == position && known.type == type) return known.shape;
    if (++n_vtables_ > size_ / 4) return kNone;  // each is of use for some table
    known = {position, type, kNone};
    if (size_ - position < 4) return kNone;
    const std::uint32_t size = load16(bytes_ + position);
    if (size < 4 || size > size_ - position || (n_vtable_bytes_ += size) > 4 * std::uint64_t{size_} + 65536)
      return kNone;
    const BytesView vtable(bytes_ + position, size);
    known.shape = shape_like(vtable, position, type);
    if (known.shape == kNone) {
      std::uint32_t n_read = 0;
      std::optional<Shape> read = read_shape(vtable, n_read);
      if (!read) return kNone;
      known.shape = add_shape(type, std::move(*read));
      if (known.shape == kNone) return kNone;
    }
    if (!is_claimed(position)) claim(position, 1, known.shape, size);
    return known.shape;
  }
  // Of the shapes with such a vtable: some builders write the same one several times, each with its own tables. Then
  // the one that was as far from the end, and that no other vtable of this target has taken.
  std::uint32_t shape_like(BytesView vtable, std::uint32_t position, std::uint32_t type) {
    std::uint32_t best = kNone, least = kNone;
    for (const std::uint32_t shape : result_.types()[type].shapes) {
      if (!is_vtable_of(result_.shapes()[shape], vtable)) continue;
      const bool is_free = taken_[shape] == kNone || taken_[shape] == position;
      const std::uint32_t here = size_ - position, there = from_end_[shape];
      const std::uint32_t distance = (here > there ? here - there : there - here) / 2 + (is_free ? 0 : kNone / 2);
      if (best == kNone || distance < least) best = shape, least = distance;
    }
    if (best != kNone) taken_[best] = position;
    return best;
  }
  static bool is_vtable_of(const Shape& shape, BytesView vtable) {
    if (shape.size != vtable.size() || shape.table_size != load16(vtable.data() + 2)) return false;
    for (std::size_t field = 0; field < shape.offsets.size(); ++field) {
      if (shape.offsets[field] != load16(vtable.data() + 4 + 2 * field)) return false;
    }
    return true;
  }
  std::uint32_t add_shape(std::uint32_t type, Shape shape) {
    if (result_.types().size() + result_.shapes().size() == kMaxTags) return kNone;
    if (own_schema_ == nullptr) {
      own_schema_ = std::make_shared<Schema>(*result_.schema);
      result_.schema = own_schema_;
    }
    const auto index = static_cast<std::uint32_t>(own_schema_->shapes.size());
    shape.type = type;
    own_schema_->shapes.push_back(std::move(shape));
    own_schema_->types[type].shapes.push_back(index);
    references_.emplace_back();
    from_end_.push_back(0);
    taken_.push_back(kNone);
    return index;
  }

  void follow_table(const Found& object) {
    References& references = references_[object.shape];
    const std::vector<Field>& fields = result_.types()[object.type].fields;
    if (!references.is_known) {
      references.is_known = true;
      const Shape& shape = result_.shapes()[object.shape];
      for (const std::uint32_t field : shape.present) {
        if (field < fields.size() && fields[field].child != kNone && shape.widths[field] >= 4)
          references.fields.emplace_back(shape.offsets[field], fields[field].child);
      }
    }
    for (std::size_t i = 0; i < references_[object.shape].fields.size(); ++i) {
      const auto [offset, type] = references_[object.shape].fields[i];
      claim_child(target_of(object.start + offset), type);
    }
  }
  void follow_references(const Found& object, std::uint32_t core) {
    const std::uint32_t element = result_.types()[object.type].element;
    if (element == kNone) return;
    for (std::uint32_t at = object.start + 4; at < object.start + core; at += 4) claim_child(target_of(at), element);
  }

  struct Known {
    std::uint32_t position = kNone;
    std::uint32_t type = kNone;
    std::uint32_t shape = kNone;
  };

  const std::byte* bytes_;
  std::uint32_t size_;
  Structure result_;
  std::shared_ptr<Schema> own_schema_;
  Starts claimed_;
  std::vector<Found> found_;
  std::vector<std::uint32_t> cores_;     // [found_] bytes it needs
  std::vector<References> references_;   // [shapes]
  std::vector<std::uint32_t> from_end_;  // [shapes] bytes from the vtable in the baseline to the end
  std::vector<std::uint32_t> taken_;     // [shapes] where the vtable is in the target, or kNone
  std::array<Known, 256> known_;
  std::uint32_t n_vtables_ = 0;
  std::uint64_t n_vtable_bytes_ = 0;
  std::uint64_t n_unexplained_ = 0;
};

}  // namespace

std::optional<Structure> follow(const Structure& base, BytesView baseline, BytesView target) {
  if (baseline.size() < 8) return std::nullopt;
  const std::uint32_t root = load32(baseline.data());
  if (root >= baseline.size()) return std::nullopt;
  const Object root_table = base.object(root);
  if (base.types()[root_table.type].kind != Kind::kTable) return std::nullopt;
  Follower follower(base, target);
  if (!follower.run(root_table.type)) return std::nullopt;
  Structure structure = follower.finish();
  if (follower.n_unexplained() > base.n_unexplained + 64 + target.size() / 64) return std::nullopt;
  structure.n_unexplained = base.n_unexplained;
  return structure;
}

}  // namespace libsync::codec
