#include "codec/matcher.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <utility>

#include "codec/increasing.h"

namespace libsync::codec {
namespace {

constexpr std::uint32_t kMany = 0xfffffffe;  // no single one

std::vector<Object> objects_of(const Structure& structure) {
  std::vector<Object> objects;
  objects.reserve(structure.n_objects());
  structure.for_each(0, structure.size_bytes, [&](const Object& object) { objects.push_back(object); });
  return objects;
}

std::uint64_t hash_of(const std::byte* bytes, std::size_t size, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, size, seed);
}

class Matcher {
 public:
  Matcher(const Structure& base, BytesView baseline, const Structure& target, BytesView bytes)
      : base_(base),
        baseline_(baseline),
        target_(target),
        bytes_(bytes),
        old_objects_(objects_of(base)),
        objects_(objects_of(target)) {}

  Matches run(bool is_followed) {
    if (is_followed) {
      types_.resize(target_.types().size());
      std::iota(types_.begin(), types_.end(), 0u);
    } else {
      map_types();
    }
    map_shapes();
    find_sources();
    Matches matches;
    matches.list.reserve(n_target());
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      Match& match = matches.list.emplace_back();
      match.object = objects_[i];
      match.object.type = type_of(i);
      if (sources_[i] != kNone) match.source = old_objects_[sources_[i]].start;
    }
    find_order(matches.list);
    matches.schema = target_.schema;
    matches.is_mixed = target_.is_mixed;
    matches.same_shape = std::move(same_shape_);
    return matches;
  }

 private:
  std::uint32_t n_base() const { return static_cast<std::uint32_t>(old_objects_.size()); }
  std::uint32_t n_target() const { return static_cast<std::uint32_t>(objects_.size()); }
  // Type in the baseline of an object of the target, or kNone.
  std::uint32_t type_of(std::uint32_t object) const { return types_[objects_[object].type]; }
  static std::uint32_t size_of(const Object& object) { return object.size(); }

  // The types that are reached by the same fields from the root.
  void map_types() {
    types_.assign(target_.types().size(), kNone);
    types_[0] = 0;
    types_[1] = 1;
    if (!base_.is_flatbuffer || !target_.is_flatbuffer) return;
    const auto root = [](const Structure& structure, BytesView bytes) {
      const std::uint32_t at = load32(bytes.data());
      return at < bytes.size() ? structure.object(at).type : kNone;
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
        // Types may share a vtable's content, but not a vtable.
        if (target_.schema == base_.schema ||
            (types_[type] == type && shape < base_.shapes().size() && base_.shapes()[shape].type == type &&
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
    const Object& mine = objects_[object_index];
    const Object& other = old_objects_[source];
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
  std::uint64_t content_hash(const Structure& structure, const std::byte* bytes, const Object& object,
                             std::uint32_t type) {
    const Type& own = structure.types()[object.type];
    const std::byte* at = bytes + object.start;
    const std::uint32_t size = object.size();
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
    return !is_used_[source] && type_of(object) == old_objects_[source].type;
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
      if (!is_used_[i])
        note(seen[content_hash(base_, baseline_.data(), old_objects_[i], old_objects_[i].type)].in_base, i);
    }
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] != kNone || type_of(i) == kNone) continue;
      note(seen[content_hash(target_, bytes_.data(), objects_[i], type_of(i))].in_target, i);
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
      const std::vector<std::uint32_t>& starts = base_.groups[type_of(i)].starts;
      if (starts.size() != 1) continue;
      const std::uint32_t source = base_.starts.index_of(starts[0]);
      if (can_be(i, source)) set(i, source);
    }
  }
  static constexpr std::uint32_t kLookAhead = 24;
  static constexpr std::uint32_t kAgreement = 3;

  // Which come in the order of their sources: as many as can.
  static void find_order(std::vector<Match>& matches) {
    std::vector<std::uint32_t> values;
    bool is_sorted = true;
    for (const Match& match : matches) {
      if (match.source == kNone) continue;
      is_sorted = is_sorted && (values.empty() || match.source > values.back());
      values.push_back(match.source);
    }
    if (is_sorted) return;
    const std::vector<bool> is_increasing = increasing(values);
    std::size_t next = 0;
    for (Match& match : matches) {
      if (match.source != kNone) match.is_in_order = is_increasing[next++];
    }
  }

  const Structure& base_;
  BytesView baseline_;
  const Structure& target_;
  BytesView bytes_;
  std::vector<Object> old_objects_;        // of the baseline
  std::vector<Object> objects_;            // of the target
  std::vector<std::uint32_t> types_;       // of the target: the baseline's, or kNone
  std::vector<std::uint32_t> same_shape_;  // [shapes of the target] the baseline's, or kNone
  std::vector<Values> values_;             // [shapes of the baseline]
  std::vector<std::uint32_t> sources_;     // [objects of the target]
  std::vector<bool> is_used_;              // [objects of the baseline]
  Bytes gathered_;
};

}  // namespace

Matches match(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
              bool is_followed) {
  return Matcher(base, baseline, target_structure, target).run(is_followed);
}

}  // namespace libsync::codec
