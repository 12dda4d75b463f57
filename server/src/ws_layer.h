// ws_layer.h: what lies between Beast's WebSocket and the byte stream. Only ws_stream.cpp puts Beast on top of it.
//
// Everything that leaves goes through one queue here: our own frames, which are written without Beast's copies, and
// the few that Beast makes (101, pong, close). Nothing interleaves, because each job is written to its end. Everything
// that arrives passes the FrameGuard.
#pragma once

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/role.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "any_stream.h"
#include "clock.h"
#include "frame_guard.h"

namespace libsync::server {

class WsLayer {
 public:
  using executor_type = Executor;
  using OnViolation = std::function<void(FrameVerdict)>;

  WsLayer(AnyStream stream, const FrameLimits& limits) : stream_(std::move(stream)), guard_(limits, steady_now()) {}
  WsLayer(const WsLayer&) = delete;
  WsLayer& operator=(const WsLayer&) = delete;

  executor_type get_executor() const noexcept { return stream_.get_executor(); }

  // From here on frames travel, and the guard looks at them.
  void begin_frames(OnViolation on_violation) { on_violation_ = std::move(on_violation); }

  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [](auto handler, WsLayer* self, ReadBuffers list) { self->read(list, IoHandler(std::move(handler))); }, token,
        this, ReadBuffers(buffers));
  }

  // Writes all of the buffers that a BufferList takes: Beast's control frames are one buffer.
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [](auto handler, WsLayer* self, WriteBuffers list) {
          self->write_for_beast(list, IoHandler(std::move(handler)));
        },
        token, this, WriteBuffers(buffers));
  }

  // Writes our own frames. True: all of it has gone, `done` is not called. False: `done` will be.
  // Requires: the buffers stay valid until then.
  bool write(std::vector<asio::const_buffer> buffers, IoHandler done);
  // As write(), for the last frame: a close. What Beast still wants to send is dropped.
  bool write_last(std::vector<asio::const_buffer> buffers, IoHandler done) {
    const bool gone = write(std::move(buffers), std::move(done));
    closed_ = true;
    return gone;
  }

  bool is_writing() const { return !jobs_.empty(); }
  // When the oldest write began that has not ended.
  std::optional<TimePoint> writing_since() const { return writing_since_; }
  std::optional<TimePoint> incomplete_since() const { return guard_.incomplete_since(); }
  StreamBase& base() { return stream_.base(); }

  // Ends our direction, then throws away what still arrives until the peer has ended its own: closing a socket with
  // unread data would send a reset and destroy our close frame on its way. The connection bounds the time.
  template <typename Handler>
  void end(Handler handler) {
    stream_.base().shutdown_send();
    if (on_teardown) on_teardown();
    // Shared, because a std::function must be copyable.
    auto shared = std::make_shared<Handler>(std::move(handler));
    drain(std::make_shared<std::array<char, 512>>(), [shared] { std::move (*shared)(error_code()); });
  }
  std::function<void()> on_teardown;

 private:
  struct Job {
    std::vector<asio::const_buffer> buffers;
    IoHandler handler;
  };

  void read(ReadBuffers buffers, IoHandler handler);
  bool inspect(const ReadBuffers& buffers, std::size_t size_bytes);
  void write_for_beast(const WriteBuffers& buffers, IoHandler handler);
  void start(Job job);
  void run_front();
  void drain(std::shared_ptr<std::array<char, 512>> scratch, std::function<void()> done);

  AnyStream stream_;
  FrameGuard guard_;
  OnViolation on_violation_;
  bool violated_ = false;  // what still arrives is thrown away
  bool closed_ = false;    // a close frame is queued or gone: nothing may follow it
  std::deque<Job> jobs_;   // the front one is being written; at most one of ours and one of Beast's, and the close
  std::optional<TimePoint> writing_since_;
};

// How Beast ends the stream below it.
template <typename Handler>
void async_teardown(boost::beast::role_type, WsLayer& layer, Handler&& handler) {
  layer.end(std::forward<Handler>(handler));
}
inline void teardown(boost::beast::role_type, WsLayer& layer, error_code& error) {
  layer.base().shutdown_send();
  error = {};
}
inline void beast_close_socket(WsLayer& layer) { layer.base().close(); }

}  // namespace libsync::server
