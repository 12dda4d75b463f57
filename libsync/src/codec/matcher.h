// matcher.h: which objects of the baseline the objects of a target were. Only a matter of size: any answer makes a
// valid patch.
#pragma once

#include <memory>
#include <vector>

#include "codec/structure.h"

namespace libsync::codec {

// An object of the target; or several that are in every way like neighbours in the baseline but for where they are and
// what they hold, beginning with this one.
struct Match {
  Object object;                 // its type is the baseline's, or kNone
  std::uint32_t source = kNone;  // start of what it was in the baseline; kNone: nothing
  std::uint32_t n_objects = 1;
};
struct Matches {
  std::vector<Match> list;                // front to back
  std::shared_ptr<const Schema> schema;   // of the target
  std::vector<std::uint32_t> same_shape;  // [shapes of it] those of the arrangement to come, as far as known
};

// `is_followed`: the target's types are those of `base`.
Matches match(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
              bool is_followed);

}  // namespace libsync::codec
