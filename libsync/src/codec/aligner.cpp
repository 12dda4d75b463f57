#include "codec/aligner.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "codec/align/bridge.h"
#include "codec/align/comparer.h"
#include "codec/align/growth.h"
#include "codec/align/leftovers.h"
#include "codec/align/match_list.h"
#include "codec/align/meeting.h"
#include "codec/align/sides.h"
#include "codec/align/target_reader.h"
#include "codec/align/target_vtables.h"
#include "codec/arrangement.h"

namespace libsync::codec {
namespace {

// The walk. It goes on while the object at the cursor is at the cursor's place in the target, though changed; where it
// is not, a search tells where both go on together.
class Aligner {
 public:
  Aligner(const Arrangement& plan, BytesView target)
      : sides_(plan, target),
        work_(sides_),
        vtables_(sides_, work_),
        reader_(sides_, vtables_),
        comparer_(sides_, vtables_),
        matches_(sides_.base),
        leftovers_(sides_, comparer_, matches_),
        bridge_(sides_, reader_, comparer_, matches_, leftovers_) {}

  std::optional<Matches> run() {
    while (at_.from < sides_.old_size && at_.to < sides_.new_size) {
      if (go_on_quickly()) continue;
      if (work_.n < 0 || vtables_.met().size() > kMaxVtables) return std::nullopt;
      const Object object = sides_.object_at(at_);
      const Verdict verdict = judge(object);
      if (verdict == Verdict::kSame) {
        doubtful_.clear();
        go_on(object);
      } else if (verdict == Verdict::kChanged) {
        go_on_doubtfully(object);
      } else if (!find_agreement(object, verdict)) {
        return std::nullopt;
      }
    }
    if (!cross_to_end()) return std::nullopt;
    // Among few objects it pays to look closer, as match() does.
    if (sides_.base.n_objects() < kFew && leftovers_.are_tables_left()) return std::nullopt;
    leftovers_.match();
    return result();
  }

 private:
  static constexpr std::size_t kMaxVtables = 4096;
  static constexpr std::uint32_t kFew = 1024;
  static constexpr std::size_t kMaxDoubtful = 8;
  static constexpr int kMostInVain = 4;

  // An object that is changed where it is, and all before it since one that is the same.
  struct Doubtful {
    Cursor at;
    MatchList::Mark before;
    std::uint32_t end;
    bool is_table;
  };

  // --- going on -------------------------------------------------------------------------------------------

  // As run() would, an object that is the same and regular, which most are. False: that is not seen so quickly.
  bool go_on_quickly() {
    const std::uint32_t size = comparer_.plainly_same(sides_.base.tags[at_.index], at_.from, at_.to);
    if (size == 0) return false;
    doubtful_.clear();
    if (!matches_.extend(at_.from, at_.to, size)) matches_.begin(sides_.object_at(at_), at_.to, true);
    advance(size);
    return true;
  }
  void go_on(const Object& object) {
    const std::uint32_t distance = at_.to - object.start;
    const bool is_regular = distance % 4 == 0 && sides_.plan.is_regular(object, distance);
    if (!is_regular || !matches_.extend(object.start, at_.to, object.size()))
      matches_.begin(object, at_.to, is_regular);
    advance(object.size());
  }
  void go_on_doubtfully(const Object& object) {
    if (doubtful_.size() == kMaxDoubtful) doubtful_.clear();
    doubtful_.push_back({at_, matches_.mark(), object.end, is_table(object)});
    go_on(object);
  }
  void advance(std::uint32_t size) {
    at_.from += size;
    at_.to += size;
    ++at_.index;
  }

  Verdict judge(const Object& object) {
    const Verdict verdict = comparer_.judge_next(object, at_.to);
    if (verdict != Verdict::kChanged || is_table(object) || n_in_vain_ >= kMostInVain) return verdict;
    // A table and what it refers to, both changed: rather two others.
    const bool is_next = !doubtful_.empty() && doubtful_.back().end == object.start && doubtful_.back().is_table;
    return is_next ? Verdict::kStrange : Verdict::kChanged;
  }

