// arrangement_coder.h: the steps that lead to an arrangement. One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "codec/arrangement.h"
#include "codec/entropy_coder.h"
#include "codec/last_sources.h"
#include "codec/text_coder.h"

namespace libsync::codec {

// What an Encoder wants: the objects of the target, back to front, as they are placed in its arrangement.
struct Wish {
  enum class How : std::uint8_t { kInOrder, kJump, kFresh, kRaw };
  std::uint32_t source = kNone;
  std::uint32_t last = kNone;  // of a run the start of its last object, else as `source`
  std::uint32_t n_objects = 1;
  std::uint32_t overrides = kNone;  // index in Wishes::overrides
  How how = How::kInOrder;
};
struct Wishes {
  std::vector<Wish> list;  // [objects and runs placed]
  std::vector<Overrides> overrides;
};

template <typename Coder>
class ArrangementCoder {
 public:
  // `bytes`: the target. Raw bytes are read from it (Encoder) or written to it (Decoder).
  ArrangementCoder(Coder& coder, ArrangementModels& models, Arrangement& arrangement, std::byte* bytes,
                   TextCoder<Coder>& characters)
      : coder_(coder),
        models_(models),
        out_(arrangement),
        bytes_(bytes),
        characters_(characters),
        used_(arrangement.base.size_bytes / 128 + 1),
        last_sources_(arrangement.base) {}

  // Everything from the end of the target to its start. False: malformed (Decoder).
  bool run(const Wishes& wishes) {
    coder_.begin(Part::kObjects);
    std::uint32_t end = out_.target_size;
    cursor_ = out_.base.size_bytes;
    std::size_t next = 0;  // wish
    std::uint32_t previous = 0;
    Step last = Step::kRun;
    Overrides overrides;
    while (end > 0) {
      std::uint32_t count = 0;
      Step step = Step::kRun;
      if constexpr (!Coder::kDecodes) step = choose(wishes, next, last, overrides, count);
      step = static_cast<Step>(coder_.nibble(models_.steps[previous], static_cast<std::uint32_t>(step)));
      if (static_cast<std::size_t>(step) >= kSteps) return false;
      Number& counts = models_.counts[previous * kSteps + static_cast<std::size_t>(step)];
      previous = static_cast<std::uint32_t>(step);
      switch (step) {
        case Step::kRun:
          count = coder_.number(counts, count - 1) + 1;
          last = step;
          while (count > 0) {
            const std::uint32_t source = next_in_order(cursor_);
            if (source == kNone) return false;
            std::uint32_t n = put_run(source, count, overrides, end);
            if (n == 0) {
              if (!put(source, false, overrides, end)) return false;
              cursor_ = source;
              n = 1;
            }
            count -= n;
            ++next;
          }
          break;
        case Step::kJump:
        case Step::kFresh: {
          const bool is_jump = step == Step::kJump;
          std::uint32_t type = 0;
          if constexpr (!Coder::kDecodes) type = source_type(wishes, next);
          type = coder_.number(is_jump ? models_.jump_type : models_.fresh_type, type);
          if (type >= out_.types().size()) return false;
          if (is_jump) {
            const std::uint32_t here = out_.base.rank_of(type, cursor_);
            std::uint32_t rank = 0;
            if constexpr (!Coder::kDecodes) rank = out_.base.rank_of(type, wishes.list[next].source);
            rank = here - 1 - unzigzag(coder_.number(models_.jump, zigzag(here - 1 - rank)));
            if (rank >= out_.base.groups[type].starts.size()) return false;
            from_ = out_.base.groups[type].starts[rank];
          } else {
            from_ = last_sources_.of(type);
            if (from_ == kNone) return false;
          }
          last = step;
          [[fallthrough]];
        }
        case Step::kContinue:
          if (last == Step::kRun) return false;
          count = coder_.number(counts, count - 1) + 1;
          for (; count > 0; --count) {
            if (from_ == kNone || !put(from_, last == Step::kFresh, overrides, end)) return false;
            from_ = from_ == 0 ? kNone : out_.base.starts.begin_of(from_ - 1);
            ++next;
          }
          break;
        case Step::kSkip:
          count = coder_.number(counts, count - 1) + 1;
          for (; count > 0; --count) {
            const std::uint32_t source = next_in_order(cursor_);
            if (source == kNone) return false;
            cursor_ = source;
          }
          break;
        case Step::kResize:
          if (overrides.resizes || !resize(wishes, next, overrides)) return false;
          break;
        case Step::kReshape:
          if (overrides.reshapes || !reshape(wishes, next, overrides)) return false;
          break;
        case Step::kPad: {
          if (overrides.pads) return false;
          overrides.pads = true;
          std::uint32_t padding = 0;
          if constexpr (!Coder::kDecodes) padding = wanted(wishes, next).padding;
          overrides.padding = coder_.number(models_.padding, padding);
          break;
        }
        case Step::kRaw:
          if (overrides.any()) return false;
          if constexpr (!Coder::kDecodes) count = end - out_.placed[next].start;
          count = coder_.number(counts, count - 1) + 1;
          if (count > end || (end - count) % 2 != 0 || !may_be_new(1)) return false;
          raw(end - count, end);
          end -= count;
          ++next;
          break;
      }
    }
    return !overrides.any();
  }

