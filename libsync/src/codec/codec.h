// codec.h: patches from structure to structure; libsync/patch.h without snapshots and digests.
#pragma once

#include <memory>
#include <utility>

#include "codec/differences.h"
#include "codec/matcher.h"
#include "codec/models.h"
#include "codec/residual.h"
#include "codec/structure.h"
#include "libsync/types.h"

namespace libsync::codec {

// Larger snapshots are not looked into.
inline constexpr std::size_t kMaxBytes = 0x7fffffff;

// What both ends of a row of patches know, each of which begins where the one before ended. New: only the structure of
// a baseline. Definition: docs/WIRE_FORMAT.md section 3.7.
struct Context {
  std::shared_ptr<const Structure> structure;  // of the snapshot that it is at
  Models models;
  RowWork rows;
  EncoderWork encoder;
};

inline Context new_context(std::shared_ptr<const Structure> structure) { return {std::move(structure), {}, {}, {}}; }

// All that have a context take it to the target, or leave it of no more use.

// Appends to `out` what turns `baseline` into `target`. False: it cannot be said in this way.
bool encode_in_place(Context& context, BytesView baseline, BytesView target, const Differences& differences,
                     Bytes& out);
// The same where objects came, went or moved.
bool encode_moved(Context& context, BytesView baseline, Matches matches, BytesView target, Bytes& out);

// The same without a baseline: as objects like those of an excerpt, which is coded first and becomes the context's
// baseline. Requires: `structure` is that of `target`, and is_flatbuffer.
bool encode_whole(const Structure& structure, BytesView target, std::size_t& excerpt_size, Bytes& out);

// Which parts of some bytes were changed.
class Touched {
 public:
  void reset(std::size_t size_bytes);
  void add(std::uint32_t position, std::uint32_t size) {
    for (std::uint32_t part = position >> kPartBits; part <= (position + size - 1) >> kPartBits; ++part)
      parts_[part / 64] |= std::uint64_t{1} << (part % 64);
  }
  // Ascending.
  std::vector<ByteRange> ranges() const;

 private:
  static constexpr unsigned kPartBits = 8;
  std::size_t size_ = 0;
  std::vector<std::uint64_t> parts_;  // a bit for each
};

// What was there before an in-place patch.
struct Undo {
  struct Piece {
    std::uint32_t position;
    std::uint32_t size;
    std::uint64_t kept;  // up to eight bytes themselves, else where in `bytes`
  };
  std::vector<Piece> pieces;
  Bytes bytes;

  void clear() {
    pieces.clear();
    bytes.clear();
  }
  void keep(const std::byte* from, std::uint32_t position, std::uint32_t size);
  void restore(std::byte* to) const;
};

// Turns `bytes` from the baseline into the target. False: malformed; `bytes` is then neither. `touched` is as after
// reset(). `undo`: null, or empty.
bool decode_in_place(Context& context, BytesView patch, std::byte* bytes, Touched& touched, Undo* undo = nullptr);
// Both fill `target`, which has its size. False: malformed.
bool decode_whole(std::size_t excerpt_size, BytesView patch, Bytes& target);
bool decode_moved(Context& context, BytesView baseline, BytesView patch, Bytes& target);

}  // namespace libsync::codec
