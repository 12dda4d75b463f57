// frame.h: the compact header of a state frame, parts included. Layout: docs/WIRE_FORMAT.md sections 1 and 2.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libsync/limits.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// What a WebSocket message is, by the two low bits of its first byte.
enum class MessageKind : std::uint8_t { kControl, kState, kInvalid };
MessageKind message_kind(BytesView message);

enum class UpdateKind : std::uint8_t {
  kPatch = 0,      // from a version
  kFull = 1,       // from nothing
  kChunkDiff = 2,  // from the bytes whose chunks the client named last (held_chunks.h)
};

// Which update a frame belongs to.
struct UpdateHeader {
  TopicId topic;
  Version version;
  UpdateKind kind = UpdateKind::kPatch;
  Version base_version;                   // kPatch only
  FullReason reason = FullReason::kNone;  // kFull and kChunkDiff
  bool operator==(const UpdateHeader&) const = default;
};

// One decoded frame; `body` points into the message.
struct StateFrame {
  UpdateHeader header;
  bool first = true;
  bool last = true;
  std::uint64_t part = 0;
  std::size_t total_bytes = 0;  // of the whole body; known in the first part
  BytesView body;
};

// The frames of one update, in order: one, or several of at most `limits.max_part_bytes` of body each.
// Requires: `body` is not empty and `header` is valid (version >= 1, base_version < version, else a reason).
std::vector<SharedBytes> encode_state_frames(const UpdateHeader& header, BytesView body, const Limits& limits);

// Errors: kMalformed; kSnapshotTooBig for a total beyond what a patch to the largest snapshot can take.
[[nodiscard]] Result<StateFrame> decode_state_frame(BytesView message, const Limits& limits);

// Joins the parts of one topic's updates. Holds at most one unfinished update.
class FrameAssembler {
 public:
  // Takes the next frame of the topic. Returns the whole body once it is there (valid until the next call), else null.
  // A first part discards what was unfinished. Errors: kMalformed (a part out of order, more or fewer bytes than
  // announced, another update than the first part said); the unfinished update is discarded.
  [[nodiscard]] Result<const BytesView*> add(const StateFrame& frame);

 private:
  UpdateHeader header_;
  std::uint64_t next_part_ = 0;  // 0: nothing unfinished
  std::size_t total_bytes_ = 0;
  Bytes joined_;
  BytesView whole_;
};

}  // namespace libsync