 private:
  // --- sources --------------------------------------------------------------------------------------------

  // The last unused one below `position`, or kNone.
  std::uint32_t next_in_order(std::uint32_t position) const {
    if (position == 0) return kNone;
    std::uint32_t word = (position - 1) / 128;
    std::uint64_t mask = ~std::uint64_t{0} >> (63 - (position - 1) / 2 % 64);
    while (true) {
      const std::uint64_t bits = out_.base.starts.word(word) & ~used_[word] & mask;
      if (bits != 0) return 128 * word + 2 * (63 - static_cast<std::uint32_t>(std::countl_zero(bits)));
      if (word-- == 0) return kNone;
      mask = ~std::uint64_t{0};
    }
  }
  bool is_used(std::uint32_t source) const { return (used_[source / 128] >> (source / 2 % 64) & 1) != 0; }
  void use(std::uint32_t source) { used_[source / 128] |= std::uint64_t{1} << (source / 2 % 64); }
  bool put(std::uint32_t source, bool is_fresh, Overrides& overrides, std::uint32_t& end) {
    if (is_fresh ? !may_be_new(1) : is_used(source)) return false;
    Placed object;
    if constexpr (Coder::kDecodes) {
      if (end == 0 || !out_.place(source, is_fresh, overrides, end, object)) return false;
      out_.push(object);
    } else {
      object = out_.placed[n_put_++];
    }
    if (!is_fresh) use(source);
    last_sources_.note(object.type, source);
    end = object.start;
    overrides = Overrides{};
    return true;
  }

  // Whether so many more may be fresh, raw or splices: what costs a receiver work for next to no bytes of a patch.
  bool may_be_new(std::uint32_t n) {
    const std::uint64_t most = (std::uint64_t{out_.base.size_bytes} + out_.target_size) / 16 + 1024;
    if (n > most - n_new_) return false;
    n_new_ += n;
    return true;
  }

  // Places as many as stay where they are to each other, from `last` on down to the front. Returns how many, 0: it is
  // not worth it.
  std::uint32_t put_run(std::uint32_t last, std::uint32_t most, const Overrides& overrides, std::uint32_t& end) {
    Placed run;
    if constexpr (Coder::kDecodes) {
      run.n_objects = most;
      if (overrides.any() || !out_.is_long(run) || !find_run(last, most, end, run)) return 0;
      out_.push(run);
    } else {
      run = out_.placed[n_put_];
      if (!run.is_run()) return 0;
      ++n_put_;
    }
    const std::uint32_t first_word = run.source / 128, last_word = (run.source_end() - 1) / 128;
    for (std::uint32_t word = first_word; word <= last_word; ++word) {
      std::uint64_t bits = out_.base.starts.word(word);
      if (word == first_word) bits &= ~std::uint64_t{0} << (run.source / 2 % 64);
      if (word == last_word) bits &= ~std::uint64_t{0} >> (63 - (run.source_end() - 1) / 2 % 64);
      used_[word] |= bits;
    }
    last_sources_.note_run(run, out_.is_long(run));
    end = run.start;
    cursor_ = run.source;
    return run.n_objects;
  }
  // False: too few. What was looked at in vain is not looked at again.
  bool find_run(std::uint32_t last, std::uint32_t most, std::uint32_t end, Placed& run) {
    const Structure& base = out_.base;
    const std::uint32_t source_end = base.starts.next(last), distance = end - source_end;
    if (distance % 4 != 0 || last >= no_run_from_) return false;
    run.end = end;
    run.n_objects = 0;
    std::uint32_t tag = base.starts.index_of(last);
    Object object;
    object.start = source_end;
    for (std::uint32_t start = last; run.n_objects < most; start = base.starts.begin_of(start - 1)) {
      object.end = object.start;
      object.start = start;
      object.shape = kNone;
      base.set_type(object, base.tags[tag--]);
      if (source_end - start > end || is_used(start) || !out_.is_regular(object, distance)) break;
      run.source = start;
      ++run.n_objects;
      if (start == 0) break;
    }
    if (run.n_objects == 0 || !out_.is_long(run)) {
      no_run_from_ = object.start;
      return false;
    }
    run.start = end - (source_end - run.source);
    return true;
  }

