#include "codec/aligner.h"

#include <algorithm>
#include <array>
#include <bit>
#include <bitset>
#include <cstring>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "codec/arrangement.h"
#include "codec/bytes_compare.h"

namespace libsync::codec {
namespace {

// What an object of the baseline is at some place of the target.
enum class Verdict : std::uint8_t {
  kSame,     // but for places
  kChanged,  // it holds something else, as objects do
  kStrange,  // as kChanged, but so much that it may be another one
  kOther,    // it cannot be there
};

// Where the vtables are that tables of the target use.
class Vtables {
 public:
  Vtables(const Structure& base, BytesView target)
      : schema_(base.schema.get()), bytes_(target.data()), size_(static_cast<std::uint32_t>(target.size())) {
    last_.resize(base.shapes().size(), kNone);
    from_end_.resize(base.shapes().size());
    for (std::size_t i = 0; i < base.vtable_shapes.size(); ++i)
      from_end_[base.vtable_shapes[i]] = base.size_bytes - base.groups[1].starts[i];
    for (std::uint32_t shape = 0; shape < base.shapes().size(); ++shape)
      by_sizes_.emplace_back(sizes_of(base.shapes()[shape]), shape);
    std::sort(by_sizes_.begin(), by_sizes_.end());
    for (const auto& [sizes, shape] : by_sizes_) is_size_[sizes % is_size_.size()] = true;
  }

  // Whether the table at `start` has a vtable like this one.
  bool is_of(std::uint32_t start, std::uint32_t shape) {
    const std::uint32_t position = start - load32(bytes_ + start);
    if (position == last_[shape]) return true;
    if (!is_at(position, schema_->shapes[shape])) return false;
    note(position, shape);
    return true;
  }
  // What the table at `start` would be, kNone: no table with a known vtable.
  std::uint32_t shape_of(std::uint32_t start) {
    if (size_ - start < 4) return kNone;
    const std::uint32_t position = start - load32(bytes_ + start);
    if (position >= size_ || position % 2 != 0 || size_ - position < 4) return kNone;
    Cached& cached = cache_[position / 2 % cache_.size()];
    if (cached.position != position) {
      cached = {position, kNone};
      cached.shape = find(position);
    }
    if (cached.shape == kNone || schema_->shapes[cached.shape].table_size > size_ - start) return kNone;
    note(position, cached.shape);
    return cached.shape;
  }
  // From now on there is one more, which was met here.
  void add(const Schema& schema, std::uint32_t position) {
    schema_ = &schema;
    const auto shape = static_cast<std::uint32_t>(schema.shapes.size() - 1);
    const std::pair entry(sizes_of(schema.shapes[shape]), shape);
    by_sizes_.insert(std::upper_bound(by_sizes_.begin(), by_sizes_.end(), entry), entry);
    is_size_[entry.first % is_size_.size()] = true;
    last_.push_back(kNone);
    from_end_.push_back(size_ - position);
    cache_[position / 2 % cache_.size()] = {position, shape};
    note(position, shape);
  }
  // Which vtable is here, kNone: none that is known.
  std::uint32_t at(std::uint32_t position) const {
    return position % 2 == 0 && size_ - position >= 4 ? find(position) : kNone;
  }
  // All that were met: position, shape.
  const std::vector<std::pair<std::uint32_t, std::uint32_t>>& met() const { return met_; }
  bool is_at(std::uint32_t position, const Shape& shape) const {
    if (position >= size_ || position % 2 != 0 || size_ - position < shape.size) return false;
    const std::byte* at = bytes_ + position;
    if (load16(at) != shape.size || load16(at + 2) != shape.table_size) return false;
    for (std::size_t field = 0; field < shape.offsets.size(); ++field) {
      if (load16(at + 4 + 2 * field) != shape.offsets[field]) return false;
    }
    return true;
  }

 private:
  static std::uint32_t sizes_of(const Shape& shape) { return shape.size | std::uint32_t{shape.table_size} << 16; }
  void note(std::uint32_t position, std::uint32_t shape) {
    if (last_[shape] == position) return;
    last_[shape] = position;
    met_.emplace_back(position, shape);
  }
  std::uint32_t find(std::uint32_t position) const {
    const std::uint32_t sizes = load32(bytes_ + position);
    if (!is_size_[sizes % is_size_.size()]) return kNone;
    // Several may be the same: then the one that was as far from the end.
    constexpr int kMost = 64;
    std::uint32_t best = kNone, least = kNone;
    auto at = std::lower_bound(by_sizes_.begin(), by_sizes_.end(), std::pair(sizes, 0u));
    for (int i = 0; i < kMost && at != by_sizes_.end() && at->first == sizes; ++i, ++at) {
      const std::uint32_t shape = at->second;
      if (!is_at(position, schema_->shapes[shape])) continue;
      if (last_[shape] == position) return shape;
      const std::uint32_t here = size_ - position, there = from_end_[shape];
      const std::uint32_t distance = here > there ? here - there : there - here;
      if (best == kNone || distance < least) best = shape, least = distance;
    }
    return best;
  }

  struct Cached {
    std::uint32_t position = kNone;
    std::uint32_t shape = kNone;
  };
  const Schema* schema_;
  const std::byte* bytes_;
  std::uint32_t size_;
  std::vector<std::uint32_t> last_;      // [shapes] where the last table that has it has it
  std::vector<std::uint32_t> from_end_;  // [shapes] bytes from the baseline's to its end
  std::vector<std::pair<std::uint32_t, std::uint32_t>> met_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> by_sizes_;  // what a vtable begins with, shape; ascending
  std::bitset<4093> is_size_;                                      // whether any begins with this, modulo its size
  std::array<Cached, 512> cache_;
};

class Aligner {
 public:
  Aligner(const Arrangement& plan, BytesView target)
      : plan_(plan),
        base_(plan.base),
        old_(plan.baseline.data()),
        new_(target.data()),
        old_size_(base_.size_bytes),
        new_size_(static_cast<std::uint32_t>(target.size())),
        schema_(base_.schema),
        vtables_(base_, target),
        lanes_(base_.shapes().size()),
        work_left_(65536 + 2 * (std::int64_t{old_size_} + new_size_)) {
    find_common();
  }

