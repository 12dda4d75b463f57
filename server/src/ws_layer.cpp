#include "ws_layer.h"

#include <algorithm>

namespace libsync::server {
namespace {

// First byte of a close frame that is not fragmented. RFC 6455 section 5.2.
constexpr std::uint8_t kCloseFrame = 0x88;

}  // namespace

void WsLayer::read(ReadBuffers buffers, IoHandler handler) {
  stream_.base().async_read_some(
      buffers, [this, buffers, handler = std::move(handler)](error_code error, std::size_t size_bytes) mutable {
        // After a violation Beast sees nothing more, but reading goes on until the end of the stream: closing a
        // socket with unread data would send a reset and destroy our last words on their way.
        if (!error && on_violation_ && !inspect(buffers, size_bytes)) return read(buffers, std::move(handler));
        std::move(handler)(error, size_bytes);
      });
}

bool WsLayer::inspect(const ReadBuffers& buffers, std::size_t size_bytes) {
  if (violated_) return false;
  const TimePoint now = steady_now();
  for (const asio::mutable_buffer& buffer : buffers) {
    const std::size_t here = std::min(size_bytes, buffer.size());
    const FrameVerdict verdict = guard_.feed(now, BytesView(static_cast<const std::byte*>(buffer.data()), here));
    if (verdict != FrameVerdict::kFine) {
      violated_ = true;
      on_violation_(verdict);
      return false;
    }
    size_bytes -= here;
  }
  return true;
}

void WsLayer::write_for_beast(const WriteBuffers& buffers, IoHandler handler) {
  const std::size_t size_bytes = asio::buffer_size(buffers);
  if (closed_) {
    asio::post(get_executor(),
               [handler = std::move(handler), size_bytes]() mutable { std::move(handler)(error_code(), size_bytes); });
    return;
  }
  if (on_violation_ && size_bytes > 0) {
    closed_ = *static_cast<const std::uint8_t*>(buffers.begin()->data()) == kCloseFrame;
  }
  start(Job{{buffers.begin(), buffers.end()}, std::move(handler)});
}

bool WsLayer::write(std::vector<asio::const_buffer> buffers, IoHandler done) {
  if (closed_) return true;
  if (jobs_.empty()) {
    // Most peers keep up, and then nothing has to wait or be allocated.
    while (!buffers.empty()) {
      error_code error;
      std::size_t written = stream_.base().write_now(WriteBuffers(buffers), error);
      if (error) break;  // would_block, or an error that the waiting write will meet again
      auto first = buffers.begin();
      while (first != buffers.end() && written >= first->size()) written -= (first++)->size();
      buffers.erase(buffers.begin(), first);
      if (written > 0) buffers.front() += written;
    }
    if (buffers.empty()) return true;
  }
  start(Job{std::move(buffers), std::move(done)});
  return false;
}

void WsLayer::start(Job job) {
  jobs_.push_back(std::move(job));
  if (jobs_.size() == 1) run_front();
}

void WsLayer::run_front() {
  writing_since_ = steady_now();
  asio::async_write(stream_, jobs_.front().buffers, [this](error_code error, std::size_t size_bytes) {
    IoHandler handler = std::move(jobs_.front().handler);
    jobs_.pop_front();
    writing_since_.reset();
    if (!jobs_.empty()) run_front();
    // Last, because it may let go of the last owner of this layer.
    std::move(handler)(error, size_bytes);
  });
}

void WsLayer::drain(std::shared_ptr<std::array<char, 512>> scratch, std::function<void()> done) {
  const ReadBuffers buffers(asio::buffer(*scratch));
  stream_.base().async_read_some(buffers, [this, scratch, done = std::move(done)](error_code error, std::size_t) {
    if (error) return done();
    drain(scratch, done);
  });
}

}  // namespace libsync::server
