// State frames.
#include <string>
#include <utility>
#include <vector>

#include "libsync/frame.h"
#include "libsync/message.h"
#include "unit/support.h"
#include "vectors.h"

namespace libsync::vectors {

using test::bytes_of;
using test::to_hex;

namespace {

Object frame_object(const std::string& name, BytesView bytes) {
  constexpr const char* kKinds[] = {"patch", "full", "chunk diff"};
  const Result<StateFrame> frame = decode_state_frame(bytes, Limits{});
  Object object = {{"name", name}, {"frame", to_hex(bytes)}, {"error", frame ? "" : name_of(frame.error().code)}};
  if (!frame) return object;
  const UpdateHeader& header = frame->header;
  object.insert(object.end(), {{"topic", std::to_string(header.topic.value)},
                               {"version", std::to_string(header.version.value)},
                               {"kind", kKinds[static_cast<std::size_t>(header.kind)]},
                               {"base_version", std::to_string(header.base_version.value)},
                               {"reason", std::to_string(static_cast<int>(header.reason))},
                               {"first", frame->first ? "1" : "0"},
                               {"last", frame->last ? "1" : "0"},
                               {"part", std::to_string(frame->part)},
                               {"total_bytes", std::to_string(frame->total_bytes)},
                               {"body", to_hex(frame->body)}});
  return object;
}

}  // namespace

std::vector<Object> frames() {
  std::vector<Object> objects;
  Limits parts;
  parts.max_part_bytes = 5;
  const UpdateHeader patch{TopicId{300}, Version{1'000'000}, UpdateKind::kPatch, Version{999'997}, FullReason::kNone};
  const UpdateHeader full{TopicId{1}, Version{1}, UpdateKind::kFull, Version{}, FullReason::kEpochChanged};
  const UpdateHeader far{TopicId{0xffffffff}, Version{~0ull}, UpdateKind::kPatch, Version{1}, FullReason::kNone};
  const UpdateHeader chunk_diff{TopicId{7}, Version{130}, UpdateKind::kChunkDiff, Version{}, FullReason::kBaselineGone};
  const Bytes body = bytes_of("twelve bytes");
  for (const auto& [name, header] : {std::pair{"patch", patch}, std::pair{"full", full}, std::pair{"far", far},
                                     std::pair{"chunk diff", chunk_diff}}) {
    objects.push_back(frame_object(name, *encode_state_frames(header, body, Limits{})[0]));
    int part = 0;
    for (const SharedBytes& frame : encode_state_frames(header, body, parts)) {
      objects.push_back(frame_object(std::string(name) + ", part " + std::to_string(part++), *frame));
    }
  }
  const int whole = 0b11'00'01, whole_full = 0b11'01'01;
  const std::pair<const char*, Bytes> refused[] = {
      {"no bytes", bytes_of({})},
      {"unknown frame format", bytes_of({whole | 0b01'000000, 1, 2, 1, 0})},
      {"chunk diff without a reason", bytes_of({0b11'10'01, 1, 2, 0, 0})},
      {"unknown kind", bytes_of({0b11'11'01, 1, 2, 1, 0})},
      {"version zero", bytes_of({whole, 1, 0, 1, 0})},
      {"back by nothing", bytes_of({whole, 1, 2, 0, 0})},
      {"back to zero", bytes_of({whole, 1, 2, 2, 0})},
      {"varint longer than needed", bytes_of({whole, 0x81, 0x00, 2, 1, 0})},
      {"topic beyond 32 bits", bytes_of({whole, 0xff, 0xff, 0xff, 0xff, 0x1f, 2, 1, 0})},
      {"no reason", bytes_of({whole_full, 1, 1, 0, 0})},
      {"unknown reason", bytes_of({whole_full, 1, 1, 99, 0})},
      {"first part with another number", bytes_of({0b01'01'01, 1, 1, 1, 1, 9, 0})},
      {"later part with number zero", bytes_of({0b00'01'01, 1, 1, 1, 0, 0})},
      {"total that this part already holds", bytes_of({0b01'01'01, 1, 1, 1, 0, 1, 0})},
      {"total above the limit", bytes_of({0b01'01'01, 1, 1, 1, 0, 0xff, 0xff, 0xff, 0x7f, 0})},
      {"no body", bytes_of({whole, 1, 2, 1})},
  };
  for (const auto& [name, bytes] : refused) objects.push_back(frame_object(name, bytes));
  return objects;
}

}  // namespace libsync::vectors
