// sides.h: what the parts of the aligner share: the two buffers it walks side by side, and how far it has come.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codec/arrangement.h"
#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// Where the walk is: at the start of an object of the baseline, and at a place of the target.
struct Cursor {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
  std::uint32_t index = 0;  // of the object; at the baseline's end their number
};

inline bool is_vtable(const Object& object) { return object.type == 1; }
inline bool is_table(const Object& object) { return object.shape != kNone && !is_vtable(object); }

// Small, so that each part has its own: inner loops then need not look for it.
struct Sides {
  Sides(const Arrangement& empty_plan, BytesView target)
      : plan(empty_plan),
        base(empty_plan.base),
        old_bytes(empty_plan.baseline.data()),
        new_bytes(target.data()),
        old_size(empty_plan.base.size_bytes),
        new_size(static_cast<std::uint32_t>(target.size())) {}

  // Of the target too, so far as there is an object of them in the baseline.
  const std::vector<Type>& types() const { return base.types(); }
  // The object of the baseline that the cursor is at. Quicker than Structure::object().
  Object object_at(const Cursor& cursor) const {
    Object object;
    object.start = cursor.from;
    object.end = base.starts.next(cursor.from);
    base.set_type(object, base.tags[cursor.index]);
    return object;
  }

  const Arrangement& plan;  // nothing is placed in it: it only tells what is regular
  const Structure& base;
  const std::byte* old_bytes;  // the baseline
  const std::byte* new_bytes;  // the target
  std::uint32_t old_size;
  std::uint32_t new_size;
};

// What may still be looked at, roughly in bytes, before the aligner gives up.
struct WorkLeft {
  explicit WorkLeft(const Sides& sides) : n(65536 + 2 * (std::int64_t{sides.old_size} + sides.new_size)) {}
  std::int64_t n;
};

}  // namespace libsync::codec
