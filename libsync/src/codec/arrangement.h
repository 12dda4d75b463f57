// arrangement.h: which objects of the baseline a target is made of, in which order and where; and what they would hold
// if nothing but their places had changed. Format: docs/WIRE_FORMAT.md section 3.4.
//
// A target is described from its end to its start, in the order in which a builder created it: padding and vtables
// then follow from what is known already.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "codec/entropy_coder.h"
#include "codec/structure.h"

namespace libsync::codec {

// `copy` elements of the source, leave out `remove`, put in `insert`.
struct Splice {
  std::uint32_t copy = 0;
  std::uint32_t remove = 0;
  std::uint32_t insert = 0;
  bool operator==(const Splice&) const = default;
};

enum class Step : std::uint8_t {
  kRun,       // the next objects of the baseline
  kJump,      // some from elsewhere; afterwards it goes on here
  kSkip,      // objects that do not come next
  kFresh,     // objects like the last of their type, but new
  kContinue,  // more of the last kJump or kFresh
  kResize,    // the object that follows has another length
  kReshape,   // the table that follows has another vtable than expected
  kPad,       // the object that follows has other padding behind it
  kRaw,       // bytes like nothing in the baseline
};

// An object of the target.
struct Placed {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t type = 0;
  std::uint32_t shape = kNone;
  std::uint32_t source = kNone;   // object of the baseline; kNone: raw bytes
  std::uint32_t splices = kNone;  // index in Arrangement::splices
  std::uint32_t count = 0;        // characters or elements
  bool is_fresh = false;
};

// What the object that follows has other than expected.
struct Overrides {
  bool resizes = false, reshapes = false, pads = false;
  bool adds_shape = false;      // `shape` is a new one; for an Encoder
  std::uint32_t count = 0;      // kText, kReferences
  std::vector<Splice> splices;  // kData
  std::uint32_t shape = kNone;  // of the arrangement
  std::uint32_t padding = 0;    // from there to the next multiple of 4, whatever the elements would need
  bool any() const { return resizes || reshapes || pads; }
};

class Arrangement {
 public:
  Arrangement(const Structure& base, BytesView baseline, std::uint32_t target_size);

  const Schema& schema() const { return own_schema_ != nullptr ? *own_schema_ : *base.schema; }
  const std::vector<Type>& types() const { return schema().types; }
  const std::vector<Shape>& shapes() const { return schema().shapes; }

  // Where `source` ends up if it ends at `end`. False: it does not fit.
  bool place(std::uint32_t source, bool is_fresh, const Overrides& overrides, std::uint32_t end, Placed& placed);
  // Elements of a vector of references, as far as the objects placed so far tell.
  std::uint32_t expected_count(std::uint32_t source) const;
  std::uint32_t expected_shape(std::uint32_t source, std::uint32_t end) const;
  // A vtable that the baseline's type does not have. Index in shapes.
  std::uint32_t add_shape(std::uint32_t type, Shape shape);
  // Counts it as placed.
  void push(const Placed& object) {
    placed.push_back(object);
    ++n_placed_[object.type];
    if (object.shape == kNone || has_vtable_[object.shape] != 0 || object.type == 1) return;
    has_vtable_[object.shape] = 1;
    fresh_shapes.push_back(object.shape);
  }

  // When all is placed: lists by type, copies of each object.
  void finish();
  // Index in `placed` of the object that `object` of the baseline became, as seen from `from`; kNone: nothing at all.
  std::uint32_t copy_of(std::uint32_t object, std::uint32_t from) const {
    const std::uint32_t copy = copies_[object];
    return copy != kNone && more_copies_.empty() ? copy : other_copy_of(object, from);
  }
  // Fills bytes with the prediction, references between objects included. Elements of vectors are left out.
  void predict(std::byte* bytes);
  BytesView source_text(const Placed& placed) const;
  // The u32 that an object of the baseline begins with: its length. 0 if it is too short.
  std::uint32_t old_count(const Object& object) const;
  // What the target is made of, in the words of the baseline. Once, at the end.
  Structure structure();

  const Structure& base;
  BytesView baseline;
  std::uint32_t target_size;
  // Those of placed tables that no vtable of the baseline has, in the order in which they came.
  std::vector<std::uint32_t> fresh_shapes;
  std::vector<Placed> placed;  // back to front until finish(), then front to back
  std::vector<std::vector<Splice>> splices;

  // After finish(). Indices in placed of the objects of a type, front to back.
  std::span<const std::uint32_t> members(std::uint32_t type) const {
    return {members_.data() + member_begin_[type], member_begin_[type + 1] - member_begin_[type]};
  }
  // Those with a predecessor, and their indices in placed.
  const Group& known(std::uint32_t type) const {
    return is_all_known_[type] != 0 ? result_.groups[type] : known_[type];
  }
  std::span<const std::uint32_t> known_members(std::uint32_t type) const {
    return is_all_known_[type] != 0 ? members(type) : std::span<const std::uint32_t>(known_members_[type]);
  }

 private:
  std::shared_ptr<Schema> own_schema_;  // null while it is the baseline's

  // Of a shape: where its tables refer to others.
  struct References {
    bool is_known = false;
    struct Field {
      std::uint16_t offset;
      std::uint32_t near = 0;  // how many objects further the one was that was referred to last
    };
    std::vector<Field> fields;
  };

  std::uint32_t other_copy_of(std::uint32_t object, std::uint32_t from) const;
  void predict_table(const Placed& object, std::uint32_t index, std::byte* bytes);
  void predict_other_shape(const Placed& object, std::uint32_t index, std::byte* bytes) const;
  void predict_data(const Placed& object, std::byte* bytes) const;
  void refer(std::uint32_t position, std::uint32_t target_of_source, std::uint32_t index, std::byte* bytes) const;
  References& references_of(std::uint32_t shape, const Type& type);

  std::vector<std::uint8_t> has_vtable_;                    // [shapes] in the baseline or in fresh_shapes
  std::vector<std::uint32_t> n_placed_;                     // [types]
  std::vector<std::uint32_t> first_of_kind_;                // [shapes] first one with the same present fields
  std::vector<std::array<std::uint32_t, 2>> at_alignment_;  // [shapes] of that kind, by end / 4 % 2
  std::vector<std::uint32_t> shape_position_;               // [shapes]
  std::vector<References> references_;                      // [shapes]
  Structure result_;
  std::vector<std::uint32_t> members_, member_begin_;      // member_begin_: [types + 1]
  std::vector<std::uint8_t> is_all_known_;                 // [types]
  std::vector<Group> known_;                               // [types] where not all are known
  std::vector<std::vector<std::uint32_t>> known_members_;  // [types] the same
  std::vector<std::uint32_t> copies_;                      // [objects] index in placed of the first copy, or kNone
  std::vector<std::uint32_t> next_copied_;                 // [objects + 1] the next that has one; empty if all have
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> more_copies_;  // by object, ascending, the first too
};

}  // namespace libsync::codec