  // --- an Encoder's choices -------------------------------------------------------------------------------

  Step choose(const Wishes& wishes, std::size_t next, Step last, const Overrides& done, std::uint32_t& count) const {
    const std::vector<Wish>& list = wishes.list;
    const Wish& wish = list[next];
    if (wish.how == Wish::How::kRaw) return Step::kRaw;
    // How many objects are left out must be said before anything about the next one.
    if (wish.how == Wish::How::kInOrder) {
      std::uint32_t skipped = 0;
      for (std::uint32_t at = next_in_order(cursor_); at != wish.last; at = next_in_order(at)) ++skipped;
      if (skipped > 0) {
        count = skipped;
        return Step::kSkip;
      }
    }
    if (wish.overrides != kNone) {
      const Overrides& overrides = wishes.overrides[wish.overrides];
      if (overrides.resizes && !done.resizes) return Step::kResize;
      if (overrides.reshapes && !done.reshapes) return Step::kReshape;
      if (overrides.pads && !done.pads) return Step::kPad;
    }
    const auto goes_on = [&](std::size_t i) {
      if (i >= list.size() || list[i].how != wish.how || list[i].overrides != kNone) return false;
      const std::uint32_t before = list[i - 1].source;
      if (wish.how == Wish::How::kInOrder) return list[i].last == next_in_order(before);
      return before > 0 && list[i].last == out_.base.starts.begin_of(before - 1);
    };
    count = wish.n_objects;
    for (std::size_t i = next + 1; goes_on(i); ++i) count += list[i].n_objects;
    if (wish.how == Wish::How::kInOrder) return Step::kRun;
    const Step wanted = wish.how == Wish::How::kJump ? Step::kJump : Step::kFresh;
    return last == wanted && from_ == wish.source ? Step::kContinue : wanted;
  }

  // --- overrides ------------------------------------------------------------------------------------------

  // The source of the next object. A Decoder learns it from the step that places it, which comes later: so what an
  // override needs to know of it is coded relative to nothing but the type, which is coded with the override.
  bool resize(const Wishes& wishes, std::size_t next, Overrides& overrides) {
    overrides.resizes = true;
    bool is_data = false;
    if constexpr (!Coder::kDecodes) is_data = out_.types()[source_type(wishes, next)].kind == Kind::kData;
    is_data = coder_.bit(models_.is_data, is_data);
    overrides.is_spliced = is_data;
    if (!is_data) {
      std::uint32_t count = 0;
      if constexpr (!Coder::kDecodes) count = wanted(wishes, next).count;
      overrides.count = coder_.number(models_.length, count);
      return true;
    }
    std::uint32_t n = 0;
    if constexpr (!Coder::kDecodes) n = static_cast<std::uint32_t>(wanted(wishes, next).splices.size());
    n = coder_.number(models_.n_splices, n);
    if (!may_be_new(n)) return false;
    for (std::uint32_t i = 0; i < n; ++i) {
      Splice splice;
      if constexpr (!Coder::kDecodes) splice = wanted(wishes, next).splices[i];
      splice.copy = coder_.number(models_.splice_copy, splice.copy);
      splice.remove = coder_.number(models_.splice_remove, splice.remove);
      splice.insert = coder_.number(models_.splice_insert, splice.insert);
      overrides.splices.push_back(splice);
    }
    return true;
  }

  bool reshape(const Wishes& wishes, std::size_t next, Overrides& overrides) {
    overrides.reshapes = true;
    std::uint32_t type = 0, which = 0;
    if constexpr (!Coder::kDecodes) type = source_type(wishes, next);
    type = coder_.number(models_.reshape_type, type);
    if (type >= out_.types().size()) return false;
    if (out_.types()[type].kind == Kind::kVTable) {  // one of the new ones, which follow in their order
      if (n_placed_shapes_ >= out_.fresh_shapes.size()) return false;
      overrides.shape = out_.fresh_shapes[n_placed_shapes_++];
      return true;
    }
    const std::vector<std::uint32_t>& known = out_.types()[type].shapes;
    const std::uint32_t n_known = n_told_shapes(type);
    if (n_known == 0) return false;
    if constexpr (!Coder::kDecodes) {
      // The arrangement has all of them already; to the receiver those that are still to come are new.
      which = n_told_shapes(type);
      if (!wanted(wishes, next).adds_shape) {
        which = static_cast<std::uint32_t>(std::find(known.begin(), known.end(), wanted(wishes, next).shape) -
                                           known.begin());
      }
    }
    which = coder_.number(models_.which_shape, which);
    if (which > n_known) return false;
    if (which < n_known) {
      overrides.shape = known[which];
      return true;
    }
    return new_shape(type, wishes, next, overrides);
  }

