// differences.h: in which rows and columns two snapshots of equal size differ.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codec/rows.h"
#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// What differs between two snapshots of equal size.
struct Differences {
  struct OfType {
    std::vector<Change> changes;       // by row, then column
    std::vector<std::uint32_t> texts;  // ranks
  };
  std::vector<OfType> types;
  // Something that others refer to or that refers to others changed, so that encode_moved() may find less to say.
  bool moves = false;
};
// `ranges`: where to look, ascending; equal bytes elsewhere.
struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};
Differences differences_of(const Structure& structure, BytesView baseline, BytesView target,
                           std::span<const Range> ranges);
// The same without `moves`. Only the objects in `rows` are looked at, [types], which rows and ranks are counted in.
std::vector<Differences::OfType> differences_within(const Structure& structure, std::span<const Rows> rows,
                                                    BytesView baseline, BytesView target,
                                                    std::span<const Range> ranges);

}  // namespace libsync::codec