  std::optional<Matches> run() {
    while (from_ < old_size_ && to_ < new_size_) {
      if (go_on_quickly()) continue;
      if (work_left_ < 0 || vtables_.met().size() > kMaxVtables) return std::nullopt;
      const Object object = object_at_cursor();
      const Verdict verdict = judge_at_cursor(object);
      if (verdict == Verdict::kSame || verdict == Verdict::kChanged) {
        if (verdict == Verdict::kSame) pending_.clear();
        go_on(object, verdict == Verdict::kChanged);
      } else if (!find_agreement(object, verdict)) {
        return std::nullopt;
      }
    }
    if (!bridge(old_size_, new_size_)) return std::nullopt;
    if (base_.n_objects() < kFew && are_tables_left()) return std::nullopt;
    match_leftovers();
    out_.schema = schema_;
    out_.same_shape.resize(shapes().size(), kNone);
    for (std::uint32_t shape = 0; shape < base_.shapes().size(); ++shape) out_.same_shape[shape] = shape;
    return std::move(out_);
  }

 private:
  // Where a table has references, and where other things.
  struct Lanes {
    bool is_known = false;
    std::vector<std::pair<std::uint16_t, std::uint32_t>> references;  // offset, type
    std::vector<std::uint64_t> values;  // [blocks of 64 bytes] a bit for each that is a value's
    std::uint32_t n_values = 0;         // of four bytes, or fewer at the end
  };

  const std::vector<Shape>& shapes() const { return schema_->shapes; }

  // Of a tag.
  struct Common {
    const Lanes* lanes = nullptr;  // of tables that are regular but for what is behind them
    std::uint32_t shape = kNone;
    std::uint32_t core = 0;  // bytes of these
    std::uint32_t step = 4;  // the distance to the old place is a multiple of it
    bool is_text = false;
  };
  void find_common() {
    const auto n_types = static_cast<std::uint32_t>(base_.types().size());
    common_.resize(n_types + base_.shapes().size());
    for (std::uint32_t type = 0; type < n_types; ++type)
      common_[type].is_text = base_.types()[type].kind == Kind::kText;
    for (std::uint32_t shape = 0; shape < base_.shapes().size(); ++shape) {
      Common& common = common_[n_types + shape];
      common.shape = shape;
      common.core = shapes()[shape].table_size;
      common.step = plan_.may_alternate(shape) ? 8 : 4;
      if (plan_.has_vtable(shape)) common.lanes = &lanes_of(shape);
    }
  }
  // As run() would, an object that is the same and regular, which most are. False: it is none, or that is not yet
  // known.
  bool go_on_quickly() {
    const Common& common = common_[base_.tags[index_]];
    if (common.lanes == nullptr && !common.is_text) return false;
    const std::uint32_t end = base_.starts.next(from_), size = end - from_, distance = to_ - from_;
    if (size < 8 || size > new_size_ - to_ || distance % common.step != 0) return false;
    std::uint32_t core = common.core;
    if (common.is_text) {
      const std::uint32_t count = load32(old_ + from_);
      if (count > size - 5 || load32(new_ + to_) != count) return false;
      core = 5 + count;
      if (std::memcmp(old_ + from_ + 4, new_ + to_ + 4, count + 1) != 0 || old_[from_ + 4 + count] != std::byte{0})
        return false;
    }
    if (core > size || size - core > 3 || from_ % 4 != 0) return false;
    if ((load32(old_ + end - 4) & ~(0xffffffffu >> (8 * (size - core)))) != 0) return false;  // padding
    if (!common.is_text && (!vtables_.is_of(to_, common.shape) || n_changed(from_, to_, *common.lanes) != 0))
      return false;
    pending_.clear();
    Match* last = is_run_open_ ? &out_.list.back() : nullptr;
    if (last != nullptr && last->object.end == to_ && last->object.start - last->source == distance) {
      last->object.end += size;
      ++last->n_objects;
    } else {
      Match match;
      match.object = object_at_cursor();
      match.source = from_;
      match.object.start = to_;
      match.object.end = to_ + size;
      out_.list.push_back(match);
      is_run_open_ = true;
    }
    from_ = end;
    to_ += size;
    ++index_;
    return true;
  }

  Object object_at_cursor() const {
    Object object;
    object.start = from_;
    object.end = base_.starts.next(from_);
    base_.set_type(object, base_.tags[index_]);
    return object;
  }

  // --- judging --------------------------------------------------------------------------------------------

  // The first byte at or behind the cursor that differs, as far as 4 KB ahead.
  void look_ahead() {
    constexpr std::uint32_t kFar = 4096;
    const std::uint32_t distance = to_ - from_;
    if (distance == seen_distance_ && from_ <= same_until_ && from_ >= same_from_) return;
    seen_distance_ = distance;
    same_from_ = from_;
    const std::uint32_t room = std::min({old_size_ - from_, new_size_ - to_, kFar});
    std::uint32_t n = 0;
    for (; n + 64 <= room; n += 64) {
      const std::uint64_t bits = differing_bytes(old_ + from_ + n, new_ + to_ + n);
      if (bits == 0) continue;
      same_until_ = from_ + n + static_cast<std::uint32_t>(std::countr_zero(bits));
      return;
    }
    while (n < room && old_[from_ + n] == new_[to_ + n]) ++n;
    same_until_ = from_ + n;
  }
  Verdict judge_at_cursor(const Object& object) {
    // Where vtables are as far away as they were, bytes are the same mostly; else each table has others.
    const bool is_table = object.shape != kNone && object.type != 1;
    if (is_table) is_still_ = new_size_ - to_ >= 4 && load32(old_ + from_) == load32(new_ + to_);
    if (!is_still_) return judge(object, to_);
    look_ahead();
    if (object.end > same_until_) return judge(object, to_);
    return !is_table || vtables_.is_of(to_, object.shape) ? Verdict::kSame : Verdict::kOther;
  }

