// comparer.h: whether an object of the baseline is what is at some place of the target.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <utility>
#include <vector>

#include "codec/align/sides.h"
#include "codec/align/target_vtables.h"
#include "codec/bytes_compare.h"

namespace libsync::codec {

// What an object of the baseline is at some place of the target.
enum class Verdict : std::uint8_t {
  kSame,     // but for places
  kChanged,  // it holds something else, as objects do
  kStrange,  // as kChanged, but so much that it may be another one
  kOther,    // it cannot be there
};

// Where tables with a certain vtable have references, and where values.
struct Lanes {
  bool is_known = false;
  std::vector<std::pair<std::uint16_t, std::uint32_t>> references;  // offset, type; ascending
  std::vector<std::uint64_t> values;  // [blocks of 64 bytes] a bit for each byte that is a value's
  std::uint32_t n_values = 0;         // of four bytes, or fewer at the end
};

class Comparer {
 public:
  // `vtables` outlives this.
  Comparer(const Sides& sides, TargetVtables& vtables);

  // Most objects are the same and regular (Arrangement::is_regular), which of most of these is quickly seen. Bytes of
  // the object of the baseline with this tag at `from`, if it is such a one at `to`; 0: it is none, or it is not seen.
  // As a call it would make aligning 7 % slower.
  [[gnu::always_inline]] std::uint32_t plainly_same(Tag tag, std::uint32_t from, std::uint32_t to);
  // What the object is at `to`. Says kStrange of tables only.
  Verdict judge(const Object& object, std::uint32_t to);
  // The same, quicker where one object after the other is judged.
  Verdict judge_next(const Object& object, std::uint32_t to);

  // In how many values two tables with these lanes differ. Requires: both fit.
  std::uint32_t n_changed(std::uint32_t from, std::uint32_t to, const Lanes& lanes) const;
  const Lanes& lanes_of(std::uint32_t shape) {
    if (shape >= lanes_.size()) lanes_.resize(shape + 1);
    Lanes& lanes = lanes_[shape];
    if (!lanes.is_known) find_lanes(shape, lanes);
    return lanes;
  }
  // Whether two tables with this vtable differ in at most so many percent of their values.
  bool is_alike(std::uint32_t shape, std::uint32_t from, std::uint32_t to, std::uint32_t percent) {
    const Lanes& lanes = lanes_of(shape);
    return 100 * n_changed(from, to, lanes) <= percent * lanes.n_values;
  }
  // Percent of the values of a table in which it may differ and be taken for the same one, where its neighbours do not
  // tell.
  std::uint32_t percent_alike() const { return std::max(tolerance_, 34u); }
  // From now on tables that change as much as this one at `to` are not strange.
  void tolerate(const Object& table, std::uint32_t to);

  // Of an object of the target, wherever it is: whether they hold the same ...
  bool is_same(const Object& old, const Object& other);
  // ... whether one may have become the other ...
  bool may_be(const Object& old, const Object& other);
  // ... or that for tables with whatever vtables of one type: most fields that both have are equal. Strings and vectors
  // always may.
  bool is_reshaped(const Object& old, const Object& other) const;
  // Whether the baseline has this vtable.
  bool was_there(std::uint32_t shape) const {
    return shape < sides_.base.shapes().size() && sides_.plan.has_vtable(shape);
  }

 private:
  // What plainly_same() needs to know of a tag.
  struct Plain {
    const Lanes* lanes = nullptr;  // of tables that are regular but for what is behind them; null: of no others
    std::uint32_t shape = kNone;
    std::uint32_t core = 0;  // bytes of these
    std::uint32_t step = 4;  // the distance to the old place is a multiple of it
    bool is_text = false;
  };
  void find_plain_tags();
  void find_lanes(std::uint32_t shape, Lanes& lanes) const;
  Verdict judge_table(const Object& object, std::uint32_t to);
  std::uint64_t differing_at(std::uint32_t from, std::uint32_t to) const;
  void look_ahead(std::uint32_t from, std::uint32_t to);

