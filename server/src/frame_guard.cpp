#include "frame_guard.h"

#include <algorithm>

namespace libsync::server {
namespace {

// RFC 6455 section 5.2.
constexpr std::byte kFin{0x80};
constexpr std::byte kControlBit{0x08};
constexpr std::byte kMasked{0x80};
constexpr std::byte kLength{0x7f};

}  // namespace

FrameVerdict FrameGuard::feed(TimePoint now, BytesView bytes) {
  while (!bytes.empty()) {
    if (!incomplete_since_) incomplete_since_ = now;
    if (payload_left_ > 0) {
      const auto skipped = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, bytes.size()));
      payload_left_ -= skipped;
      bytes = bytes.subspan(skipped);
    } else {
      header_[header_bytes_++] = bytes.front();
      bytes = bytes.subspan(1);
      if (header_bytes_ == 2) {
        const auto length = std::to_integer<std::size_t>(header_[1] & kLength);
        header_size_ = 2 +
                       (length == 127   ? 8u
                        : length == 126 ? 2u
                                        : 0u) +
                       ((header_[1] & kMasked) != std::byte{} ? 4u : 0u);
      }
      if (header_bytes_ < 2 || header_bytes_ < header_size_) continue;
      const FrameVerdict verdict = begin_frame(now);
      if (verdict != FrameVerdict::kFine) return verdict;
      header_bytes_ = 0;
      header_size_ = 2;
    }
    if (payload_left_ > 0) continue;
    if (message_ends_) {
      message_frames_ = 0;
      message_bytes_ = 0;
      message_ends_ = false;
    }
    if (message_frames_ == 0) incomplete_since_.reset();
  }
  return FrameVerdict::kFine;
}

// The header is complete: counts the frame and sets what is left of it.
FrameVerdict FrameGuard::begin_frame(TimePoint now) {
  const auto short_length = std::to_integer<std::size_t>(header_[1] & kLength);
  const std::size_t n_length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
  std::uint64_t length = n_length_bytes == 0 ? short_length : 0;
  for (std::size_t i = 0; i < n_length_bytes; ++i)
    length = length << 8 | std::to_integer<std::uint64_t>(header_[2 + i]);
  payload_left_ = length;

  if ((header_[0] & kControlBit) != std::byte{}) {
    return control_bucket_.take(now, 1) ? FrameVerdict::kFine : FrameVerdict::kTooManyControlFrames;
  }
  ++message_frames_;
  if (message_frames_ > limits_.max_frames_per_message) return FrameVerdict::kTooManyFrames;
  if (length > limits_.max_message_bytes - message_bytes_) return FrameVerdict::kMessageTooBig;
  message_bytes_ += length;
  message_ends_ = (header_[0] & kFin) != std::byte{};
  return FrameVerdict::kFine;
}

}  // namespace libsync::server