  Verdict judge(const Object& object, std::uint32_t to) {
    const std::uint32_t size = object.size();
    if (size > new_size_ - to) return Verdict::kOther;
    const std::byte* a = old_ + object.start;
    const std::byte* b = new_ + to;
    const auto compare = [&](std::uint32_t from) {
      return std::memcmp(a + from, b + from, size - from) == 0 ? Verdict::kSame : Verdict::kChanged;
    };
    const Type& type = base_.types()[object.type];
    switch (type.kind) {
      case Kind::kTable: return judge_table(object, to);
      case Kind::kVTable: return compare(0) == Verdict::kSame ? Verdict::kSame : Verdict::kOther;
      case Kind::kOther: return object.start == 0 && to == 0 && size >= 4 ? compare(4) : Verdict::kOther;
      default: break;
    }
    if (size < 4 || load32(a) != load32(b)) return Verdict::kOther;
    if (type.kind == Kind::kReferences || compare(4) == Verdict::kSame) return Verdict::kSame;
    // A table and what it refers to.
    const bool is_next = !pending_.empty() && pending_.back().end == object.start && pending_.back().is_table;
    return is_next && n_in_vain_ < kMostInVain ? Verdict::kStrange : Verdict::kChanged;
  }
  Verdict judge_table(const Object& object, std::uint32_t to) {
    const Lanes& lanes = lanes_of(object.shape);
    if (shapes()[object.shape].table_size > object.size() || !vtables_.is_of(to, object.shape)) return Verdict::kOther;
    const std::uint32_t n = n_changed(object.start, to, lanes);
    if (n == 0) return Verdict::kSame;
    return n <= 2 || 100 * n <= tolerance_ * lanes.n_values ? Verdict::kChanged : Verdict::kStrange;
  }
  // Values in which two tables with the same vtable differ.
  std::uint32_t n_changed(std::uint32_t from, std::uint32_t to, const Lanes& lanes) const {
    std::uint32_t n = 0;
    for (std::uint32_t block = 0; block < lanes.values.size(); ++block) {
      const std::uint32_t a = from + 64 * block, b = to + 64 * block;
      std::uint64_t bits = 0;
      if (a + std::uint64_t{64} <= old_size_ && b + std::uint64_t{64} <= new_size_) {
        bits = differing_bytes(old_ + a, new_ + b);
      } else {
        const std::uint32_t room = std::min({old_size_ - a, new_size_ - b, 64u});
        for (std::uint32_t i = 0; i < room; ++i) bits |= std::uint64_t{old_[a + i] != new_[b + i]} << i;
      }
      bits &= lanes.values[block];
      if (bits == 0) continue;
      bits |= bits >> 1 & 0x7777777777777777;
      bits |= bits >> 2 & 0x3333333333333333;
      n += count_bits(bits & 0x1111111111111111);
    }
    return n;
  }
  const Lanes& lanes_of(std::uint32_t shape_index) {
    Lanes& lanes = lanes_[shape_index];
    if (lanes.is_known) return lanes;
    lanes.is_known = true;
    const Shape& shape = shapes()[shape_index];
    const Type& type = base_.types()[shape.type];
    for (const std::uint16_t field : shape.present) {
      if (field < type.fields.size() && type.fields[field].child != kNone && shape.widths[field] >= 4)
        lanes.references.emplace_back(shape.offsets[field], type.fields[field].child);
    }
    std::sort(lanes.references.begin(), lanes.references.end());
    lanes.values.resize((shape.table_size + 63u) / 64);
    auto reference = lanes.references.begin();
    for (std::uint32_t at = 4; at < shape.table_size; at += 4) {
      while (reference != lanes.references.end() && reference->first + 4u <= at) ++reference;
      if (reference != lanes.references.end() && reference->first < at + 4) continue;
      const std::uint64_t bytes = (std::uint64_t{1} << std::min(4u, shape.table_size - at)) - 1;
      lanes.values[at / 64] |= bytes << (at % 64);
      ++lanes.n_values;
    }
    return lanes;
  }

  // --- going on -------------------------------------------------------------------------------------------

  void go_on(const Object& object, bool is_changed) {
    if (is_changed) {
      if (pending_.size() == kMaxPending) pending_.clear();
      pending_.push_back({from_, to_, index_, out_.list.size(), out_.list.empty() ? 0 : out_.list.back().n_objects,
                          object.end, base_.types()[object.type].kind == Kind::kTable});
    }
    add(object, to_);
    from_ = object.end;
    to_ += object.size();
    ++index_;
  }
  // As it is at `to`.
  void add(const Object& object, std::uint32_t to) {
    const std::uint32_t distance = to - object.start;
    const bool is_regular = distance % 4 == 0 && plan_.is_regular(object, distance);
    if (is_regular && is_run_open_ && !out_.list.empty()) {
      Match& last = out_.list.back();
      if (last.object.end == to && last.object.start - last.source == distance) {
        last.object.end = to + object.size();
        ++last.n_objects;
        return;
      }
    }
    Match match;
    match.object = object;
    match.object.start = to;
    match.object.end = to + object.size();
    match.source = object.start;
    out_.list.push_back(match);
    is_run_open_ = is_regular;
  }

  // --- parting and meeting again --------------------------------------------------------------------------