  Sides sides_;
  TargetVtables& vtables_;
  std::deque<Lanes> lanes_;       // [shapes]; they stay where they are
  std::vector<Plain> plain_;      // [tags]
  std::uint32_t tolerance_ = 25;  // percent of the values of a table that may change
  // Of judge_next().
  bool is_still_ = false;  // the last table's vtable is as far away as it was
  // At this distance both are equal from ... to ..., positions in the baseline.
  std::uint32_t seen_distance_ = 0;
  std::uint32_t same_from_ = 1;
  std::uint32_t same_until_ = 0;
};

inline std::uint32_t Comparer::plainly_same(Tag tag, std::uint32_t from, std::uint32_t to) {
  const Plain& plain = plain_[tag];
  if (plain.lanes == nullptr && !plain.is_text) return 0;
  const std::byte* const a = sides_.old_bytes + from;
  const std::byte* const b = sides_.new_bytes + to;
  const std::uint32_t size = sides_.base.starts.next(from) - from;
  if (size < 8 || size > sides_.new_size - to || (to - from) % plain.step != 0) return 0;
  std::uint32_t core = plain.core;
  if (plain.is_text) {
    const std::uint32_t count = load32(a);
    if (count > size - 5 || load32(b) != count) return 0;
    core = 5 + count;
    if (std::memcmp(a + 4, b + 4, count + 1) != 0 || a[4 + count] != std::byte{0}) return 0;
  }
  if (core > size || size - core > 3 || from % 4 != 0) return 0;
  const std::uint32_t padding = load32(a + size - 4) & ~(0xffffffffu >> (8 * (size - core)));
  if (padding != 0) return 0;
  if (!plain.is_text && (!vtables_.is_of(to, plain.shape) || n_changed(from, to, *plain.lanes) != 0)) return 0;
  return size;
}

// Of 64 bytes a bit for each that differs, as far as both have them.
inline std::uint64_t Comparer::differing_at(std::uint32_t from, std::uint32_t to) const {
  const std::byte* const a = sides_.old_bytes + from;
  const std::byte* const b = sides_.new_bytes + to;
  if (from + std::uint64_t{64} <= sides_.old_size && to + std::uint64_t{64} <= sides_.new_size)
    return differing_bytes(a, b);
  std::uint64_t bits = 0;
  const std::uint32_t room = std::min({sides_.old_size - from, sides_.new_size - to, 64u});
  for (std::uint32_t i = 0; i < room; ++i) bits |= std::uint64_t{a[i] != b[i]} << i;
  return bits;
}

inline std::uint32_t Comparer::n_changed(std::uint32_t from, std::uint32_t to, const Lanes& lanes) const {
  std::uint32_t n = 0;
  for (std::uint32_t block = 0; block < lanes.values.size(); ++block) {
    std::uint64_t bits = differing_at(from + 64 * block, to + 64 * block) & lanes.values[block];
    if (bits == 0) continue;
    // One bit for each four.
    bits |= bits >> 1 & 0x7777777777777777;
    bits |= bits >> 2 & 0x3333333333333333;
    n += count_bits(bits & 0x1111111111111111);
  }
  return n;
}

inline Verdict Comparer::judge_table(const Object& object, std::uint32_t to) {
  const Lanes& lanes = lanes_of(object.shape);
  if (vtables_.shape(object.shape).table_size > object.size() || !vtables_.is_of(to, object.shape))
    return Verdict::kOther;
  const std::uint32_t n = n_changed(object.start, to, lanes);
  if (n == 0) return Verdict::kSame;
  return n <= 2 || 100 * n <= tolerance_ * lanes.n_values ? Verdict::kChanged : Verdict::kStrange;
}

inline Verdict Comparer::judge(const Object& object, std::uint32_t to) {
  const std::uint32_t size = object.size();
  if (size > sides_.new_size - to) return Verdict::kOther;
  const std::byte* const a = sides_.old_bytes + object.start;
  const std::byte* const b = sides_.new_bytes + to;
  const auto compare = [&](std::uint32_t from) {
    return std::memcmp(a + from, b + from, size - from) == 0 ? Verdict::kSame : Verdict::kChanged;
  };
  const Kind kind = sides_.types()[object.type].kind;
  switch (kind) {
    case Kind::kTable: return judge_table(object, to);
    case Kind::kVTable: return compare(0) == Verdict::kSame ? Verdict::kSame : Verdict::kOther;
    case Kind::kOther: return object.start == 0 && to == 0 && size >= 4 ? compare(4) : Verdict::kOther;
    default: break;
  }
  if (size < 4 || load32(a) != load32(b)) return Verdict::kOther;
  return kind == Kind::kReferences ? Verdict::kSame : compare(4);
}

// The first byte at or behind `from` that differs, as far as 4 KB ahead.
inline void Comparer::look_ahead(std::uint32_t from, std::uint32_t to) {
  constexpr std::uint32_t kFar = 4096;
  const std::uint32_t distance = to - from;
  if (distance == seen_distance_ && from <= same_until_ && from >= same_from_) return;
  seen_distance_ = distance;
  same_from_ = from;
  const std::uint32_t room = std::min({sides_.old_size - from, sides_.new_size - to, kFar});
  const std::byte* const a = sides_.old_bytes + from;
  const std::byte* const b = sides_.new_bytes + to;
  std::uint32_t n = 0;
  for (; n + 64 <= room; n += 64) {
    const std::uint64_t bits = differing_bytes(a + n, b + n);
    if (bits == 0) continue;
    same_until_ = from + n + static_cast<std::uint32_t>(std::countr_zero(bits));
    return;
  }
  while (n < room && a[n] == b[n]) ++n;
  same_until_ = from + n;
}

inline Verdict Comparer::judge_next(const Object& object, std::uint32_t to) {
  // Where vtables are as far away as they were, bytes are the same mostly; else each table has others.
  const bool has_vtable = is_table(object);
  if (has_vtable)
    is_still_ = sides_.new_size - to >= 4 && load32(sides_.old_bytes + object.start) == load32(sides_.new_bytes + to);
  if (!is_still_) return judge(object, to);
  look_ahead(object.start, to);
  if (object.end > same_until_) return judge(object, to);
  return !has_vtable || vtables_.is_of(to, object.shape) ? Verdict::kSame : Verdict::kOther;
}

}  // namespace libsync::codec
