// ws_stream.h: one WebSocket in the server's role. Beast does the handshake, reads, checks and answers pings;
// our own frames go past it, several in one send.
#pragma once

#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "any_stream.h"
#include "frame_guard.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync::server {

using HttpRequest = boost::beast::http::request<boost::beast::http::empty_body>;

struct OutMessage {
  SharedBytes bytes;
  bool text = false;
};

// Used by its shard's thread alone.
class WsStream {
 public:
  // Told what happens. Callbacks never come from within a call to the stream, except on_waiting.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void on_accepted(error_code error) = 0;
    // A whole message; `bytes` are valid during the call.
    virtual void on_message(bool text, BytesView bytes) = 0;
    // Nothing more will arrive. boost::beast::websocket::error::closed: the peer closed properly.
    virtual void on_read_end(error_code error) = 0;
    // The peer broke a limit; what it sends is thrown away from here on. The connection should be closed.
    virtual void on_violation(FrameVerdict verdict) = 0;
    // What send() began has ended.
    virtual void on_sent(error_code error) = 0;
    // The socket does not take more: write_deadline() came nearer.
    virtual void on_waiting() = 0;
    // A close frame went in either direction; on_read_end follows when the peer ends the stream.
    virtual void on_teardown() = 0;
  };

  WsStream(AnyStream stream, const FrameLimits& limits);
  ~WsStream();

  // Answers the upgrade, selecting `subprotocol` unless it is empty; on_accepted follows. The stream keeps its observer
  // alive as long as something is under way. Requires: `observer` owns this stream.
  void accept(HttpRequest request, const std::string& subprotocol, const std::shared_ptr<Observer>& observer);
  // Reads until on_read_end. Requires: accepted; called once.
  void start_reading();

  // Sends messages in order, in one piece. True: they have gone. False: on_sent follows.
  // Requires: accepted; !is_sending(); not closed.
  bool send(std::vector<OutMessage> messages);
  // Sends a close frame after everything else. Requires: accepted. `reason`: as much of it as fits.
  void close(CloseCode code, const std::string& reason);
  // Ends the connection at once; what is under way fails.
  void abort();

  bool is_sending() const;
  // When the peer is too slow: a write or a message from it that does not end within 10 s. max(): nothing is open.
  TimePoint write_deadline() const;
  TimePoint message_deadline() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// True for the ends of a connection that are nobody's fault: closed, reset, aborted by ourselves.
bool is_ordinary_end(error_code error);

}  // namespace libsync::server