  struct Position {
    std::uint32_t from, to, index;
  };
  // Where what came before was changed too, perhaps it was another already.
  struct Pending {
    std::uint32_t from, to, index;
    std::size_t n_matches;
    std::uint32_t n_objects;  // of the last match
    std::uint32_t end;
    bool is_table;
  };
  static constexpr std::size_t kMaxPending = 8;
  static constexpr int kMostInVain = 4;

  // At `object`, which is not, or may not be, at the cursor's place in the target.
  bool find_agreement(const Object& object, Verdict verdict) {
    if (verdict == Verdict::kOther && pending_.empty() && grow(object)) return true;
    if (++n_partings_ > 24 + base_.n_objects() / 1024) return false;
    const Position at = here();
    if (!pending_.empty()) go_back(pending_.front());
    pending_.clear();
    for (std::uint32_t window = 512; window <= 32 * 1024; window *= 8) {
      const std::optional<Position> next = find_tables(window);
      if (next) return bridge(next->from, next->to);
      if (verdict == Verdict::kStrange) break;
    }
    if (verdict != Verdict::kStrange) return is_near_end() && bridge(old_size_, new_size_);
    // As much as this changes here, it seems.
    go_on_until(at);
    ++n_in_vain_;
    if (base_.types()[object.type].kind == Kind::kTable) {
      const Lanes& lanes = lanes_of(object.shape);
      tolerance_ = std::min(100u, 10 + 100 * n_changed(object.start, to_, lanes) / lanes.n_values);
    }
    go_on(object, true);
    return true;
  }

  // Whether the object has become longer or shorter, or has got another vtable, perhaps the next ones too, and all goes
  // on behind. A vtable may have come before a table, or gone.
  bool grow(Object object) {
    constexpr std::size_t kMost = 16;
    std::vector<Match> grown;
    std::vector<Object> gone;
    std::uint32_t to = to_, index = index_;
    const std::uint32_t begin = find_vtable_before_table(object);
    if (begin != kNone) {
      const std::uint32_t table = table_behind(begin);
      Match vtable;
      vtable.object = {begin, table, 1, vtables_.shape_of(table)};
      if (vtable.object.shape == kNone) vtable.object.shape = learn(table, object.type);
      if (vtable.object.shape == kNone) return false;
      grown.push_back(vtable);
      to = table;
    }
    while (grown.size() < kMost && object.end < old_size_) {
      Object next;
      next.start = object.end;
      next.end = base_.starts.next(object.end);
      base_.set_type(next, base_.tags[++index]);
      Match match;
      match.source = object.start;
      match.object = {to, 0, object.type, object.shape};
      std::uint32_t core = core_like(match.object, new_size_);
      if (core == 0 && object.type == 1) core = learn_vtable(match.object, object);
      bool is_met = false;
      if (core == 0 && object.type == 1) {
        gone.push_back(object);
        to = (to + 3) / 4 * 4;
        if (to > new_size_ || !is_padding(to_, to, false)) return false;
        is_met = judge(next, to) == Verdict::kSame;
      } else {
        if (core == 0 || !is_reshaped(object, match.object)) return false;
        // Vtables are at multiples of 2, what has elements of 8 bytes may be 4 further.
        std::uint32_t likely = kNone;
        std::uint32_t end = (to + core + 1) / 2 * 2;
        for (; end < to + core + 8 && end < new_size_ && is_padding(to + core, end, false) && !is_met; end += 2) {
          if (end % 4 != 0 && next.type != 1) continue;
          is_met = judge(next, end) == Verdict::kSame;
          Object other{end, 0, next.type, next.shape};
          if (is_met || (likely == kNone && core_like(other, new_size_) != 0)) likely = end;
        }
        if (likely == kNone) return false;
        match.object.end = likely;
        grown.push_back(match);
        to = likely;
      }
      if (is_met) {
        finish_growing(grown, gone, {next.start, to, index});
        return true;
      }
      object = next;
    }
    return false;
  }
  // Bytes of a vtable that nobody knew, where another was; 0: there is none. Sets its shape.
  std::uint32_t learn_vtable(Object& vtable, const Object& old) {
    const std::uint32_t table = table_behind(vtable.start);
    if (table == kNone || vtables_.shape_of(table) != kNone) return 0;
    vtable.shape = learn(table, shapes()[old.shape].type);
    return vtable.shape == kNone ? 0 : shapes()[vtable.shape].size;
  }
  void finish_growing(const std::vector<Match>& grown, const std::vector<Object>& gone, const Position& next) {
    end_last_at(grown.empty() ? next.to : grown.front().object.start);
    for (const Match& match : grown) {
      if (match.source == kNone) unmatched_.push_back(out_.list.size());
      out_.list.push_back(match);
    }
    leftovers_.insert(leftovers_.end(), gone.begin(), gone.end());
    is_run_open_ = false;
    from_ = next.from;
    to_ = next.to;
    index_ = next.index;
  }
  // Where padding behind the last object changed.
  void end_last_at(std::uint32_t end) {
    if (out_.list.empty() || end == to_) return;
    const Match last = out_.list.back();
    if (last.n_objects == 1) {
      out_.list.back().object.end = end;
      return;
    }
    const std::uint32_t distance = last.object.start - last.source;
    Match alone;
    alone.object = base_.object(to_ - distance - 1);
    alone.source = alone.object.start;
    alone.object.start += distance;
    alone.object.end = end;
    --out_.list.back().n_objects;
    out_.list.back().object.end = alone.object.start;
    out_.list.push_back(alone);
  }
  // Where a vtable begins, at the cursor or in what was padding, whose table comes behind it; for a table of the
  // baseline.
  std::uint32_t find_vtable_before_table(const Object& object) const {
    if (base_.types()[object.type].kind != Kind::kTable) return kNone;
    for (const std::uint32_t begin : {to_, to_ - 2}) {
      if (begin < new_size_ && table_behind(begin) != kNone) return begin;
    }
    return kNone;
  }
  // The table of the vtable that begins here.
  std::uint32_t table_behind(std::uint32_t vtable) const {
    if (vtable % 2 != 0 || new_size_ - vtable < 8) return kNone;
    const std::uint32_t size = load16(new_ + vtable);
    if (size < 4) return kNone;
    for (std::uint32_t at = (vtable + size + 3) / 4 * 4; at < vtable + size + 8; at += 4) {
      if (at < new_size_ && new_size_ - at >= 4 && load32(new_ + at) == at - vtable) return at;
    }
    return kNone;
  }
  // Whether two tables of a type, with whatever vtables, may be the same one: most fields that both have are equal.
  // What is no table may be.
  bool is_reshaped(const Object& old, const Object& other) const {
    const Type& type = base_.types()[old.type];
    // One vtable may come instead of another only where the baseline does not have it.
    if (type.kind == Kind::kVTable) return old.shape == other.shape || !was_there(other.shape);
    if (type.kind != Kind::kTable || base_.groups[old.type].starts.size() == 1) return true;
    const Shape& a = shapes()[old.shape];
    const Shape& b = shapes()[other.shape];
    std::uint32_t n = 0, n_equal = 0;
    for (const std::uint16_t field : a.present) {
      if (field >= b.offsets.size() || b.offsets[field] == 0) continue;
      if (field < type.fields.size() && type.fields[field].child != kNone) continue;
      const std::size_t width = std::min(a.widths[field], b.widths[field]);
      ++n;
      n_equal += std::memcmp(old_ + old.start + a.offsets[field], new_ + other.start + b.offsets[field], width) == 0;
    }
    return 3 * n_equal >= 2 * n;
  }
  // The vtable of a table of this type, which nobody knew. kNone: it has none.
  std::uint32_t learn(std::uint32_t start, std::uint32_t type) {
    if (start >= new_size_ || new_size_ - start < 4 || schema_->types.size() + shapes().size() >= kMaxTags)
      return kNone;
    const std::uint32_t position = start - load32(new_ + start);
    if (position >= new_size_ || position % 2 != 0 || new_size_ - position < 4) return kNone;
    const std::uint32_t size = load16(new_ + position);
    if (size > new_size_ - position) return kNone;
    work_left_ -= size;
    std::uint32_t n_read = 0;
    std::optional<Shape> shape = read_shape({new_ + position, size}, n_read);
    if (!shape || shape->table_size > new_size_ - start) return kNone;
    if (own_schema_ == nullptr) schema_ = own_schema_ = std::make_shared<Schema>(*base_.schema);
    shape->type = type;
    own_schema_->shapes.push_back(std::move(*shape));
    own_schema_->types[type].shapes.push_back(static_cast<std::uint32_t>(shapes().size() - 1));
    lanes_.emplace_back();
    vtables_.add(*own_schema_, position);
    return static_cast<std::uint32_t>(shapes().size() - 1);
  }
  // Bytes that an object of this type needs at this start, up to `end`; 0: it cannot be there. Sets its shape.
  std::uint32_t core_like(Object& object, std::uint32_t end) {
    const Kind kind = base_.types()[object.type].kind;
    if (kind == Kind::kTable || kind == Kind::kVTable) {
      const std::uint32_t type = shapes()[object.shape].type;
      object.shape = kind == Kind::kTable ? vtables_.shape_of(object.start) : vtables_.at(object.start);
      if (object.shape == kNone && kind == Kind::kTable) object.shape = learn(object.start, type);
      if (object.shape == kNone || shapes()[object.shape].type != type) return 0;
      const Shape& shape = shapes()[object.shape];
      const std::uint32_t core = kind == Kind::kTable ? shape.table_size : shape.size;
      return core <= end - object.start ? core : 0;
    }
    if (kind == Kind::kOther || object.start % 4 != 0) return 0;
    end_ = end;
    return core_of(object.type, object.start);
  }

