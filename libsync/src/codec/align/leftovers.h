// leftovers.h: objects of both sides that have no counterpart where they are: what went from one place to another.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/align/comparer.h"
#include "codec/align/match_list.h"
#include "codec/align/sides.h"

namespace libsync::codec {

// Those of the target are the matches without a source.
class Leftovers {
 public:
  // `comparer` and `matches` outlive this.
  Leftovers(const Sides& sides, Comparer& comparer, MatchList& matches)
      : sides_(sides), comparer_(comparer), matches_(matches) {}

  // One of the baseline.
  void add(const Object& old) { olds_.push_back(old); }
  // Finds sources, if there are not too many.
  void match();
  // Whether a table may have become another one elsewhere.
  bool are_tables_left() const;

 private:
  bool is_open(std::size_t i) const { return matches_[i].source == kNone; }
  void use(Object& old, std::size_t i);
  void match_only_ones(bool may_differ);
  void match_neighbours();
  void match_new_vtables();
  void try_source(std::size_t i, std::uint32_t source);

  Sides sides_;
  Comparer& comparer_;
  MatchList& matches_;
  std::vector<Object> olds_;  // start kNone: it was used
};

}  // namespace libsync::codec