  // --- parting and meeting again --------------------------------------------------------------------------

  // At `object`, which is not, or may not be, at the cursor's place in the target.
  bool find_agreement(const Object& object, Verdict verdict) {
    if (verdict == Verdict::kOther && doubtful_.empty() && go_on_behind_growth()) return true;
    if (++n_partings_ > 24 + sides_.base.n_objects() / 1024) return false;
    const Cursor here = at_;
    // Where what came before was changed too, perhaps it was another already.
    if (!doubtful_.empty()) {
      at_ = doubtful_.front().at;
      matches_.take_back(doubtful_.front().before, at_.to);
      doubtful_.clear();
    }
    for (std::uint32_t window = 512; window <= 32 * 1024; window *= 8) {
      const std::optional<Cursor> met = find_meeting(sides_, vtables_, comparer_, at_, 0, window, work_);
      if (met) return cross_to(*met);
      // Without any that are the same, those that are alike; then what came before was what it seemed.
      const std::optional<Cursor> alike =
          find_meeting(sides_, vtables_, comparer_, here, comparer_.percent_alike(), window, work_);
      // Where they go on as they came, nothing moved: it only changed more than others do.
      if (alike && verdict == Verdict::kStrange && alike->to - alike->from == here.to - here.from) break;
      if (alike) {
        while (at_.from < here.from) go_on(sides_.object_at(at_));
        return cross_to(*alike);
      }
      if (verdict == Verdict::kStrange) break;
    }
    if (verdict == Verdict::kOther) return is_near_end() && cross_to_end();
    // As much as this changes here, it seems.
    while (at_.from < here.from) go_on(sides_.object_at(at_));
    ++n_in_vain_;
    if (is_table(object)) comparer_.tolerate(object, at_.to);
    go_on_doubtfully(object);
    return true;
  }
  bool go_on_behind_growth() {
    const std::optional<Growth> growth = find_growth(sides_, reader_, comparer_, at_);
    if (!growth) return false;
    matches_.end_last_at(growth->grown.empty() ? growth->behind.to : growth->grown.front().object.start);
    matches_.end_run();
    for (const Match& match : growth->grown) matches_.push(match);
    for (const Object& gone : growth->gone) leftovers_.add(gone);
    at_ = growth->behind;
    return true;
  }
  bool cross_to(const Cursor& met) {
    if (!bridge_.cross(at_, met, work_)) return false;
    at_ = met;
    return true;
  }
  bool is_near_end() const {
    constexpr std::uint32_t kNear = 4096;
    return sides_.old_size - at_.from <= kNear && sides_.new_size - at_.to <= kNear;
  }
  bool cross_to_end() { return cross_to({sides_.old_size, sides_.new_size, sides_.base.n_objects()}); }

  Matches result() {
    Matches matches;
    matches.list = matches_.release();
    matches.schema = vtables_.schema();
    matches.same_shape.resize(vtables_.shapes().size(), kNone);
    for (std::uint32_t shape = 0; shape < sides_.base.shapes().size(); ++shape) matches.same_shape[shape] = shape;
    return matches;
  }

  Sides sides_;
  WorkLeft work_;
  TargetVtables vtables_;
  TargetReader reader_;
  Comparer comparer_;
  MatchList matches_;
  Leftovers leftovers_;
  Bridge bridge_;
  Cursor at_;
  std::vector<Doubtful> doubtful_;
  std::uint32_t n_partings_ = 0;
  int n_in_vain_ = 0;  // searches because of strange ones that found nothing
};

}  // namespace

std::optional<Matches> align(const Structure& base, BytesView baseline, BytesView target) {
  if (base.is_mixed) return std::nullopt;
  const Arrangement plan(base, baseline, static_cast<std::uint32_t>(target.size()));
  return Aligner(plan, target).run();
}

}  // namespace libsync::codec