  Position here() const { return {from_, to_, index_}; }
  void go_back(const Pending& to) {
    from_ = to.from;
    to_ = to.to;
    index_ = to.index;
    out_.list.resize(to.n_matches);
    if (out_.list.empty() || out_.list.back().n_objects == to.n_objects) {
      is_run_open_ = false;
      return;
    }
    Match& last = out_.list.back();
    last.n_objects = to.n_objects;
    last.object.end = to_;
  }
  void go_on_until(const Position& at) {
    while (from_ < at.from) go_on(object_at_cursor(), false);
  }
  bool is_near_end() const {
    constexpr std::uint32_t kNear = 4096;
    return old_size_ - from_ <= kNear && new_size_ - to_ <= kNear;
  }

  struct Table {
    std::uint32_t start;
    std::uint32_t shape;
  };
  // The first pair of tables ahead, and the next one, that are alike. `window`: bytes to look at on both sides.
  std::optional<Position> find_tables(std::uint32_t window) {
    work_left_ -= 2 * std::int64_t{window};
    std::vector<Table> olds, news;
    const std::uint32_t old_end = old_size_ - from_ > window ? from_ + window : old_size_;
    base_.for_each(from_, old_end, [&](const Object& object) {
      if (object.shape != kNone && object.type != 1 && is_telling(object.shape))
        olds.push_back({object.start, object.shape});
    });
    const std::uint32_t new_end = new_size_ - to_ > window ? to_ + window : new_size_;
    for (std::uint32_t at = (to_ + 3) / 4 * 4; at < new_end; at += 4) {
      const std::uint32_t shape = vtables_.shape_of(at);
      if (shape != kNone && is_telling(shape)) news.push_back({at, shape});
    }
    // Rather those that are the same than those that are alike.
    for (const std::uint32_t percent : {0u, std::max(tolerance_, kAlike)}) {
      for (std::size_t sum = 0; sum < std::min(olds.size() + news.size(), kMaxTables); ++sum) {
        for (std::size_t i = 0; i <= sum && i < olds.size(); ++i) {
          const std::size_t j = sum - i;
          if (j >= news.size()) continue;
          work_left_ -= 32;
          if (!is_alike(olds[i], news[j], percent)) continue;
          if (i + 1 < olds.size() && j + 1 < news.size() && !is_alike(olds[i + 1], news[j + 1], percent)) continue;
          return meet(olds[i].start, news[j].start);
        }
      }
    }
    return std::nullopt;
  }
  static constexpr std::size_t kMaxTables = 96;
  // Whether tables with this vtable hold enough to know one again.
  bool is_telling(std::uint32_t shape) { return lanes_of(shape).n_values >= 2; }
  bool is_alike(const Table& a, const Table& b, std::uint32_t percent) {
    if (a.shape != b.shape) return false;
    const Lanes& lanes = lanes_of(a.shape);
    return 100 * n_changed(a.start, b.start, lanes) <= percent * lanes.n_values;
  }
  static constexpr std::uint32_t kAlike = 34;
  // With what is before them, as far as it is the same.
  Position meet(std::uint32_t from, std::uint32_t to) {
    while (from > from_) {
      const Object before = base_.object(from - 1);
      if (before.start < from_ || before.size() > to - to_ || judge(before, to - before.size()) != Verdict::kSame)
        break;
      from = before.start;
      to -= before.size();
    }
    return {from, to, base_.starts.index_of(from)};
  }

