// divider.h: which objects a stretch of the target holds, of which nothing is known but what was there before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/align/comparer.h"
#include "codec/align/sides.h"
#include "codec/align/target_reader.h"

namespace libsync::codec {

// Tables are found by their vtables, most others by the tables that refer to them, the rest by what was there.
class Divider {
 public:
  // `reader` and `comparer` outlive this.
  Divider(const Sides& sides, TargetReader& reader, Comparer& comparer)
      : sides_(sides), reader_(reader), vtables_(reader.vtables()), comparer_(comparer) {}

  // Appends the objects of [begin, end) to `news`, which is empty; without gaps. `olds`: what was there, in order.
  // False: not all is known to be something.
  bool divide(std::uint32_t begin, std::uint32_t end, const std::vector<Object>& olds, std::vector<Object>& news);

 private:
  // That something is an object.
  struct Claim {
    std::uint32_t start;
    std::uint32_t core;  // bytes it needs
    std::uint32_t type;
    std::uint32_t shape;
  };
  void find_claims();
  void claim_children(Claim table);
  std::uint32_t claim(std::uint32_t type, std::uint64_t start);
  bool fill(std::uint32_t at, std::uint32_t end, const std::vector<Object>& olds, std::vector<Object>& news);
  bool find_like_old(std::uint32_t at, std::uint32_t end, const std::vector<Object>& olds, Object& found);
  bool find_vtable(std::uint32_t at, std::uint32_t end, Object& found) const;

  Sides sides_;
  TargetReader& reader_;
  TargetVtables& vtables_;
  Comparer& comparer_;
  // The stretch at hand.
  std::uint32_t begin_ = 0;
  std::uint32_t end_ = 0;
  std::vector<Claim> claims_;
  std::size_t next_old_ = 0;  // the one that may come next between two claims
};

}  // namespace libsync::codec
