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
#include "codec/text_coder.h"

namespace libsync::codec {

// What an Encoder wants: the objects of the target, back to front, as they are placed in its arrangement.
struct Wish {
  enum class How : std::uint8_t { kInOrder, kJump, kFresh, kRaw };
  std::uint32_t source = kNone;
  std::uint32_t overrides = kNone;  // index in Wishes::overrides
  How how = How::kInOrder;
};
struct Wishes {
  std::vector<Wish> list;  // [objects placed]
  std::vector<Overrides> overrides;
};

inline std::uint32_t zigzag(std::uint32_t step) { return step << 1 ^ (0u - (step >> 31)); }
inline std::uint32_t unzigzag(std::uint32_t code) { return code >> 1 ^ (0u - (code & 1)); }

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
        used_(arrangement.base.objects.size()) {}

  // Everything from the end of the target to its start. False: malformed (Decoder).
  bool run(const Wishes& wishes) {
    coder_.begin(Part::kObjects);
    std::uint32_t end = out_.target_size;
    cursor_ = static_cast<std::uint32_t>(out_.base.objects.size());
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
          for (; count > 0; --count) {
            const std::uint32_t source = next_in_order();
            if (source == kNone || !put(source, false, overrides, end)) return false;
            cursor_ = source;
            ++next;
          }
          break;
        case Step::kJump:
        case Step::kFresh: {
          const bool is_jump = step == Step::kJump;
          std::uint32_t type = 0;
          if constexpr (!Coder::kDecodes) type = out_.base.objects[wishes.list[next].source].type;
          type = coder_.number(is_jump ? models_.jump_type : models_.fresh_type, type);
          if (type >= out_.types().size()) return false;
          if (is_jump) {
            const std::uint32_t here = rank_at_cursor(type);
            std::uint32_t rank = 0;
            if constexpr (!Coder::kDecodes) rank = out_.base.objects[wishes.list[next].source].rank;
            rank = here - 1 - unzigzag(coder_.number(models_.jump, zigzag(here - 1 - rank)));
            if (rank >= out_.base.groups[type].objects.size()) return false;
            from_ = index_of(type, rank);
          } else {
            from_ = template_of(type);
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
            --from_;  // below the first object: kNone
            ++next;
          }
          break;
        case Step::kSkip:
          count = coder_.number(counts, count - 1) + 1;
          for (; count > 0; --count) {
            const std::uint32_t source = next_in_order();
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
          if (count > end || (end - count) % 2 != 0) return false;
          raw(end - count, end);
          end -= count;
          ++next;
          break;
      }
    }
    return !overrides.any();
  }

  // The elements of all vectors of references. False: malformed (Decoder).
  // For an Encoder `bytes` is the target; `prediction` is where the elements go in both directions.
  bool elements(std::byte* prediction) {
    coder_.begin(Part::kElements);
    for (std::uint32_t i = 0; i < out_.placed.size(); ++i) {
      const Placed& object = out_.placed[i];
      if (object.source != kNone && out_.types()[object.type].kind == Kind::kReferences && !elements_of(i, prediction))
        return false;
    }
    return true;
  }

 private:
  // --- sources --------------------------------------------------------------------------------------------

  std::uint32_t next_in_order() const {
    std::uint32_t source = cursor_;
    while (source > 0 && used_[source - 1]) --source;
    return source == 0 ? kNone : source - 1;
  }
  std::uint32_t index_of(std::uint32_t type, std::uint32_t rank) const {
    return out_.base.object_at(out_.base.groups[type].objects[rank].start);
  }
  // Objects of this type before the cursor.
  std::uint32_t rank_at_cursor(std::uint32_t type) const {
    const std::vector<Object>& objects = out_.base.groups[type].objects;
    if (cursor_ == out_.base.objects.size()) return static_cast<std::uint32_t>(objects.size());
    const std::uint32_t position = out_.base.object(cursor_).start;
    return static_cast<std::uint32_t>(std::lower_bound(objects.begin(), objects.end(), position,
                                                       [](const Object& o, std::uint32_t p) { return o.start < p; }) -
                                      objects.begin());
  }
  // What new objects of a type are like: the one placed last.
  std::uint32_t template_of(std::uint32_t type) const {
    if (type < last_source_.size() && last_source_[type] != kNone) return last_source_[type];
    const std::vector<Object>& objects = out_.base.groups[type].objects;
    return objects.empty() ? kNone : index_of(type, static_cast<std::uint32_t>(objects.size() - 1));
  }

