// arrangement.h: which objects of the baseline a target is made of, in which order and where.
// Format: docs/WIRE_FORMAT.md section 3.4.
//
// A target is described from its end to its start, in the order in which a builder created it: padding and vtables
// then follow from what is known already.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
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

// An object of the target, or a run: neighbours in the baseline that are neighbours still, with nothing changed that
// places depend on (is_regular). Most of a target are long runs, which cost next to nothing per object.
struct Placed {
  std::uint32_t start = 0;
  std::uint32_t end = 0;
  std::uint32_t n_objects = 1;
  std::uint32_t source = kNone;  // start of the object of the baseline, of a run the first; kNone: raw bytes
  // Of a single object.
  std::uint32_t type = 0;
  std::uint32_t shape = kNone;
  std::uint32_t splices = kNone;  // index in Arrangement::splices
  std::uint32_t count = 0;        // characters or elements
  bool is_fresh = false;

  bool is_run() const { return n_objects > 1; }
  std::uint32_t size() const { return end - start; }
  std::uint32_t source_end() const { return source + size(); }  // of a run
};

// What the object that follows has other than expected.
struct Overrides {
  bool resizes = false, reshapes = false, pads = false;
  bool is_spliced = false;      // `splices` tell how it is resized, not `count`
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
  // The baseline's, unless shapes were added.
  std::shared_ptr<const Schema> shared_schema() const { return own_schema_ != nullptr ? own_schema_ : base.schema; }

  // Where the object that starts at `source` ends up if it ends at `end`. False: it does not fit.
  bool place(std::uint32_t source, bool is_fresh, const Overrides& overrides, std::uint32_t end, Placed& placed);
  // Whether place() puts an object that ends `distance` further, a multiple of 4, just so much further, and nothing but
  // references will be predicted to change.
  bool is_regular(const Object& object, std::uint32_t distance) const;
  // Of is_regular(): whether the baseline has this vtable; whether tables that have it get another one where their end
  // is no multiple of 8 away.
  bool has_vtable(std::uint32_t shape) const { return has_vtable_[shape] != 0; }
  bool may_alternate(std::uint32_t shape) const { return kindred_[first_of_kind_[shape]].n_shapes > 1; }
  // A regular object by itself, so many bytes further.
  Placed regular(const Object& object, std::uint32_t distance) const;
  // Elements of a vector of references, as far as the objects placed so far tell.
  std::uint32_t expected_count(const Object& source) const;
  std::uint32_t expected_shape(const Object& source, std::uint32_t end);
  // A vtable that the baseline's type does not have. Index in shapes. Requires: can_add_shape().
  std::uint32_t add_shape(std::uint32_t type, Shape shape);
  bool can_add_shape() const { return types().size() + shapes().size() < kMaxTags; }
  // Counts it as placed.
  void push(const Placed& object);
  // Adds a regular object to what was placed last, a run or a regular object, just before which it ends. False: in the
  // baseline it did not.
  bool extend(const Object& object);
  // The u32 that an object of the baseline begins with: its length. 0 if it is too short.
  std::uint32_t old_count(const Object& object) const {
    return object.size() >= 4 ? load32(baseline.data() + object.start) : 0;
  }
  BytesView old_text(const Object& object) const;
  // Whether what each type has of a run is better looked up than counted.
  bool is_long(const Placed& run) const { return run.n_objects >= 8 * types().size(); }

  const Structure& base;
  BytesView baseline;
  std::uint32_t target_size;
  // Those of placed tables that no vtable of the baseline has, in the order in which they came.
  std::vector<std::uint32_t> fresh_shapes;
  std::vector<Placed> placed;  // back to front
  std::vector<std::vector<Splice>> splices;

 private:
  // Vtables of a type with the same present fields; some builders' tables need several, as padding differs.
  struct Kindred {
    bool is_known = false;
    // [end / 4 % 2] the vtable of the first table in the baseline with such an end, or kNone.
    std::array<std::uint32_t, 2> at_alignment{kNone, kNone};
    std::uint32_t n_shapes = 0;
  };
  void find_alignments(std::uint32_t type);

  std::shared_ptr<Schema> own_schema_;        // null while it is the baseline's
  std::vector<std::uint8_t> has_vtable_;      // [shapes] in the baseline or in fresh_shapes
  std::vector<std::uint32_t> n_placed_;       // [types]
  std::vector<std::uint32_t> first_of_kind_;  // [shapes of the baseline] first one with the same present fields
  std::vector<Kindred> kindred_;              // [shapes of the baseline] of that one
};

}  // namespace libsync::codec
