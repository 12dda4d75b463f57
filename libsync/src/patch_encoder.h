// patch_encoder.h: finds the ops that turn a baseline into a target. Layout of the ops: docs/WIRE_FORMAT.md section 3.
//
// The target is walked in lanes of 32 bits, each compared with the baseline lane at the same place plus a *shift*.
// Where the shift stops to fit, others are tried on the next lanes and the cheapest is taken: no shift, the shift that
// aligns the ends (builders write back to front, so what is old keeps its distance from the end), and whatever an index
// of the baseline's 16-byte blocks finds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "byte_writer.h"
#include "libsync/types.h"

namespace libsync {

enum class PatchOp : std::uint8_t { kCopy = 0, kAdd = 1, kSeek = 2, kLanes = 3 };

class PatchEncoder {
 public:
  // Appends to `out`. Requires: both views outlive the encoder.
  PatchEncoder(BytesView baseline, BytesView target, Bytes& out);

  void run();

 private:
  // Bytes equal at `target_position` and that position plus `shift` in the baseline.
  std::size_t equal_run(std::size_t target_position, std::int64_t shift) const;
  // Estimated bytes to code the next lanes from `target_position` with `shift`.
  std::size_t cost(std::size_t target_position, std::int64_t shift) const;
  bool lane_in_baseline(std::size_t target_position, std::int64_t shift) const;
  // The cheapest shift from here on.
  std::int64_t choose_shift(std::size_t target_position, std::int64_t current);
  void find_indexed_shifts(std::size_t target_position, std::vector<std::int64_t>& candidates);
  void build_index();

  // Ops are gathered and merged, then written.
  void emit_from_baseline(std::size_t target_position, std::int64_t shift, std::size_t count, bool equal);
  void emit_literal(std::size_t target_position, std::size_t count);
  void flush();

  BytesView baseline_;
  BytesView target_;
  ByteWriter writer_;

  enum class Pending : std::uint8_t { kNone, kCopy, kLanes, kAdd };
  Pending pending_ = Pending::kNone;
  std::size_t pending_begin_ = 0;  // in the target
  std::size_t pending_count_ = 0;  // bytes
  std::int64_t pending_shift_ = 0;
  std::size_t cursor_ = 0;  // the decoder's

  std::vector<std::uint32_t> index_;  // hash of a 16-byte block -> its number plus one
  unsigned index_bits_ = 0;
};

}  // namespace libsync
