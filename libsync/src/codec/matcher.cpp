#include "codec/matcher.h"

#include <xxhash.h>

#include <algorithm>
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
  Matcher(const Structure& base, BytesView baseline, const Structure& target, BytesView bytes)
      : base_(base), baseline_(baseline), target_(target), bytes_(bytes) {}

  std::vector<Wish> run() {
    map_types();
    find_sources();
    return make_wishes();
  }

 private:
  std::uint32_t n_base() const { return static_cast<std::uint32_t>(base_.objects.size()); }
  std::uint32_t n_target() const { return static_cast<std::uint32_t>(target_.objects.size()); }
  // Type in the baseline of an object of the target, or kNone.
  std::uint32_t type_of(std::uint32_t object) const { return types_[target_.objects[object].type]; }

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

  // --- what belongs together ------------------------------------------------------------------------------

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

  void find_sources() {
    sources_.assign(n_target(), kNone);
    is_used_.assign(n_base(), false);
    std::vector<std::uint64_t> base_hashes(n_base()), hashes(n_target());
    struct Seen {
      std::uint32_t in_base = kNone, in_target = kNone;
    };
    std::unordered_map<std::uint64_t, Seen> seen(n_base());
    const auto note = [](std::uint32_t& which, std::uint32_t index) { which = which == kNone ? index : kMany; };
    for (std::uint32_t i = 0; i < n_base(); ++i) {
      base_hashes[i] = content_hash(base_, baseline_.data(), i, base_.objects[i].type);
      note(seen[base_hashes[i]].in_base, i);
    }
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (type_of(i) == kNone) continue;
      hashes[i] = content_hash(target_, bytes_.data(), i, type_of(i));
      note(seen[hashes[i]].in_target, i);
    }
    // What occurs once on both sides is the same.
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (type_of(i) == kNone) continue;
      const Seen& both = seen[hashes[i]];
      if (both.in_target == i && both.in_base < kMany && can_be(i, both.in_base)) set(i, both.in_base);
    }
    // Then its neighbours: first those with equal content, then any of the same type.
    for (const bool any : {false, true}) {
      for (std::uint32_t i = 1; i < n_target(); ++i) {
        if (sources_[i] != kNone || sources_[i - 1] == kNone) continue;
        const std::uint32_t source = sources_[i - 1] + 1;
        if (source < n_base() && can_be(i, source) && (any || hashes[i] == base_hashes[source])) set(i, source);
      }
      for (std::uint32_t i = n_target(); i-- > 1;) {
        if (sources_[i - 1] != kNone || sources_[i] == kNone || sources_[i] == 0) continue;
        const std::uint32_t source = sources_[i] - 1;
        if (can_be(i - 1, source) && (any || hashes[i - 1] == base_hashes[source])) set(i - 1, source);
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

  // --- how to say it --------------------------------------------------------------------------------------

  static std::string vtable_of(const Shape& shape) {
    std::string key;
    const auto put = [&](std::uint32_t value) {
      key.push_back(static_cast<char>(value));
      key.push_back(static_cast<char>(value >> 8));
    };
    put(shape.table_size);
    for (const std::uint16_t offset : shape.offsets) put(offset);
    return key;
  }

  std::vector<Wish> make_wishes() {
    Arrangement plan(base_, baseline_, static_cast<std::uint32_t>(bytes_.size()));
    std::vector<std::uint32_t> values, owners;
    for (std::uint32_t i = 0; i < n_target(); ++i) {
      if (sources_[i] == kNone) continue;
      values.push_back(sources_[i]);
      owners.push_back(i);
    }
    const std::vector<bool> is_in_order = increasing(values);
    std::vector<bool> in_order(n_target());
    for (std::size_t i = 0; i < owners.size(); ++i) in_order[owners[i]] = is_in_order[i];

    std::vector<std::unordered_map<std::string, std::uint32_t>> shapes(base_.types().size());
    for (std::size_t type = 0; type < base_.types().size(); ++type) {
      for (const std::uint32_t shape : base_.types()[type].shapes) {
        shapes[type].try_emplace(vtable_of(base_.shapes()[shape]), shape);
      }
    }
    same_shape_.assign(target_.shapes().size(), kNone);
    std::vector<std::uint32_t> last_source(base_.types().size(), kNone);
    std::size_t n_fresh_vtables = 0;
    std::vector<Wish> wishes;
    for (std::uint32_t i = n_target(); i-- > 0;) {
      const Object& object = target_.object(i);
      const std::uint32_t type = type_of(i);
      Wish wish;
      wish.end = object.end;
      wish.source = sources_[i];
      if (wish.source != kNone) {
        wish.how = in_order[i] ? Wish::How::kInOrder : Wish::How::kJump;
      } else if (type != kNone && type != 0) {
        wish.how = Wish::How::kFresh;
        if (!wishes.empty() && wishes.back().how == Wish::How::kFresh && wishes.back().source > 0 &&
            base_.objects[wishes.back().source - 1].type == type) {
          wish.source = wishes.back().source - 1;
        } else if (last_source[type] != kNone) {
          wish.source = last_source[type];
        } else if (!base_.groups[type].objects.empty()) {
          wish.source = base_.object_at(base_.groups[type].objects.back().start);
        }
      }
      Placed placed;
      const bool is_placed =
          wish.source != kNone && describe(plan, object, i, wish, shapes, n_fresh_vtables) &&
          plan.place(wish.source, wish.how == Wish::How::kFresh, wish.overrides, object.end, placed) &&
          pad(plan, object, wish, placed);
      if (!is_placed) {
        // Neighbouring raw bytes are one object.
        wish.how = Wish::How::kRaw;
        wish.source = kNone;
        wish.overrides = Overrides{};
        placed = Placed{};
        placed.start = object.start;
        placed.end = object.end;
        plan.push(placed);
        if (wishes.empty() || wishes.back().how != Wish::How::kRaw) wishes.push_back(std::move(wish));
        continue;
      }
      plan.push(placed);
      last_source[type] = wish.source;
      wishes.push_back(std::move(wish));
    }
    return wishes;
  }

  // What is other than the arrangement would expect. False: it cannot be said.
  bool describe(Arrangement& plan, const Object& object, std::uint32_t index, Wish& wish,
                std::vector<std::unordered_map<std::string, std::uint32_t>>& shapes, std::size_t& n_fresh_vtables) {
    const std::uint32_t type = type_of(index);
    const std::byte* at = bytes_.data() + object.start;
    const std::byte* source = baseline_.data() + base_.object(wish.source).start;
    Overrides& overrides = wish.overrides;
    switch (base_.types()[type].kind) {
      case Kind::kOther: return true;
      case Kind::kVTable: {
        const Shape& shape = target_.shapes()[object.shape];
        const Shape& expected = base_.shapes()[base_.object(wish.source).shape];
        if (vtable_of(shape) == vtable_of(expected)) return true;
        if (n_fresh_vtables >= plan.fresh_shapes.size()) return false;
        const std::uint32_t next = plan.fresh_shapes[n_fresh_vtables];
        if (vtable_of(plan.shapes()[next]) != vtable_of(shape)) return false;
        ++n_fresh_vtables;
        overrides.reshapes = true;
        overrides.shape = next;
        return true;
      }
      case Kind::kTable: {
        const Shape& shape = target_.shapes()[object.shape];
        const std::uint32_t expected = plan.expected_shape(wish.source, object.end);
        std::uint32_t& same = same_shape_[object.shape];
        if (same == expected) return true;
        std::string key;
        if (same == kNone) {
          key = vtable_of(shape);
          const auto known = shapes[type].find(key);
          if (known != shapes[type].end()) same = known->second;
          if (same == expected) return true;
        }
        overrides.reshapes = true;
        if (same != kNone) {
          overrides.shape = same;
          return true;
        }
        Shape added;
        added.size = shape.size;
        added.table_size = shape.table_size;
        added.offsets = shape.offsets;
        added.widths = shape.widths;
        added.present = shape.present;
        wish.new_shape = added;
        overrides.shape = same = plan.add_shape(type, std::move(added));
        shapes[type].emplace(std::move(key), overrides.shape);
        return true;
      }
      case Kind::kText: {
        overrides.count = load32(at);
        overrides.resizes = overrides.count != plan.old_count(base_.object(wish.source));
        return true;
      }
      case Kind::kReferences: {
        overrides.count = load32(at);
        overrides.resizes = overrides.count != plan.expected_count(wish.source);
        return true;
      }
      case Kind::kData: {
        if (object.end - object.start < 4) return false;
        const std::uint32_t count = load32(at), old_count = plan.old_count(base_.object(wish.source));
        if (count == old_count) return true;
        overrides.resizes = true;
        overrides.splices = splice(base_.types()[type].stride, source + 4, old_count,
                                   base_.object(wish.source).end - base_.object(wish.source).start - 4, at + 4, count,
                                   object.end - object.start - 4);
        return true;
      }
    }
    return false;
  }
  // The padding that is left to say. False: it would be negative.
  static bool pad(Arrangement& plan, const Object& object, Wish& wish, Placed& placed) {
    if (placed.start == object.start) return true;
    // How far from where it would be without padding.
    wish.overrides.pads = true;
    wish.overrides.padding = 0;
    if (!plan.place(wish.source, wish.how == Wish::How::kFresh, wish.overrides, object.end, placed) ||
        placed.start < object.start) {
      return false;
    }
    if (placed.start == object.start) return true;
    wish.overrides.padding = placed.start - object.start;
    return plan.place(wish.source, wish.how == Wish::How::kFresh, wish.overrides, object.end, placed) &&
           placed.start == object.start;
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
  std::vector<std::uint32_t> types_;       // of the target: the baseline's, or kNone
  std::vector<std::uint32_t> sources_;     // [objects of the target]
  std::vector<bool> is_used_;              // [objects of the baseline]
  std::vector<std::uint32_t> same_shape_;  // [shapes of the target] the arrangement's, once known
  Bytes gathered_;
};

}  // namespace

std::vector<Wish> match(const Structure& base, BytesView baseline, const Structure& target_structure,
                        BytesView target) {
  return Matcher(base, baseline, target_structure, target).run();
}

}  // namespace libsync::codec