  // What is between the cursor and where both go on together becomes matches.
  bool bridge(std::uint32_t from, std::uint32_t to) {
    std::vector<Object> olds, news;
    base_.for_each(from_, from, [&](const Object& object) { olds.push_back(object); });
    n_bridged_ += std::uint64_t{from - from_} + (to - to_);
    if (n_bridged_ > 4096 + (std::uint64_t{old_size_} + new_size_) / 64) return false;
    if (olds.size() > kMaxBetween || !divide(to, olds, news) || news.size() > kMaxBetween) return false;
    work_left_ -= static_cast<std::int64_t>(16 * olds.size() * news.size());
    std::vector<std::uint32_t> sources(news.size(), kNone);  // in olds
    // First what is the same, in order, then the neighbours of what is known.
    for (std::size_t i = 0, next = 0; i < news.size(); ++i) {
      if (news[i].type == 1) continue;
      for (std::size_t k = next; k < olds.size(); ++k) {
        if (!is_same(olds[k], news[i])) continue;
        sources[i] = static_cast<std::uint32_t>(k);
        next = k + 1;
        break;
      }
    }
    place_vtables(olds, news, sources);
    std::vector<bool> is_used(olds.size());
    for (const std::uint32_t source : sources) {
      if (source != kNone) is_used[source] = true;
    }
    const auto pair = [&](std::size_t i, std::size_t k) {
      if (sources[i] != kNone || k >= olds.size() || is_used[k] || !may_be(olds[k], news[i])) return;
      if (olds[k].type == 1) return;
      sources[i] = static_cast<std::uint32_t>(k);
      is_used[k] = true;
    };
    for (std::size_t i = 0; i < news.size(); ++i) {
      if (i == 0) {
        pair(i, 0);
      } else if (sources[i - 1] != kNone && news[i - 1].type != 1) {
        pair(i, sources[i - 1] + std::size_t{1});
      }
    }
    // What tables refer to is behind them, so it goes with what is before.
    for (std::size_t i = news.size(); i-- > 0;) {
      if (base_.types()[news[i].type].kind != Kind::kTable) continue;
      const std::size_t behind = i + 1 == news.size() ? olds.size() : sources[i + 1];
      if (behind != kNone && behind > 0 && (i + 1 == news.size() || news[i + 1].type != 1)) pair(i, behind - 1);
    }
    for (std::size_t i = 0; i < news.size(); ++i) {
      Match match;
      match.object = news[i];
      if (sources[i] != kNone) match.source = olds[sources[i]].start;
      if (sources[i] == kNone) unmatched_.push_back(out_.list.size());
      out_.list.push_back(match);
    }
    if (!news.empty()) is_run_open_ = false;
    for (std::size_t k = 0; k < olds.size(); ++k) {
      if (!is_used[k]) leftovers_.push_back(olds[k]);
    }
    from_ = from;
    to_ = to;
    index_ = from < old_size_ ? base_.starts.index_of(from) : base_.n_objects();
    return true;
  }
  static constexpr std::size_t kMaxBetween = 256;
  // Vtables come where the first table needs them, whatever that is: each between what is known already.
  void place_vtables(const std::vector<Object>& olds, const std::vector<Object>& news,
                     std::vector<std::uint32_t>& sources) {
    std::size_t first = 0;
    for (std::size_t i = 0; i < news.size(); ++i) {
      if (sources[i] != kNone) first = sources[i] + std::size_t{1};
      if (news[i].type != 1) continue;
      std::size_t end = olds.size();
      for (std::size_t behind = i + 1; behind < news.size() && end == olds.size(); ++behind) {
        if (sources[behind] != kNone) end = sources[behind];
      }
      for (std::size_t k = first; k < end && sources[i] == kNone; ++k) {
        if (is_same(olds[k], news[i])) sources[i] = static_cast<std::uint32_t>(k);
      }
      if (sources[i] != kNone) first = sources[i] + std::size_t{1};
    }
  }
  // Whether they hold the same, wherever they are.
  bool is_same(const Object& old, const Object& other) {
    if (old.type != other.type) return false;
    const Type& type = base_.types()[old.type];
    if (type.kind == Kind::kTable) {
      return old.shape == other.shape && std::min(old.size(), other.size()) >= shapes()[old.shape].table_size &&
             n_changed(old.start, other.start, lanes_of(old.shape)) == 0;
    }
    if (type.kind == Kind::kVTable) return old.shape == other.shape;
    if (std::min(old.size(), other.size()) < 4) return false;
    const std::uint32_t count = load32(old_ + old.start);
    if (count != load32(new_ + other.start)) return false;
    if (type.kind == Kind::kReferences) return true;
    const std::uint64_t n = type.kind == Kind::kText ? count : std::uint64_t{type.stride} * count;
    return n + 4 <= std::min(old.size(), other.size()) &&
           std::memcmp(old_ + old.start + 4, new_ + other.start + 4, static_cast<std::size_t>(n)) == 0;
  }

