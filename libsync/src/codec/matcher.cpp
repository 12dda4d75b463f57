#include "codec/matcher.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

namespace libsync::codec {
namespace {

constexpr std::uint32_t kMany = 0xfffffffe;  // no single one

std::uint64_t hash_of(const std::byte* bytes, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

// Longest strictly increasing subsequence of `values`, as flags.
std::vector<bool> increasing(const std::vector<std::uint32_t>& values) {
  std::vector<std::uint32_t> tails, previous(values.size(), kNone);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const auto at = std::lower_bound(tails.begin(), tails.end(), values[i],
                                     [&](std::uint32_t t, std::uint32_t v) { return values[t] < v; });
    if (at != tails.begin()) previous[i] = *(at - 1);
    if (at == tails.end()) {
      tails.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<bool> is_in(values.size());
  for (std::uint32_t i = tails.empty() ? kNone : tails.back(); i != kNone; i = previous[i]) is_in[i] = true;
  return is_in;
}

class Matcher {
 public:
  Matcher(const Structure& base, BytesView baseline, const Structure& target, BytesView bytes, Arrangement& plan)
      : base_(base), baseline_(baseline), target_(target), bytes_(bytes), plan_(plan) {}

  Wishes run(bool is_followed) {
    if (is_followed) {
      types_.resize(target_.types().size());
      std::iota(types_.begin(), types_.end(), 0u);
    } else {
      map_types();
    }
    map_shapes();
    find_sources();
    return make_wishes();
  }

 private:
  std::uint32_t n_base() const { return static_cast<std::uint32_t>(base_.objects.size()); }
  std::uint32_t n_target() const { return static_cast<std::uint32_t>(target_.objects.size()); }
  // Type in the baseline of an object of the target, or kNone.
  std::uint32_t type_of(std::uint32_t object) const { return types_[target_.objects[object].type]; }
  static std::uint32_t size_of(const Object& object) { return object.end - object.start; }

  // The types that are reached by the same fields from the root.
  void map_types() {
    types_.assign(target_.types().size(), kNone);
    types_[0] = 0;
    types_[1] = 1;
    if (!base_.is_flatbuffer || !target_.is_flatbuffer) return;
    const auto root = [](const Structure& structure, BytesView bytes) {
      const std::uint32_t at = load32(bytes.data());
      return at < bytes.size() ? structure.objects[structure.object_at(at)].type : kNone;
    };
    std::vector<std::pair<std::uint32_t, std::uint32_t>> pairs{{root(target_, bytes_), root(base_, baseline_)}};
    while (!pairs.empty()) {
      const auto [mine, theirs] = pairs.back();
      pairs.pop_back();
      if (mine == kNone || theirs == kNone || types_[mine] != kNone) continue;
      const Type& a = target_.types()[mine];
      const Type& b = base_.types()[theirs];
      if (a.kind != b.kind) continue;
      types_[mine] = theirs;
      for (std::size_t i = std::min(a.fields.size(), b.fields.size()); i-- > 0;) {
        pairs.emplace_back(a.fields[i].child, b.fields[i].child);
      }
      pairs.emplace_back(a.element, b.element);
    }
  }

  // The baseline's vtables, as far as they are the same.
  void map_shapes() {
    same_shape_.assign(target_.shapes().size(), kNone);
    for (std::uint32_t type = 0; type < target_.types().size(); ++type) {
      if (types_[type] == kNone) continue;
      const std::vector<std::uint32_t>& known = base_.types()[types_[type]].shapes;
      for (const std::uint32_t shape : target_.types()[type].shapes) {
        if (target_.schema == base_.schema || (types_[type] == type && shape < base_.shapes().size() &&
                                               is_same(target_.shapes()[shape], base_.shapes()[shape]))) {
          same_shape_[shape] = shape;
          continue;
        }
        for (const std::uint32_t each : known) {
          if (is_same(target_.shapes()[shape], base_.shapes()[each])) same_shape_[shape] = each;
        }
      }
    }
  }
  static bool is_same(const Shape& a, const Shape& b) {
    return a.size == b.size && a.table_size == b.table_size && a.offsets == b.offsets;
  }

  // --- what belongs together ------------------------------------------------------------------------------

  // Ranges of a shape's tables that are values, not references.
  struct Values {
    bool is_known = false;
    std::vector<std::pair<std::uint16_t, std::uint16_t>> ranges;  // offset, size
  };
  const Values& values_of(std::uint32_t shape_index, const Type& type) {
    Values& values = values_[shape_index];
    if (values.is_known) return values;
    values.is_known = true;
    const Shape& shape = base_.shapes()[shape_index];
    std::vector<std::pair<std::uint32_t, std::uint32_t>> references{{0, 4}};
    for (const std::uint32_t field : shape.present) {
      if (field < type.fields.size() && type.fields[field].child != kNone)
        references.emplace_back(shape.offsets[field],
                                shape.offsets[field] + std::min<std::uint32_t>(4, shape.widths[field]));
    }
    std::sort(references.begin(), references.end());
    std::uint32_t at = 0;
    references.emplace_back(shape.table_size, shape.table_size);
    for (const auto& [begin, end] : references) {
      if (begin > at)
        values.ranges.emplace_back(static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(begin - at));
      at = std::max(at, end);
    }
    return values;
  }
  // Whether the two are the same but for their places.
  bool is_equal(std::uint32_t object_index, std::uint32_t source) {
    const RankedObject& mine = target_.objects[object_index];
    const RankedObject& other = base_.objects[source];
    if (types_[mine.type] != other.type) return false;
    const std::uint32_t size = size_of(mine);
    const std::byte* a = bytes_.data() + mine.start;
    const std::byte* b = baseline_.data() + other.start;
    const Type& type = base_.types()[other.type];
    switch (type.kind) {
      case Kind::kTable: {
        if (same_shape_[mine.shape] != other.shape) return false;
        if (std::min(size, size_of(other)) < base_.shapes()[other.shape].table_size) return false;
        const Values& values = values_of(other.shape, type);
        return std::all_of(values.ranges.begin(), values.ranges.end(), [&](const auto& range) {
          return std::memcmp(a + range.first, b + range.first, range.second) == 0;
        });
      }
      case Kind::kVTable: return same_shape_[mine.shape] == other.shape;
      case Kind::kReferences: return std::min(size, size_of(other)) >= 4 && load32(a) == load32(b);
      case Kind::kText: {
        const std::uint32_t least = std::min(size, size_of(other));
        if (least < 5) return false;
        const std::uint32_t length = load32(a);
        return length <= least - 5 && std::memcmp(a, b, 4 + std::size_t{length}) == 0;
      }
      case Kind::kData: {
        const std::uint64_t core = size < 4 ? size : 4 + std::uint64_t{type.stride} * load32(a);
        return core <= std::min(size, size_of(other)) && std::memcmp(a, b, static_cast<std::size_t>(core)) == 0;
      }
      case Kind::kOther: return (mine.start == 0) == (other.start == 0);
    }
    return false;
  }

  // The same for objects that differ only in places.
  std::uint64_t content_hash(const Structure& structure, const std::byte* bytes, std::uint32_t index,
                             std::uint32_t type) {
    const Object& object = structure.object(index);
    const Type& own = structure.types()[structure.objects[index].type];
    const std::byte* at = bytes + object.start;
    const std::uint32_t size = object.end - object.start;
    switch (own.kind) {
      case Kind::kTable: {
        const Shape& shape = structure.shapes()[object.shape];
        gathered_.clear();
        for (const std::uint32_t field : shape.present) {
          const std::uint32_t offset = shape.offsets[field];
          if (offset >= size) continue;
          gathered_.push_back(static_cast<std::byte>(field));
          if (field < own.fields.size() && own.fields[field].child != kNone) continue;
          std::uint32_t width = std::min<std::uint32_t>(shape.widths[field], size - offset);
          while (width > 0 && at[offset + width - 1] == std::byte{0}) --width;
          gathered_.insert(gathered_.end(), at + offset, at + offset + width);
        }
        return hash_of(gathered_.data(), gathered_.size(), type);
      }
      case Kind::kText: return hash_of(at, std::min(size, 4 + load32(at)), type);
      case Kind::kVTable:
        return hash_of(at, std::min<std::uint32_t>(size, structure.shapes()[object.shape].size), type);
      case Kind::kReferences: return hash_of(at, 4, type);
      case Kind::kData: {
        const std::uint64_t core = size < 4 ? size : 4 + std::uint64_t{own.stride} * load32(at);
        return hash_of(at, static_cast<std::size_t>(std::min<std::uint64_t>(size, core)), type);
      }
      case Kind::kOther: return type;
    }
    return 0;
  }

  void set(std::uint32_t object, std::uint32_t source) {
    sources_[object] = source;
    is_used_[source] = true;
  }
  bool can_be(std::uint32_t object, std::uint32_t source) const {
    return !is_used_[source] && type_of(object) == base_.objects[source].type;
  }

  // Pairs equal objects in order, from the front. Where the two differ it looks a little ahead for where they agree
  // again, and where they do not, leaves the rest.
  struct Reached {
    std::uint32_t object = 0, source = 0;
  };
  void walk_from_front() {
    Reached at;
    while (at.object < n_target() && at.source < n_base()) {
      if (is_equal(at.object, at.source)) {
        set(at.object++, at.source++);
        continue;
      }
      const std::optional<Reached> next = find_agreement(at);
      if (!next) break;
      at = *next;
    }
  }
  // Where the next three objects agree, at the price of the fewest that are left out.
  std::optional<Reached> find_agreement(const Reached& from) {
    for (std::uint32_t n = 1; n <= 2 * kLookAhead; ++n) {
      // As many on both sides first: something changed, and nothing came or went.
      for (std::uint32_t k = 0; k <= n; ++k) {
        const std::uint32_t half = n / 2, more = k % 2 == 0 ? half + k / 2 : half - (k + 1) / 2;
        if (more > n) continue;
        const Reached at{from.object + more, from.source + n - more};
        if (agrees(at)) return at;
      }
    }
    return std::nullopt;
  }
  bool agrees(const Reached& at) {
    if (at.object > n_target() || at.source > n_base()) return false;
    for (std::uint32_t i = 0; i < kAgreement; ++i) {
      if (at.object + i == n_target() || at.source + i == n_base())
        return i > 0 && at.object + i == n_target() && at.source + i == n_base();
      if (!is_equal(at.object + i, at.source + i)) return false;
    }
    return true;
  }
  void find_sources() {
    sources_.assign(n_target(), kNone);
    is_used_.assign(n_base(), false);
    values_.resize(base_.shapes().size());
    walk_from_front();
    match_by_content();
    match_neighbours();
  }

  // What is left, by what it holds: that which occurs once on both sides is the same.
  void match_by_content() {
    struct Seen {
      std::uint32_t in_base = kNone, in_target = kNone;
    };
    std::unordered_map<std::uint64_t, Seen> seen;
    const auto note = [](std::uint32_t& which, std::uint32_t index) { which = which == kNone ? index : kMany; };
    for (std::uint32_t i = 0; i < n_base(); ++i) {
      if (!is_used_[i]) note(seen[content_hash(base_, baseline_.data(), i, base_.objects[i].type)].in_base, i);
    }
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] != kNone || type_of(i) == kNone) continue;
      note(seen[content_hash(target_, bytes_.data(), i, type_of(i))].in_target, i);
    }
    for (const auto& [hash, both] : seen) {
      if (both.in_target < kMany && both.in_base < kMany && can_be(both.in_target, both.in_base))
        set(both.in_target, both.in_base);
    }
  }

