// frame_guard.h: counts WebSocket frames as they arrive, before Beast sees them. Beast checks that frames are well
// formed; it does not mind a message of endless empty fragments, or a flood of pings. No I/O.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "libsync/token_bucket.h"
#include "libsync/types.h"

namespace libsync::server {

struct FrameLimits {
  std::size_t max_message_bytes = 64u << 10;
  std::uint32_t max_frames_per_message = 64;
  std::uint32_t control_frames_per_second = 1;
  std::uint32_t control_frames_burst = 10;
};

enum class FrameVerdict : std::uint8_t { kFine, kMessageTooBig, kTooManyFrames, kTooManyControlFrames };

class FrameGuard {
 public:
  FrameGuard(const FrameLimits& limits, TimePoint now)
      : limits_(limits), control_bucket_(limits.control_frames_per_second, limits.control_frames_burst, now) {}

  // Looks at the next bytes of the peer. The first verdict that is not kFine is the last; what follows it is not
  // looked at. A message that is too big is known by its header, before it arrives.
  FrameVerdict feed(TimePoint now, BytesView bytes);

  // When the message or frame that is still incomplete began; nothing between messages.
  std::optional<TimePoint> incomplete_since() const { return incomplete_since_; }

 private:
  FrameVerdict begin_frame(TimePoint now);

  FrameLimits limits_;
  TokenBucket control_bucket_;
  std::array<std::byte, 14> header_{};
  std::size_t header_bytes_ = 0;  // of the frame's header, so far
  std::size_t header_size_ = 2;   // as far as it is known
  std::uint64_t payload_left_ = 0;
  std::uint32_t message_frames_ = 0;  // of the message under way; 0: none
  std::uint64_t message_bytes_ = 0;
  bool message_ends_ = false;  // the frame under way is its last
  std::optional<TimePoint> incomplete_since_;
};

}  // namespace libsync::server
