#include "codec/align/growth.h"

#include <utility>

namespace libsync::codec {
namespace {

class GrowthFinder {
 public:
  GrowthFinder(const Sides& sides, TargetReader& reader, Comparer& comparer, const Cursor& at)
      : sides_(sides), reader_(reader), vtables_(reader.vtables()), comparer_(comparer), begin_(at.to) {
    growth_.behind = at;
  }

  std::optional<Growth> run() {
    constexpr std::size_t kMost = 16;
    Cursor& at = growth_.behind;
    Object object = sides_.object_at(at);
    if (is_table(object) && !take_vtable_before(object)) return std::nullopt;
    // Where nothing is as it was, behind the first object there is at least what looks like the next one.
    std::optional<Growth> likely;
    while (growth_.grown.size() < kMost && object.end < sides_.old_size) {
      at.from = object.end;
      ++at.index;
      const Object next = sides_.object_at(at);
      if (!take(object, next)) return likely;
      if (is_met_) return std::move(growth_);
      if (growth_.grown.size() == 1 && growth_.gone.empty() && !is_table(object) && is_table(next) &&
          comparer_.judge(next, at.to) != Verdict::kOther)
        likely = growth_;
      object = next;
    }
    return likely;
  }

 private:
  // If a vtable came before the table, at the cursor or in what was padding. False: it is none.
  bool take_vtable_before(const Object& table) {
    for (const std::uint32_t begin : {begin_, begin_ - 2}) {
      const std::uint32_t behind = begin < sides_.new_size ? reader_.table_behind(begin) : kNone;
      if (behind == kNone) continue;
      Match vtable;
      vtable.object = {begin, behind, 1, vtables_.shape_of(behind)};
      if (vtable.object.shape == kNone) vtable.object.shape = vtables_.learn(behind, table.type);
      if (vtable.object.shape == kNone) return false;
      growth_.grown.push_back(vtable);
      growth_.behind.to = behind;
      return true;
    }
    return true;
  }
  // What became of the object; `next` follows it in the baseline. False: it is not there, whatever its size.
  bool take(const Object& object, const Object& next) {
    Match match;
    match.source = object.start;
    match.object = {growth_.behind.to, 0, object.type, object.shape};
    std::uint32_t core = reader_.core_like(match.object, sides_.new_size);
    if (core == 0 && is_vtable(object)) {
      core = reader_.core_of_new_vtable(match.object, vtables_.shape(object.shape).type);
      if (core == 0) return leave_out(object, next);
    }
    if (core == 0 || !comparer_.is_reshaped(object, match.object)) return false;
    match.object.end = find_end(match.object.start + core, next);
    if (match.object.end == kNone) return false;
    growth_.grown.push_back(match);
    growth_.behind.to = match.object.end;
    return true;
  }
  // A vtable is gone where the object behind it is.
  bool leave_out(const Object& vtable, const Object& next) {
    std::uint32_t& to = growth_.behind.to;
    growth_.gone.push_back(vtable);
    to = (to + 3) / 4 * 4;
    if (to > sides_.new_size || !reader_.is_padding(begin_, to)) return false;
    is_met_ = comparer_.judge(next, to) == Verdict::kSame;
    return true;
  }
  // Behind an object that needs no more bytes than up to `core_end`: where the next one is, rather as it was than
  // changed too; kNone: nowhere.
  std::uint32_t find_end(std::uint32_t core_end, const Object& next) {
    std::uint32_t likely = kNone;
    // Vtables are at multiples of 2, what has elements of 8 bytes may be 4 further.
    for (std::uint32_t end = (core_end + 1) / 2 * 2; end < core_end + 8 && end < sides_.new_size; end += 2) {
      if (!reader_.is_padding(core_end, end)) break;
      if (end % 4 != 0 && !is_vtable(next)) continue;
      is_met_ = comparer_.judge(next, end) == Verdict::kSame;
      if (is_met_) return end;
      Object changed{end, 0, next.type, next.shape};
      if (likely == kNone && reader_.core_like(changed, sides_.new_size) != 0) likely = end;
    }
    return likely;
  }

  Sides sides_;
  TargetReader& reader_;
  TargetVtables& vtables_;
  Comparer& comparer_;
  std::uint32_t begin_;  // the cursor's place in the target
  Growth growth_;        // `behind`: what is looked at next
  bool is_met_ = false;  // what is looked at next is as it was
};

}  // namespace

std::optional<Growth> find_growth(const Sides& sides, TargetReader& reader, Comparer& comparer, const Cursor& at) {
  return GrowthFinder(sides, reader, comparer, at).run();
}

}  // namespace libsync::codec