  // Then the neighbours of what is known: first those with equal content, then any of the same type.
  void match_neighbours() {
    for (const bool any : {false, true}) {
      bool is_any_left = false;
      for (std::uint32_t i = 1; i < n_target(); ++i) {
        if (sources_[i] != kNone) continue;
        is_any_left = true;
        if (sources_[i - 1] == kNone) continue;
        const std::uint32_t source = sources_[i - 1] + 1;
        if (source < n_base() && can_be(i, source) && (any || is_equal(i, source))) set(i, source);
      }
      if (!is_any_left) return;
      for (std::uint32_t i = n_target(); i-- > 1;) {
        if (sources_[i - 1] != kNone || sources_[i] == kNone || sources_[i] == 0) continue;
        const std::uint32_t source = sources_[i] - 1;
        if (can_be(i - 1, source) && (any || is_equal(i - 1, source))) set(i - 1, source);
      }
    }
    // What is alone in its type on both sides.
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] != kNone || type_of(i) == kNone) continue;
      const std::vector<Object>& objects = base_.groups[type_of(i)].objects;
      if (objects.size() != 1) continue;
      const std::uint32_t source = base_.object_at(objects[0].start);
      if (can_be(i, source)) set(i, source);
    }
  }
  static constexpr std::uint32_t kLookAhead = 24;
  static constexpr std::uint32_t kAgreement = 3;

  // --- how to say it --------------------------------------------------------------------------------------

  // Which objects of the target come in the order of their sources.
  std::vector<bool> find_order() const {
    std::vector<bool> in_order(n_target());
    std::uint32_t last = 0;
    bool is_sorted = true;
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] == kNone) continue;
      is_sorted = is_sorted && sources_[i] >= last;
      last = sources_[i];
      in_order[i] = true;
    }
    if (is_sorted) return in_order;
    std::vector<std::uint32_t> values, owners;
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] == kNone) continue;
      values.push_back(sources_[i]);
      owners.push_back(i);
    }
    const std::vector<bool> is_increasing = increasing(values);
    for (std::size_t i = 0; i < owners.size(); ++i) in_order[owners[i]] = is_increasing[i];
    return in_order;
  }

  Wishes make_wishes() {
    const std::vector<bool> in_order = find_order();
    std::vector<std::uint32_t> last_source(base_.types().size(), kNone);
    Wishes wishes;
    wishes.list.reserve(n_target());
    plan_.placed.reserve(n_target());
    for (std::uint32_t i = n_target(); i-- > 0;) {
      const RankedObject& object = target_.objects[i];
      const std::uint32_t type = type_of(i);
      Wish wish;
      wish.source = sources_[i];
      if (wish.source != kNone) {
        wish.how = in_order[i] ? Wish::How::kInOrder : Wish::How::kJump;
      } else if (type != kNone && type != 0) {
        wish.how = Wish::How::kFresh;
        if (!wishes.list.empty() && wishes.list.back().how == Wish::How::kFresh && wishes.list.back().source > 0 &&
            base_.objects[wishes.list.back().source - 1].type == type) {
          wish.source = wishes.list.back().source - 1;
        } else if (last_source[type] != kNone) {
          wish.source = last_source[type];
        } else if (!base_.groups[type].objects.empty()) {
          wish.source = base_.object_at(base_.groups[type].objects.back().start);
        }
      }
      Placed placed;
      if (!is_fresh_or_none(wish) && is_as_before(object, wish.source, placed)) {
        plan_.push(placed);
        last_source[type] = wish.source;
        wishes.list.push_back(wish);
        continue;
      }
      const bool is_fresh = wish.how == Wish::How::kFresh;
      overrides_ = Overrides{};
      const bool is_placed = wish.source != kNone && describe(object, i, wish.source) &&
                             plan_.place(wish.source, is_fresh, overrides_, object.end, placed) &&
                             pad(object, wish.source, is_fresh, placed);
      if (!is_placed) {
        put_raw(object, wishes);
        continue;
      }
      plan_.push(placed);
      last_source[type] = wish.source;
      if (overrides_.any()) {
        wish.overrides = static_cast<std::uint32_t>(wishes.overrides.size());
        wishes.overrides.push_back(std::move(overrides_));
      }
      wishes.list.push_back(wish);
    }
    return wishes;
  }
  static bool is_fresh_or_none(const Wish& wish) { return wish.source == kNone || wish.how == Wish::How::kFresh; }
  // Whether the object is where place() would put its source without any override; most are, and this is quicker.
  bool is_as_before(const RankedObject& object, std::uint32_t source_index, Placed& placed) const {
    const RankedObject& source = base_.objects[source_index];
    const std::uint32_t size = size_of(object);
    // Equally far from the multiples of 8 on both sides.
    if (size != size_of(source) || (object.end - source.end) % 8 != 0) return false;
    const Type& type = base_.types()[source.type];
    std::uint64_t core = 0;
    bool is_aligned = false;
    placed.count = 0;
    if (type.kind == Kind::kTable) {
      if (same_shape_[object.shape] != source.shape) return false;
      core = base_.shapes()[source.shape].table_size;
    } else if (type.kind == Kind::kText || type.kind == Kind::kData) {
      if (size < 4) return false;
      placed.count = load32(bytes_.data() + object.start);
      if (placed.count != load32(baseline_.data() + source.start)) return false;
      core = type.kind == Kind::kText ? std::uint64_t{5} + placed.count : 4 + std::uint64_t{type.stride} * placed.count;
      is_aligned = type.is_aligned;
    } else {
      return false;
    }
    if (core > object.end) return false;
    const std::uint32_t start = object.end - static_cast<std::uint32_t>(core);
    if ((is_aligned && start >= 4 ? (start + 4) / 8 * 8 - 4 : start / 4 * 4) != object.start) return false;
    placed.start = object.start;
    placed.end = object.end;
    placed.type = source.type;
    placed.shape = source.shape;
    placed.source = source_index;
    return true;
  }
  // Neighbouring raw bytes are one object.
  void put_raw(const Object& object, Wishes& wishes) {
    if (!wishes.list.empty() && wishes.list.back().how == Wish::How::kRaw) {
      plan_.placed.back().start = object.start;
      return;
    }
    Placed placed;
    placed.start = object.start;
    placed.end = object.end;
    plan_.push(placed);
    wishes.list.push_back({kNone, kNone, Wish::How::kRaw});
  }

  // What is other than the arrangement would expect. False: it cannot be said.
  bool describe(const RankedObject& object, std::uint32_t index, std::uint32_t source_index) {
    const std::uint32_t type = type_of(index), size = size_of(object);
    const std::byte* at = bytes_.data() + object.start;
    const RankedObject& source = base_.objects[source_index];
    Overrides& overrides = overrides_;
    switch (base_.types()[type].kind) {
      case Kind::kOther: return true;
      case Kind::kVTable: {
        if (size < target_.shapes()[object.shape].size) return false;
        if (same_shape_[object.shape] == source.shape) return true;
        // The new ones are named in their order.
        if (n_fresh_vtables_ >= plan_.fresh_shapes.size()) return false;
        const std::uint32_t next = plan_.fresh_shapes[n_fresh_vtables_];
        if (!is_same(plan_.shapes()[next], target_.shapes()[object.shape])) return false;
        ++n_fresh_vtables_;
        overrides.reshapes = true;
        overrides.shape = next;
        return true;
      }
      case Kind::kTable: {
        const Shape& shape = target_.shapes()[object.shape];
        if (size < shape.table_size) return false;
        std::uint32_t& same = same_shape_[object.shape];
        if (same == plan_.expected_shape(source_index, object.end)) return true;
        overrides.reshapes = true;
        overrides.adds_shape = same == kNone;
        if (same == kNone) {
          Shape added;
          added.size = shape.size;
          added.table_size = shape.table_size;
          added.offsets = shape.offsets;
          added.widths = shape.widths;
          added.present = shape.present;
          same = plan_.add_shape(type, std::move(added));
        }
        overrides.shape = same;
        return true;
      }
      case Kind::kText: {
        if (size < 5) return false;
        overrides.count = load32(at);
        overrides.resizes = overrides.count != plan_.old_count(source);
        return overrides.count <= size - 5;
      }
      case Kind::kReferences: {
        if (size < 4) return false;
        overrides.count = load32(at);
        overrides.resizes = overrides.count != plan_.expected_count(source_index);
        return overrides.count <= (size - 4) / 4;
      }
      case Kind::kData: {
        if (size < 4) return false;
        const std::uint32_t count = load32(at), old_count = plan_.old_count(source);
        if (count == old_count) return true;
        overrides.resizes = true;
        overrides.splices = splice(base_.types()[type].stride, baseline_.data() + source.start + 4, old_count,
                                   size_of(source) - 4, at + 4, count, size - 4);
        return true;
      }
    }
    return false;
  }
  // The padding that is left to say. False: it would be negative.
  bool pad(const Object& object, std::uint32_t source, bool is_fresh, Placed& placed) {
    if (placed.start == object.start) return true;
    // How far from where it would be without padding.
    overrides_.pads = true;
    overrides_.padding = 0;
    if (!plan_.place(source, is_fresh, overrides_, object.end, placed) || placed.start < object.start) return false;
    if (placed.start == object.start) return true;
    overrides_.padding = placed.start - object.start;
    return plan_.place(source, is_fresh, overrides_, object.end, placed) && placed.start == object.start;
  }

  // Which elements came and went: those that occur once on both sides stay, in order.
  static std::vector<Splice> splice(std::uint32_t stride, const std::byte* old_bytes, std::uint32_t old_count,
                                    std::uint32_t old_room, const std::byte* bytes, std::uint32_t count,
                                    std::uint32_t room) {
    std::vector<Splice> splices;
    if (stride == 0 || std::uint64_t{stride} * old_count > old_room || std::uint64_t{stride} * count > room)
      return splices;
    std::uint32_t head = 0, tail = 0;
    const std::uint32_t most = std::min(old_count, count);
    const auto same = [&](std::uint32_t a, std::uint32_t b) {
      return std::memcmp(old_bytes + std::size_t{a} * stride, bytes + std::size_t{b} * stride, stride) == 0;
    };
    while (head < most && same(head, head)) ++head;
    while (tail < most - head && same(old_count - 1 - tail, count - 1 - tail)) ++tail;
    std::unordered_map<std::uint64_t, std::pair<std::uint32_t, std::uint32_t>> seen;
    const auto note = [](std::uint32_t& which, std::uint32_t index) { which = which == kNone ? index : kMany; };
    const auto entry = [&](const std::byte* from, std::uint32_t i) -> auto& {
      return seen.try_emplace(hash_of(from + std::size_t{i} * stride, stride, 0), kNone, kNone).first->second;
    };
    for (std::uint32_t i = head; i < old_count - tail; ++i) note(entry(old_bytes, i).first, i);
    for (std::uint32_t i = head; i < count - tail; ++i) note(entry(bytes, i).second, i);
    std::vector<std::uint32_t> olds, news;
    for (std::uint32_t i = head; i < count - tail; ++i) {
      const auto& [old_index, new_index] = entry(bytes, i);
      if (new_index != i || old_index >= kMany) continue;
      olds.push_back(old_index);
      news.push_back(i);
    }
    const std::vector<bool> stays = increasing(olds);
    std::uint32_t old_at = 0, at = 0, copied = 0;
    // Up to an element that both have: as many as on both sides were changed, the rest came or went.
    const auto up_to = [&](std::uint32_t old_to, std::uint32_t to) {
      const std::uint32_t old_n = old_to - old_at, n = to - at, both = std::min(old_n, n);
      if (old_n != n) {
        splices.push_back({copied + both, old_n - both, n - both});
        copied = 0;
      } else {
        copied += both;
      }
      old_at = old_to;
      at = to;
    };
    up_to(head, head);
    for (std::size_t i = 0; i < olds.size(); ++i) {
      if (!stays[i]) continue;
      up_to(olds[i], news[i]);
      up_to(olds[i] + 1, news[i] + 1);
    }
    up_to(old_count - tail, count - tail);
    return splices;
  }

  const Structure& base_;
  BytesView baseline_;
  const Structure& target_;
  BytesView bytes_;
  Arrangement& plan_;
  std::vector<std::uint32_t> types_;       // of the target: the baseline's, or kNone
  std::vector<std::uint32_t> same_shape_;  // [shapes of the target] the arrangement's, once known
  std::vector<Values> values_;             // [shapes of the baseline]
  std::vector<std::uint32_t> sources_;     // [objects of the target]
  std::vector<bool> is_used_;              // [objects of the baseline]
  std::size_t n_fresh_vtables_ = 0;
  Overrides overrides_;  // of the object at hand
  Bytes gathered_;
};

}  // namespace

Wishes match(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
             bool is_followed, Arrangement& plan) {
  return Matcher(base, baseline, target_structure, target, plan).run(is_followed);
}

}  // namespace libsync::codec