  // A vtable, as it differs from the first of its type.
  bool new_shape(std::uint32_t type, const Wishes& wishes, std::size_t next, Overrides& overrides) {
    const Shape& like = out_.shapes()[out_.types()[type].shapes.front()];
    Shape shape;
    if constexpr (!Coder::kDecodes) shape = out_.shapes()[wanted(wishes, next).shape];
    const auto code = [&](std::uint32_t value, std::uint32_t expected) {
      return expected + unzigzag(coder_.number(models_.shape_entry, zigzag(value - expected)));
    };
    const std::uint32_t n_fields =
        code(static_cast<std::uint32_t>(shape.offsets.size()), static_cast<std::uint32_t>(like.offsets.size()));
    if (n_fields > 0x7ffd) return false;
    // Every new shape is of use for one vtable of its own and for at least one table of its size; in all patches of a
    // context together.
    models_.n_shape_bytes += 4 + 2 * n_fields;
    if (models_.n_shape_bytes > 2 * std::uint64_t{out_.target_size} + 65536) return false;
    Bytes vtable(4 + 2 * n_fields);
    const auto put = [&](std::size_t at, std::uint32_t value) {
      vtable[at] = static_cast<std::byte>(value);
      vtable[at + 1] = static_cast<std::byte>(value >> 8);
    };
    put(0, 4 + 2 * n_fields);
    put(2, code(shape.table_size, like.table_size));
    for (std::uint32_t i = 0; i < n_fields; ++i) {
      put(4 + 2 * i,
          code(i < shape.offsets.size() ? shape.offsets[i] : 0, i < like.offsets.size() ? like.offsets[i] : 0));
    }
    std::uint32_t n_read = 0;
    std::optional<Shape> read = read_shape(vtable, n_read);
    if (!read || !(out_.can_add_shape() || !Coder::kDecodes) || read->table_size > out_.target_size ||
        (models_.n_shape_bytes += read->table_size) > 2 * std::uint64_t{out_.target_size} + 65536)
      return false;
    if constexpr (Coder::kDecodes) {
      overrides.shape = out_.add_shape(type, std::move(*read));
    } else {
      overrides.shape = wanted(wishes, next).shape;
      ++told_shapes_[type];
    }
    return true;
  }
  // Shapes of a type that the receiver knows.
  std::uint32_t n_told_shapes(std::uint32_t type) const {
    if constexpr (Coder::kDecodes) return static_cast<std::uint32_t>(out_.types()[type].shapes.size());
    const auto told = told_shapes_.find(type);
    return static_cast<std::uint32_t>(out_.base.types()[type].shapes.size()) +
           (told != told_shapes_.end() ? told->second : 0);
  }
  std::uint32_t source_type(const Wishes& wishes, std::size_t next) const {
    return out_.base.object(wishes.list[next].source).type;
  }
  static const Overrides& wanted(const Wishes& wishes, std::size_t next) {
    return wishes.overrides[wishes.list[next].overrides];
  }

  // --- raw bytes ------------------------------------------------------------------------------------------

  void raw(std::uint32_t begin, std::uint32_t end) {
    for (std::uint32_t i = begin; i < end; ++i) {
      const std::byte value = characters_.character(i == begin ? std::byte{0} : bytes_[i - 1], bytes_[i]);
      if constexpr (Coder::kDecodes) bytes_[i] = value;
    }
    if constexpr (Coder::kDecodes) {
      Placed object;
      object.start = begin;
      object.end = end;
      out_.push(object);
    } else {
      ++n_put_;
    }
  }

  Coder& coder_;
  ArrangementModels& models_;
  Arrangement& out_;
  std::byte* bytes_;
  TextCoder<Coder>& characters_;
  std::vector<std::uint64_t> used_;  // a bit for every second byte of the baseline
  std::uint32_t cursor_ = 0;
  std::uint32_t no_run_from_ = kNone;                             // from this source on no long run is left
  std::size_t n_put_ = 0;                                         // by an Encoder, of what is placed already
  std::unordered_map<std::uint32_t, std::uint32_t> told_shapes_;  // by type: new ones that an Encoder has told of
  LastSources last_sources_;
  std::uint32_t from_ = kNone;  // next object of a jump or of what is fresh
  std::size_t n_placed_shapes_ = 0;
  std::uint32_t n_new_ = 0;  // fresh and raw objects, and splices
};

}  // namespace libsync::codec
