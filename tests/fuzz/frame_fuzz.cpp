// Any bytes as a sequence of state frames: what is accepted is encoded to the same bytes again.
// Input: repeatedly one byte n and n bytes of a frame.
#include <algorithm>
#include <cstdlib>

#include "libsync/frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  Limits limits;
  FrameAssembler assembler;
  for (std::size_t at = 0; at < size;) {
    const std::size_t count = std::min<std::size_t>(data[at], size - at - 1);
    const BytesView message(bytes + at + 1, count);
    at += 1 + count;
    const Result<StateFrame> frame = decode_state_frame(message, limits);
    if (!frame) continue;
    if (frame->first && frame->last) {
      const auto again = encode_state_frames(frame->header, frame->body, limits);
      if (again.size() != 1 || !std::ranges::equal(*again[0], message)) std::abort();
    }
    const Result<const BytesView*> whole = assembler.add(*frame);
    if (whole && *whole != nullptr && (*whole)->size() > limits.max_snapshot_bytes + 64) std::abort();
  }
  return 0;
}