  bool put(std::uint32_t source, bool is_fresh, Overrides& overrides, std::uint32_t& end) {
    if (!is_fresh && used_[source]) return false;
    Placed object;
    if constexpr (Coder::kDecodes) {
      if (end == 0 || !out_.place(source, is_fresh, overrides, end, object)) return false;
      out_.push(object);
    } else {
      object = out_.placed[n_put_++];
    }
    if (!is_fresh) used_[source] = true;
    if (last_source_.size() <= object.type) last_source_.resize(out_.types().size(), kNone);
    last_source_[object.type] = source;
    end = object.start;
    overrides = Overrides{};
    return true;
  }

  // --- an Encoder's choices -------------------------------------------------------------------------------

  Step choose(const Wishes& wishes, std::size_t next, Step last, const Overrides& done, std::uint32_t& count) const {
    const std::vector<Wish>& list = wishes.list;
    const Wish& wish = list[next];
    if (wish.how == Wish::How::kRaw) return Step::kRaw;
    // How many objects are left out must be said before anything about the next one.
    if (wish.how == Wish::How::kInOrder) {
      std::uint32_t skipped = 0, at = cursor_;
      while (at-- > wish.source + 1) skipped += used_[at] ? 0u : 1u;
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
      if (wish.how != Wish::How::kInOrder || list[i].source + 1 == list[i - 1].source)
        return list[i].source + 1 == list[i - 1].source;
      std::uint32_t at = list[i - 1].source;
      while (at > 0 && used_[at - 1]) --at;
      return at == list[i].source + 1;
    };
    count = 1;
    while (goes_on(next + count)) ++count;
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
    if constexpr (!Coder::kDecodes)
      is_data = out_.types()[out_.base.objects[wishes.list[next].source].type].kind == Kind::kData;
    is_data = coder_.bit(models_.is_data, is_data);
    if (!is_data) {
      std::uint32_t count = 0;
      if constexpr (!Coder::kDecodes) count = wanted(wishes, next).count;
      overrides.count = coder_.number(models_.length, count);
      return true;
    }
    std::uint32_t n = 0;
    if constexpr (!Coder::kDecodes) n = static_cast<std::uint32_t>(wanted(wishes, next).splices.size());
    n = coder_.number(models_.n_splices, n);
    // Each is of use for at least one byte.
    if (n > out_.target_size - n_all_splices_) return false;
    n_all_splices_ += n;
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
    if constexpr (!Coder::kDecodes) type = out_.base.objects[wishes.list[next].source].type;
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
    if (!read || read->table_size > out_.target_size ||
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
  static const Overrides& wanted(const Wishes& wishes, std::size_t next) {
    return wishes.overrides[wishes.list[next].overrides];
  }

  // --- raw bytes and elements -----------------------------------------------------------------------------

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

  bool elements_of(std::uint32_t index, std::byte* prediction) {
    const Placed& object = out_.placed[index];
    const std::uint32_t element = out_.types()[object.type].element;
    if (element == kNone) return true;
    const std::span<const std::uint32_t> list = out_.members(element);
    if (list.empty()) return true;
    const Object& from = out_.base.object(object.source);
    const std::uint32_t old_count = std::min(out_.old_count(from), std::max(1u, (from.end - from.start) / 4) - 1);
    const std::uint32_t most = std::max(1u, (object.end - object.start) / 4) - 1;
    const std::uint32_t count = std::min(object.count, most);
    const auto [known, is_new] = directions_.try_emplace(object.source, 0);
    if (is_new) known->second = direction_of(from, old_count);
    const std::int64_t direction = known->second;
    const auto n = static_cast<std::int64_t>(list.size());
    // Where the first one was leads to where it is.
    std::int64_t expected = direction > 0 ? 0 : n - 1;
    if (old_count > 0) {
      const std::uint32_t first = from.start + 4;
      const std::uint64_t target = std::uint64_t{first} + load32(out_.baseline.data() + first);
      const std::uint32_t copy = target < out_.baseline.size()
                                     ? out_.copy_of(out_.base.object_at(static_cast<std::uint32_t>(target)), index)
                                     : kNone;
      if (copy != kNone) expected = std::lower_bound(list.begin(), list.end(), copy) - list.begin();
    }
    for (std::uint32_t i = 0; i < count;) {
      std::uint32_t run = 0;
      std::int64_t actual = 0;
      if constexpr (!Coder::kDecodes) {
        while (i + run < count &&
               is_element(list, object.start + 4 + 4 * (i + run), clamp(expected + direction * run, n)))
          ++run;
        if (i + run < count) actual = rank_of_element(list, object.start + 4 + 4 * (i + run));
      }
      run = coder_.number(models_.element_run, run);
      if (run > count - i) return false;
      for (std::uint32_t k = 0; k < run; ++k, ++i, expected += direction)
        refer(list, clamp(expected, n), object.start + 4 + 4 * i, prediction);
      if (i == count) break;
      const std::uint32_t step =
          coder_.number(models_.element_step, zigzag(static_cast<std::uint32_t>(actual - clamp(expected, n))));
      actual = clamp(expected, n) + static_cast<std::int32_t>(unzigzag(step));
      if (actual < 0 || actual >= n) return false;
      refer(list, actual, object.start + 4 + 4 * i, prediction);
      ++i;
      expected = actual + direction;
    }
    return true;
  }
  static std::int64_t clamp(std::int64_t rank, std::int64_t n) { return std::clamp<std::int64_t>(rank, 0, n - 1); }
  void refer(std::span<const std::uint32_t> list, std::int64_t rank, std::uint32_t position,
             std::byte* prediction) const {
    store32(prediction + position, out_.placed[list[static_cast<std::size_t>(rank)]].start - position);
  }
  // Whether rank_of_element() would give `rank`.
  bool is_element(std::span<const std::uint32_t> list, std::uint32_t position, std::int64_t rank) const {
    const std::uint64_t target = std::uint64_t{position} + load32(bytes_ + position);
    return target == out_.placed[list[static_cast<std::size_t>(rank)]].start || rank_of_element(list, position) == rank;
  }
  // The object that the element refers to, or the last one before.
  std::int64_t rank_of_element(std::span<const std::uint32_t> list, std::uint32_t position) const {
    const std::uint64_t target = std::uint64_t{position} + load32(bytes_ + position);
    const auto behind = std::upper_bound(list.begin(), list.end(), target,
                                         [&](std::uint64_t t, std::uint32_t i) { return t < out_.placed[i].start; });
    return std::max<std::int64_t>(behind - list.begin() - 1, 0);
  }
  // Whether the elements of the baseline's vector go up or down in memory.
  std::int64_t direction_of(const Object& from, std::uint32_t count) const {
    std::uint32_t up = 0;
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      const std::byte* at = out_.baseline.data() + from.start + 4 + 4 * i;
      up += load32(at + 4) + 4 > load32(at) ? 1u : 0u;
    }
    return 2 * up + 1 >= count ? 1 : -1;
  }

  Coder& coder_;
  ArrangementModels& models_;
  Arrangement& out_;
  std::byte* bytes_;
  TextCoder<Coder>& characters_;
  std::vector<bool> used_;
  std::uint32_t cursor_ = 0;
  std::size_t n_put_ = 0;                                         // by an Encoder, of what is placed already
  std::unordered_map<std::uint32_t, std::uint32_t> told_shapes_;  // by type: new ones that an Encoder has told of
  std::uint32_t from_ = kNone;                                    // next object of a jump or of what is fresh
  std::vector<std::uint32_t> last_source_;
  std::size_t n_placed_shapes_ = 0;
  std::uint32_t n_all_splices_ = 0;
  std::unordered_map<std::uint32_t, std::int64_t> directions_;  // by object of the baseline
};

}  // namespace libsync::codec
