// bridge.h: what became of the objects between where both sides part and where they go on together.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/align/comparer.h"
#include "codec/align/divider.h"
#include "codec/align/leftovers.h"
#include "codec/align/match_list.h"
#include "codec/align/sides.h"
#include "codec/align/target_reader.h"

namespace libsync::codec {

class Bridge {
 public:
  // All but `sides` outlive this.
  Bridge(const Sides& sides, TargetReader& reader, Comparer& comparer, MatchList& matches, Leftovers& leftovers)
      : sides_(sides),
        comparer_(comparer),
        divider_(sides, reader, comparer),
        matches_(matches),
        leftovers_(leftovers) {}

  // Appends the objects of the target between the two cursors, and what they were of those of the baseline. False:
  // there is too much between, or it is not all known to be something.
  bool cross(const Cursor& parted, const Cursor& met, WorkLeft& work);

 private:
  bool is_known(std::size_t i) const { return sources_[i] != kNone; }
  void find_same();
  void place_vtables();
  void place_vtable(std::size_t i, std::size_t first);
  void pair_neighbours();
  void pair(std::size_t i, std::size_t k);

  Sides sides_;
  Comparer& comparer_;
  Divider divider_;
  MatchList& matches_;
  Leftovers& leftovers_;
  std::uint64_t n_crossed_ = 0;  // objects of both sides so far
  // Of what is crossed at hand, in order.
  std::vector<Object> olds_, news_;
  std::vector<std::uint32_t> sources_;  // [news_] in olds_, kNone: not known
  std::vector<bool> is_used_;           // [olds_]
};

}  // namespace libsync::codec
