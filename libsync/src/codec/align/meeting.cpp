#include "codec/align/meeting.h"

#include <algorithm>
#include <vector>

namespace libsync::codec {
namespace {

struct Table {
  std::uint32_t start;
  std::uint32_t shape;
};

class MeetingFinder {
 public:
  MeetingFinder(const Sides& sides, TargetVtables& vtables, Comparer& comparer, const Cursor& parted)
      : sides_(sides), vtables_(vtables), comparer_(comparer), parted_(parted) {}

  std::optional<Cursor> run(std::uint32_t percent, std::uint32_t window, WorkLeft& work) {
    work.n -= 2 * std::int64_t{window};
    find_old_tables(window);
    find_new_tables(window);
    const std::optional<Cursor> meeting = find_pair(percent, work);
    // As alike as it finds where they parted, and so much was strange there.
    return meeting && (meeting->from != parted_.from || meeting->to != parted_.to) ? meeting : std::nullopt;
  }

 private:
  // Whether tables with this vtable hold enough to know one again.
  bool is_telling(std::uint32_t shape) { return comparer_.lanes_of(shape).n_values >= 2; }
  void find_old_tables(std::uint32_t window) {
    const std::uint32_t begin = parted_.from;
    const std::uint32_t end = sides_.old_size - begin > window ? begin + window : sides_.old_size;
    sides_.base.for_each(begin, end, [&](const Object& object) {
      if (is_table(object) && is_telling(object.shape)) olds_.push_back({object.start, object.shape});
    });
  }
  void find_new_tables(std::uint32_t window) {
    const std::uint32_t begin = parted_.to;
    const std::uint32_t end = sides_.new_size - begin > window ? begin + window : sides_.new_size;
    for (std::uint32_t at = (begin + 3) / 4 * 4; at < end; at += 4) {
      const std::uint32_t shape = vtables_.shape_of(at);
      if (shape != kNone && is_telling(shape)) news_.push_back({at, shape});
    }
  }
  // The nearest pair: first what has fewest tables before it, on both sides together.
  std::optional<Cursor> find_pair(std::uint32_t percent, WorkLeft& work) {
    constexpr std::size_t kMost = 96;
    const std::size_t most = std::min(olds_.size() + news_.size(), kMost);
    for (std::size_t sum = 0; sum < most; ++sum) {
      for (std::size_t i = 0; i <= sum && i < olds_.size(); ++i) {
        const std::size_t j = sum - i;
        if (j >= news_.size()) continue;
        work.n -= 32;
        if (!is_alike(i, j, percent)) continue;
        const bool has_next = i + 1 < olds_.size() && j + 1 < news_.size();
        if (!has_next || is_alike(i + 1, j + 1, percent)) return meet_at(olds_[i].start, news_[j].start);
      }
    }
    return std::nullopt;
  }
  bool is_alike(std::size_t i, std::size_t j, std::uint32_t percent) {
    const Table &old = olds_[i], &other = news_[j];
    return old.shape == other.shape && comparer_.is_alike(old.shape, old.start, other.start, percent);
  }
  // With what is before them, as far as it is the same.
  Cursor meet_at(std::uint32_t from, std::uint32_t to) {
    while (from > parted_.from) {
      const Object before = sides_.base.object(from - 1);
      if (before.start < parted_.from || before.size() > to - parted_.to) break;
      if (comparer_.judge(before, to - before.size()) != Verdict::kSame) break;
      from = before.start;
      to -= before.size();
    }
    return {from, to, sides_.base.starts.index_of(from)};
  }

  Sides sides_;
  TargetVtables& vtables_;
  Comparer& comparer_;
  Cursor parted_;
  std::vector<Table> olds_, news_;  // ahead, in the window
};

}  // namespace

std::optional<Cursor> find_meeting(const Sides& sides, TargetVtables& vtables, Comparer& comparer, const Cursor& parted,
                                   std::uint32_t percent, std::uint32_t window, WorkLeft& work) {
  return MeetingFinder(sides, vtables, comparer, parted).run(percent, window, work);
}

}  // namespace libsync::codec
