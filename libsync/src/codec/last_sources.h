// last_sources.h: of each type the object of the baseline that was placed last, which new ones are like.
#pragma once

#include <cstdint>
#include <vector>

#include "codec/arrangement.h"

namespace libsync::codec {

class LastSources {
 public:
  explicit LastSources(const Structure& base) : base_(base), last_(base.groups.size(), kNone) {}

  // The baseline's last one if none was placed so far; kNone: there is none at all.
  std::uint32_t of(std::uint32_t type) const {
    if (last_[type] != kNone) return last_[type];
    const std::vector<std::uint32_t>& starts = base_.groups[type].starts;
    return starts.empty() ? kNone : starts.back();
  }
  void note(std::uint32_t type, std::uint32_t source) { last_[type] = source; }
  // Of a run that goes back to its front: the first of each type.
  void note_run(const Placed& run, bool is_long) {
    if (!is_long) {
      for (std::uint32_t at = run.source_end(); at > run.source;) {
        const Object object = base_.object(at - 1);
        note(object.type, object.start);
        at = object.start;
      }
      return;
    }
    for (std::uint32_t type = 0; type < last_.size(); ++type) {
      const std::vector<std::uint32_t>& starts = base_.groups[type].starts;
      const std::uint32_t rank = base_.rank_of(type, run.source);
      if (rank < starts.size() && starts[rank] < run.source_end()) note(type, starts[rank]);
    }
  }

 private:
  const Structure& base_;
  std::vector<std::uint32_t> last_;  // [types]
};

}  // namespace libsync::codec