  // --- what is new ----------------------------------------------------------------------------------------

  struct Claim {
    std::uint32_t start;
    std::uint32_t core;  // bytes it needs
    std::uint32_t type;
    std::uint32_t shape;
  };

  // The objects of the target from the cursor to `end`; `olds`: what was there, which tells what to expect. False: they
  // are not all known to be something.
  bool divide(std::uint32_t end, const std::vector<Object>& olds, std::vector<Object>& news) {
    if (to_ == end) return true;
    claims_.clear();
    end_ = end;
    for (std::uint32_t at = (to_ + 3) / 4 * 4; at < end; at += 4) {
      const std::uint32_t shape = vtables_.shape_of(at);
      if (shape != kNone) claims_.push_back({at, shapes()[shape].table_size, shapes()[shape].type, shape});
    }
    for (std::size_t i = claims_.size(); i-- > 0;) claim_children(claims_[i]);
    for (const auto& [position, shape] : vtables_.met()) {
      if (position >= to_ && position < end) claims_.push_back({position, shapes()[shape].size, 1, shape});
    }
    const auto is_before = [](const Claim& a, const Claim& b) { return a.start < b.start; };
    const auto is_equal = [](const Claim& a, const Claim& b) { return a.start == b.start && a.type == b.type; };
    std::sort(claims_.begin(), claims_.end(), is_before);
    claims_.erase(std::unique(claims_.begin(), claims_.end(), is_equal), claims_.end());
    std::size_t old = 0;  // the next that may be in a hole
    const std::vector<Claim> claims = std::move(claims_);
    std::uint32_t at = to_;
    for (std::size_t i = 0; i <= claims.size(); ++i) {
      const std::uint32_t start = i < claims.size() ? claims[i].start : end;
      if (!fill(at, start, olds, old, news)) return false;
      if (i == claims.size()) break;
      if (claims[i].core > end - start) return false;
      news.push_back({start, start + claims[i].core, claims[i].type, claims[i].shape});
      at = start + claims[i].core;
    }
    for (std::size_t i = 0; i < news.size(); ++i) news[i].end = i + 1 < news.size() ? news[i + 1].start : end;
    return !news.empty() && news.front().start == to_;
  }
  void claim_children(const Claim table) {
    for (const auto& [offset, type] : lanes_of(table.shape).references) {
      const std::uint64_t at = std::uint64_t{table.start} + offset + load32(new_ + table.start + offset);
      if (at < to_ || at >= end_ || at % 4 != 0) continue;
      const auto start = static_cast<std::uint32_t>(at);
      const std::uint32_t core = core_of(type, start);
      if (core == 0) continue;
      claims_.push_back({start, core, type, kNone});
      const Type& what = base_.types()[type];
      if (what.kind != Kind::kReferences || what.element == kNone || base_.types()[what.element].kind != Kind::kText)
        continue;
      for (std::uint32_t element = start + 4; element < start + core; element += 4) {
        const std::uint64_t text = std::uint64_t{element} + load32(new_ + element);
        if (text < to_ || text >= end_ || text % 4 != 0) continue;
        const std::uint32_t n = core_of(what.element, static_cast<std::uint32_t>(text));
        if (n != 0) claims_.push_back({static_cast<std::uint32_t>(text), n, what.element, kNone});
      }
    }
  }
  // Bytes that a string or vector of this type needs here; 0: there is none.
  std::uint32_t core_of(std::uint32_t type, std::uint32_t start) const {
    if (end_ - start < 4) return 0;
    const Type& what = base_.types()[type];
    const std::uint64_t count = load32(new_ + start);
    std::uint64_t core = 0;
    switch (what.kind) {
      case Kind::kText: core = 5 + count; break;
      case Kind::kReferences: core = 4 + 4 * count; break;
      case Kind::kData: core = 4 + what.stride * count; break;
      default: return 0;
    }
    if (core > end_ - start || (what.kind == Kind::kText && new_[start + 4 + count] != std::byte{0})) return 0;
    return static_cast<std::uint32_t>(core);
  }
  // Bytes between two objects: padding, or what olds were, in their order.
  bool fill(std::uint32_t at, std::uint32_t end, const std::vector<Object>& olds, std::size_t& old,
            std::vector<Object>& news) {
    if (at > end) return false;
    while (!is_padding(at, end, news.empty())) {
      const std::uint32_t start = (at + 3) / 4 * 4;
      if (start > end) return false;
      std::uint32_t core = 0;
      Object like;
      for (std::size_t tries = olds.size(); tries > 0 && core == 0; --tries) {
        if (old == olds.size()) old = 0;
        like = olds[old++];
        if (like.start == 0 || base_.types()[like.type].kind == Kind::kTable) continue;
        like.start = like.type == 1 ? at : start;
        core = core_like(like, end);
      }
      if (core != 0) {
        like.end = like.start + core;
        news.push_back(like);
      } else {
        // The vtable of the table that follows, the only one that has it.
        const std::uint32_t shape = vtables_.at(at);
        if (shape == kNone || shapes()[shape].size > end - at) return false;
        core = shapes()[shape].size;
        news.push_back({at, at + core, 1, shape});
      }
      at = news.back().end;
    }
    return true;
  }
  bool is_padding(std::uint32_t at, std::uint32_t end, bool is_first) const {
    if (end - at >= 8 || (is_first && at < end)) return false;
    return std::all_of(new_ + at, new_ + end, [](std::byte byte) { return byte == std::byte{0}; });
  }
  // Whether a vtable is one of the baseline's.
  bool was_there(std::uint32_t shape) const { return shape < base_.shapes().size() && plan_.has_vtable(shape); }
  // Whether one could have become the other where it is.
  bool may_be(const Object& old, const Object& other) {
    if (old.type != other.type) return false;
    if (base_.types()[old.type].kind != Kind::kTable || old.shape != other.shape) return is_reshaped(old, other);
    return is_alike({old.start, old.shape}, {other.start, other.shape}, std::max(tolerance_, kAlike));
  }

