// match_list.h: the matches of an alignment in the making. Objects that are regular, one behind the other, and keep
// their distances are one run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "codec/align/sides.h"
#include "codec/matcher.h"

namespace libsync::codec {

class MatchList {
 public:
  explicit MatchList(const Structure& base) : base_(base) {}

  const std::vector<Match>& all() const { return list_; }
  Match& operator[](std::size_t index) { return list_[index]; }
  const Match& operator[](std::size_t index) const { return list_[index]; }
  std::size_t size() const { return list_.size(); }
  // Those that were pushed without a source, ascending.
  const std::vector<std::size_t>& without_source() const { return without_source_; }
  std::vector<Match> release() { return std::move(list_); }

  // If the regular object at `from` goes on with a run at `to`, it is added. False: it begins another.
  bool extend(std::uint32_t from, std::uint32_t to, std::uint32_t size) {
    if (!is_run_open_) return false;
    Match& last = list_.back();
    if (last.object.end != to || last.object.start - last.source != to - from) return false;
    last.object.end += size;
    ++last.n_objects;
    return true;
  }
  // Adds an object of the baseline as it is, but at `to`. `may_be_run`: it is regular.
  void begin(const Object& object, std::uint32_t to, bool may_be_run) {
    Match match;
    match.object = object;
    match.object.start = to;
    match.object.end = to + object.size();
    match.source = object.start;
    list_.push_back(match);
    is_run_open_ = may_be_run;
  }
  // Adds a match that is none of a run.
  void push(const Match& match) {
    if (match.source == kNone) without_source_.push_back(list_.size());
    list_.push_back(match);
    is_run_open_ = false;
  }

  // What there was at a time, so that it can be again. Later ones all need a source.
  struct Mark {
    std::size_t n_matches = 0;
    std::uint32_t n_objects = 0;  // of the last one
  };
  Mark mark() const { return {list_.size(), list_.empty() ? 0 : list_.back().n_objects}; }
  // Takes back what came after the mark; then the last one ends at `end`.
  void take_back(const Mark& mark, std::uint32_t end);
  // Changes the padding behind the last object.
  void end_last_at(std::uint32_t end);
  // What is added next begins another match.
  void end_run() { is_run_open_ = false; }

 private:
  const Structure& base_;
  std::vector<Match> list_;
  std::vector<std::size_t> without_source_;
  bool is_run_open_ = false;  // the last one may be gone on with
};

inline void MatchList::take_back(const Mark& mark, std::uint32_t end) {
  list_.resize(mark.n_matches);
  if (list_.empty() || list_.back().n_objects == mark.n_objects) {
    is_run_open_ = false;
    return;
  }
  list_.back().n_objects = mark.n_objects;
  list_.back().object.end = end;
}

inline void MatchList::end_last_at(std::uint32_t end) {
  if (list_.empty() || list_.back().object.end == end) return;
  Match& run = list_.back();
  if (run.n_objects == 1) {
    run.object.end = end;
    return;
  }
  const std::uint32_t distance = run.object.start - run.source;
  Match alone;
  alone.object = base_.object(run.object.end - distance - 1);
  alone.source = alone.object.start;
  alone.object.start += distance;
  alone.object.end = end;
  --run.n_objects;
  run.object.end = alone.object.start;
  list_.push_back(alone);
}

}  // namespace libsync::codec
