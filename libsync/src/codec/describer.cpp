#include "codec/describer.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "codec/increasing.h"
#include "codec/last_sources.h"

namespace libsync::codec {
namespace {

constexpr std::uint32_t kMany = 0xfffffffe;  // no single one

class Describer {
 public:
  Describer(const Structure& base, BytesView baseline, BytesView bytes, Matches& matches, Arrangement& plan)
      : base_(base), baseline_(baseline), bytes_(bytes), matches_(matches), plan_(plan), last_sources_(base) {}

  Wishes run() {
    Wishes wishes;
    wishes.list.reserve(matches_.list.size());
    plan_.placed.reserve(matches_.list.size());
    for (std::size_t i = matches_.list.size(); i-- > 0;) {
      const Match& match = matches_.list[i];
      if (match.n_objects > 1) {
        put_run(match, wishes);
        continue;
      }
      Wish wish;
      wish.source = wish.last = match.source;
      if (wish.source == kNone) {
        choose_template(match, wish, wishes);
      } else if (!match.is_in_order) {
        wish.how = Wish::How::kJump;
      } else if (put_as_before(match, wishes)) {
        continue;
      }
      put(match, wish, wishes);
    }
    return wishes;
  }

 private:
  // What a new object is made from.
  void choose_template(const Match& match, Wish& wish, const Wishes& wishes) const {
    const std::uint32_t type = match.object.type;
    if (type == kNone || type == 0) return;
    wish.how = Wish::How::kFresh;
    wish.source = last_sources_.of(type);
    if (!wishes.list.empty() && wishes.list.back().how == Wish::How::kFresh && wishes.list.back().source > 0) {
      const Object below = base_.object(wishes.list.back().source - 1);
      if (below.type == type) wish.source = below.start;
    }
    wish.last = wish.source;
  }

  void put_run(const Match& match, Wishes& wishes) {
    Placed run;
    run.start = match.object.start;
    run.end = match.object.end;
    run.source = match.source;
    run.n_objects = match.n_objects;
    plan_.push(run);
    last_sources_.note_run(run, plan_.is_long(run));
    Wish wish;
    wish.source = match.source;
    wish.last = base_.starts.begin_of(run.source_end() - 1);
    wish.n_objects = match.n_objects;
    wishes.list.push_back(wish);
    is_run_open_ = true;
  }
  // An object that is where place() would put its source without any override; most are. False: it is none.
  bool put_as_before(const Match& match, Wishes& wishes) {
    const Object& object = match.object;
    const Object source = base_.object(match.source);
    const std::uint32_t distance = object.start - source.start;
    if (object.size() != source.size() || distance % 4 != 0 || object.type != source.type) return false;
    if (source.shape != kNone && matches_.same_shape[object.shape] != source.shape) return false;
    if (source.shape == kNone && source.size() >= 4 &&
        load32(bytes_.data() + object.start) != load32(baseline_.data() + source.start))
      return false;
    if (!plan_.is_regular(source, distance)) return false;
    last_sources_.note(source.type, source.start);
    if (is_run_open_ && plan_.extend(source)) {
      wishes.list.back().source = source.start;
      ++wishes.list.back().n_objects;
      return true;
    }
    plan_.push(plan_.regular(source, distance));
    Wish wish;
    wish.source = wish.last = match.source;
    wishes.list.push_back(wish);
    is_run_open_ = true;
    return true;
  }
  void put(const Match& match, Wish& wish, Wishes& wishes) {
    const bool is_fresh = wish.how == Wish::How::kFresh;
    Placed placed;
    overrides_ = Overrides{};
    is_run_open_ = false;
    const bool is_placed = wish.source != kNone && describe(match.object, base_.object(wish.source)) &&
                           plan_.place(wish.source, is_fresh, overrides_, match.object.end, placed) &&
                           pad(match.object, wish.source, is_fresh, placed);
    if (!is_placed) return put_raw(match.object, wishes);
    plan_.push(placed);
    last_sources_.note(placed.type, wish.source);
    if (overrides_.any()) {
      wish.overrides = static_cast<std::uint32_t>(wishes.overrides.size());
      wishes.overrides.push_back(std::move(overrides_));
    }
    wishes.list.push_back(wish);
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
    Wish wish;
    wish.how = Wish::How::kRaw;
    wishes.list.push_back(wish);
  }

  // What is other than the arrangement would expect. False: it cannot be said.
  bool describe(const Object& object, const Object& source) {
    const std::uint32_t type = source.type, size = object.size();
    const std::byte* at = bytes_.data() + object.start;
    const std::vector<Shape>& shapes = matches_.schema->shapes;
    Overrides& overrides = overrides_;
    switch (base_.types()[type].kind) {
      case Kind::kOther: return true;
      case Kind::kVTable: {
        if (size < shapes[object.shape].size) return false;
        if (matches_.same_shape[object.shape] == source.shape) return true;
        // The new ones are named in their order.
        if (n_fresh_vtables_ >= plan_.fresh_shapes.size()) return false;
        const std::uint32_t next = plan_.fresh_shapes[n_fresh_vtables_];
        if (!is_same(plan_.shapes()[next], shapes[object.shape])) return false;
        ++n_fresh_vtables_;
        overrides.reshapes = true;
        overrides.shape = next;
        return true;
      }
      case Kind::kTable: {
        const Shape& shape = shapes[object.shape];
        if (size < shape.table_size) return false;
        std::uint32_t& same = matches_.same_shape[object.shape];
        if (same == plan_.expected_shape(source, object.end)) return true;
        overrides.reshapes = true;
        overrides.adds_shape = same == kNone;
        if (same == kNone) {
          if (!plan_.can_add_shape()) return false;
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
        overrides.resizes = overrides.count != plan_.expected_count(source);
        return overrides.count <= (size - 4) / 4;
      }
      case Kind::kData: {
        if (size < 4) return false;
        const std::uint32_t count = load32(at), old_count = plan_.old_count(source);
        if (count == old_count) return true;
        overrides.resizes = overrides.is_spliced = true;
        overrides.splices = splice(base_.types()[type].stride, baseline_.data() + source.start + 4, old_count,
                                   source.size() - 4, at + 4, count, size - 4);
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
      return seen.try_emplace(XXH3_64bits(from + std::size_t{i} * stride, stride), kNone, kNone).first->second;
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
  BytesView bytes_;
  Matches& matches_;
  Arrangement& plan_;
  LastSources last_sources_;
  bool is_run_open_ = false;  // what was placed last may begin a run, or go on with one
  std::size_t n_fresh_vtables_ = 0;
  Overrides overrides_;  // of the object at hand
};

}  // namespace

Wishes describe(const Structure& base, BytesView baseline, BytesView target, Matches& matches, Arrangement& plan) {
  return Describer(base, baseline, target, matches, plan).run();
}

}  // namespace libsync::codec