  // What went from one place to another: that which is the same as one only, then what is alike, and their neighbours.
  void match_leftovers() {
    if (unmatched_.size() > kMaxLeftovers || leftovers_.size() > kMaxLeftovers) return;
    for (const bool may_differ : {false, true}) {
      for (const std::size_t i : unmatched_) {
        Match& match = out_.list[i];
        if (match.source != kNone) continue;
        Object* only = nullptr;
        std::size_t n = 0;
        for (Object& old : leftovers_) {
          if (old.start == kNone) continue;
          const bool is_table = base_.types()[old.type].kind == Kind::kTable;
          if (may_differ ? is_table && may_be(old, match.object) : is_same(old, match.object)) ++n, only = &old;
        }
        if (n != 1) continue;
        match.source = only->start;
        match.is_in_order = false;
        only->start = kNone;
      }
      match_neighbours();
    }
    // New vtables are made of old ones, whatever they were.
    for (const std::size_t i : unmatched_) {
      Match& match = out_.list[i];
      if (match.source != kNone || match.object.type != 1 || was_there(match.object.shape)) continue;
      const auto old = std::find_if(leftovers_.begin(), leftovers_.end(),
                                    [](const Object& each) { return each.start != kNone && each.type == 1; });
      if (old == leftovers_.end()) break;
      match.source = old->start;
      match.is_in_order = false;
      old->start = kNone;
    }
  }
  // Whether a table may have become another one elsewhere: among few objects it pays to look closer.
  bool are_tables_left() const {
    const auto is_table = [&](std::uint32_t type) { return base_.types()[type].kind == Kind::kTable; };
    return std::any_of(
               unmatched_.begin(), unmatched_.end(),
               [&](std::size_t i) { return out_.list[i].source == kNone && is_table(out_.list[i].object.type); }) &&
           std::any_of(leftovers_.begin(), leftovers_.end(),
                       [&](const Object& old) { return old.start != kNone && is_table(old.type); });
  }
  static constexpr std::uint32_t kFew = 1024;
  // Of what was matched to a leftover.
  void match_neighbours() {
    const auto try_leftover = [&](std::size_t i, std::uint32_t source) {
      for (Object& old : leftovers_) {
        if (old.start != source || !may_be(old, out_.list[i].object)) continue;
        out_.list[i].source = source;
        out_.list[i].is_in_order = false;
        old.start = kNone;
      }
    };
    for (const std::size_t i : unmatched_) {
      if (out_.list[i].source != kNone || i == 0 || out_.list[i - 1].is_in_order) continue;
      const std::uint32_t behind = base_.starts.next(out_.list[i - 1].source);
      if (behind < old_size_) try_leftover(i, behind);
    }
    for (std::size_t k = unmatched_.size(); k-- > 0;) {
      const std::size_t i = unmatched_[k];
      if (out_.list[i].source != kNone || i + 1 == out_.list.size() || out_.list[i + 1].is_in_order) continue;
      const std::uint32_t source = out_.list[i + 1].source;
      if (source > 0) try_leftover(i, base_.starts.begin_of(source - 1));
    }
  }
  static constexpr std::size_t kMaxLeftovers = 64;
  static constexpr std::size_t kMaxVtables = 4096;

  const Arrangement& plan_;
  const Structure& base_;
  const std::byte* old_;
  const std::byte* new_;
  std::uint32_t old_size_;
  std::uint32_t new_size_;
  std::shared_ptr<const Schema> schema_;  // the baseline's until a vtable is learnt
  std::shared_ptr<Schema> own_schema_;    // then the same as this
  Vtables vtables_;
  std::deque<Lanes> lanes_;     // [shapes]; they stay where they are
  std::vector<Common> common_;  // [tags]
  Matches out_;
  // The cursor: a start in the baseline and its index, and a place in the target.
  std::uint32_t from_ = 0;
  std::uint32_t to_ = 0;
  std::uint32_t index_ = 0;
  bool is_run_open_ = false;      // the last match may be gone on with
  std::vector<Pending> pending_;  // the changed ones since the last one that was the same
  std::uint32_t tolerance_ = 25;  // percent of the values of a table that may change
  std::uint32_t n_partings_ = 0;
  std::uint64_t n_bridged_ = 0;  // bytes between parting and meeting, of both sides
  int n_in_vain_ = 0;            // searches because of strange ones that found nothing
  std::int64_t work_left_ = 0;
  bool is_still_ = false;  // the last table's vtable is as far away as it was
  // Both are equal from ... to ..., positions in the baseline, at this distance.
  std::uint32_t seen_distance_ = 0;
  std::uint32_t same_from_ = 1;
  std::uint32_t same_until_ = 0;
  // Between parting and meeting.
  std::vector<Claim> claims_;
  std::uint32_t end_ = 0;
  std::vector<std::size_t> unmatched_;  // in out_.list
  std::vector<Object> leftovers_;       // of the baseline
};

}  // namespace

std::optional<Matches> align(const Structure& base, BytesView baseline, BytesView target) {
  if (base.is_mixed) return std::nullopt;
  const Arrangement plan(base, baseline, static_cast<std::uint32_t>(target.size()));
  return Aligner(plan, target).run();
}

}  // namespace libsync::codec
