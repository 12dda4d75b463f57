#include "libsync/frame.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "byte_reader.h"
#include "byte_writer.h"
#include "libsync/patch.h"

namespace libsync {
namespace {

constexpr std::uint8_t kStateTag = 0b01;
constexpr std::uint8_t kFirst = 1u << 4;
constexpr std::uint8_t kLast = 1u << 5;
constexpr std::uint64_t kMaxTopic = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kMaxVersion = std::numeric_limits<std::uint64_t>::max();

Error malformed(const char* detail) { return Error{ErrorCode::kMalformed, std::string("state frame: ") + detail}; }

void write_header(ByteWriter& writer, const UpdateHeader& header, bool first, bool last, std::uint64_t part,
                  std::size_t total_bytes) {
  const auto kind = static_cast<std::uint8_t>(header.kind);
  writer.u8(static_cast<std::uint8_t>(kStateTag | kind << 2 | (first ? kFirst : 0) | (last ? kLast : 0)));
  writer.varint(header.topic.value);
  writer.varint(header.version.value);
  if (header.kind == UpdateKind::kPatch) {
    writer.varint(header.version.value - header.base_version.value);
  } else {
    writer.u8(static_cast<std::uint8_t>(header.reason));
  }
  if (!first || !last) writer.varint(part);
  if (first && !last) writer.varint(total_bytes);
}

}  // namespace

MessageKind message_kind(BytesView message) {
  if (message.empty()) return MessageKind::kInvalid;
  switch (std::to_integer<std::uint8_t>(message[0]) & 3) {
    case 0: return MessageKind::kControl;
    case kStateTag: return MessageKind::kState;
    default: return MessageKind::kInvalid;
  }
}

std::vector<SharedBytes> encode_state_frames(const UpdateHeader& header, BytesView body, const Limits& limits) {
  SYNC_ASSERT(!body.empty() && header.version.value >= 1);
  SYNC_ASSERT(header.kind == UpdateKind::kPatch ? header.base_version.value >= 1 && header.base_version < header.version
                                                : header.reason != FullReason::kNone);
  std::vector<SharedBytes> frames;
  const std::size_t part_bytes = std::max<std::size_t>(limits.max_part_bytes, 1);
  for (std::size_t begin = 0; begin < body.size(); begin += part_bytes) {
    const std::size_t count = std::min(part_bytes, body.size() - begin);
    auto frame = std::make_shared<Bytes>();
    frame->reserve(24 + count);
    ByteWriter writer(*frame);
    write_header(writer, header, begin == 0, begin + count == body.size(), begin / part_bytes, body.size());
    writer.bytes(body.subspan(begin, count));
    frames.push_back(std::move(frame));
  }
  return frames;
}

Result<StateFrame> decode_state_frame(BytesView message, const Limits& limits) {
  ByteReader reader(message);
  StateFrame frame;
  std::uint8_t tag = 0;
  std::uint64_t value = 0;
  if (!reader.read_u8(tag) || (tag & 3) != kStateTag) return malformed("not a state frame");
  if (tag >> 6 != 0) return malformed("unknown format");
  if ((tag >> 2 & 3) > static_cast<std::uint8_t>(UpdateKind::kChunkDiff)) return malformed("unknown kind");
  frame.header.kind = static_cast<UpdateKind>(tag >> 2 & 3);
  frame.first = (tag & kFirst) != 0;
  frame.last = (tag & kLast) != 0;
  if (!reader.read_varint(value, kMaxTopic)) return malformed("bad topic");
  frame.header.topic.value = static_cast<std::uint32_t>(value);
  if (!reader.read_varint(value, kMaxVersion) || value == 0) return malformed("bad version");
  frame.header.version.value = value;
  if (frame.header.kind == UpdateKind::kPatch) {
    if (!reader.read_varint(value, kMaxVersion) || value == 0 || value >= frame.header.version.value) {
      return malformed("bad base version");
    }
    frame.header.base_version.value = frame.header.version.value - value;
  } else {
    std::uint8_t reason = 0;
    if (!reader.read_u8(reason) || reason == 0 || reason > static_cast<std::uint8_t>(FullReason::MAX)) {
      return malformed("bad reason");
    }
    frame.header.reason = static_cast<FullReason>(reason);
  }
  if (!frame.first || !frame.last) {
    if (!reader.read_varint(frame.part, kMaxVersion) || (frame.part == 0) != frame.first) return malformed("bad part");
  }
  if (frame.first && !frame.last) {
    if (!reader.read_varint(value, kMaxVersion)) return malformed("bad total");
    if (value > limits.max_snapshot_bytes + kPatchOverheadBytes) {
      return Error{ErrorCode::kSnapshotTooBig, "state frame: update above the limit"};
    }
    frame.total_bytes = value;
  }
  frame.body = reader.rest();
  if (frame.body.empty()) return malformed("no body");
  if (frame.first && frame.last) frame.total_bytes = frame.body.size();
  if (frame.first && !frame.last && frame.total_bytes <= frame.body.size()) return malformed("bad total");
  return frame;
}

Result<const BytesView*> FrameAssembler::add(const StateFrame& frame) {
  if (frame.first && frame.last) {
    next_part_ = 0;
    joined_.clear();
    whole_ = frame.body;
    return &whole_;
  }
  if (frame.first) {
    header_ = frame.header;
    total_bytes_ = frame.total_bytes;
    next_part_ = 0;
    joined_.clear();
  } else if (next_part_ == 0 || frame.part != next_part_ || frame.header != header_) {
    next_part_ = 0;
    return malformed("part out of order");
  }
  if (frame.body.size() > total_bytes_ - joined_.size()) {
    next_part_ = 0;
    return malformed("more bytes than announced");
  }
  // Grows with what arrives, not with what was announced.
  joined_.insert(joined_.end(), frame.body.begin(), frame.body.end());
  ++next_part_;
  if (frame.last != (joined_.size() == total_bytes_)) {
    next_part_ = 0;
    return malformed("other bytes than announced");
  }
  if (!frame.last) return static_cast<const BytesView*>(nullptr);
  next_part_ = 0;
  whole_ = joined_;
  return &whole_;
}

}  // namespace libsync
