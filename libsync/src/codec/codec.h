// codec.h: patches from structure to structure; libsync/patch.h without snapshots and digests.
#pragma once

#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// Larger snapshots are not looked into.
inline constexpr std::size_t kMaxBytes = 0x7fffffff;

// Appends to `out` what turns `baseline` into `target`, which has the same size. `moves`: something that others refer
// to or that refers to others changed, so that encode_moved() may find less to say. False: it cannot be said in this
// way.
bool encode_in_place(const Structure& structure, BytesView baseline, BytesView target, Bytes& out, bool& moves);
// The same where objects came, went or moved.
bool encode_moved(const Structure& base, BytesView baseline, const Structure& target_structure, BytesView target,
                  Bytes& out);

// What was there before an in-place patch.
struct Undo {
  struct Piece {
    std::uint32_t position;
    std::uint32_t size;
    std::size_t kept;  // where in `bytes`
  };
  std::vector<Piece> pieces;
  Bytes bytes;

  void keep(const std::byte* from, std::uint32_t position, std::uint32_t size);
  void restore(std::byte* to) const;
};

// Turns `bytes` from the baseline into the target. False: malformed; `bytes` is then neither.
bool decode_in_place(const Structure& structure, BytesView patch, std::byte* bytes, Undo& undo);
// Fills `target`, which is zero. False: malformed.
bool decode_moved(const Structure& base, BytesView baseline, BytesView patch, Bytes& target);

}  // namespace libsync::codec
