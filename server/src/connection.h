// connection.h: one WebSocket drives one Link. Reads the clock, owns the deadlines, logs.
//
//   accepting --101--> open --close frame--> closing --end of stream--> finished
//
// The link is asked for output only while the socket takes it, so what waits in memory for a slow peer is one
// batch of frames and the session's own bounded queue.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "admission.h"
#include "auth.h"
#include "clock.h"
#include "link.h"
#include "log.h"
#include "messages.h"
#include "ws_stream.h"

namespace libsync::server {

class Shard;

class Connection final : public WsStream::Observer,
                         public Link::Ports,
                         public std::enable_shared_from_this<Connection> {
 public:
  Connection(Shard& shard, std::uint64_t id, AnyStream stream, Identity identity, std::string peer,
             Admission::Ticket ticket);

  // Answers the upgrade, which has to be done by `deadline`.
  void start(HttpRequest request, TimePoint deadline);

  // --- From the shard.
  void granted(const Result<SessionGrant>& grant);
  void end_session(ErrorCode why);
  template <typename AnswerT>
  void answer(AnswerT answer) {
    if (link_) link_->answer(steady_now(), std::move(answer));
  }
  // Sends what the session has, as far as the socket takes it.
  void pump();
  void shut_down(Duration retry_after);
  // Ends without telling the shard, which is going itself.
  void abandon();

  bool has_timer() const { return armed_at_ != TimePoint::max(); }
  const SessionStats* stats() const { return link_ ? &link_->session().stats() : nullptr; }

  // --- From the stream.
  void on_accepted(error_code error) override;
  void on_message(bool text, BytesView bytes) override;
  void on_read_end(error_code error) override;
  void on_violation(FrameVerdict verdict) override;
  void on_sent(error_code error) override;
  void on_waiting() override { arm(); }
  void on_teardown() override;

  // --- From the link.
  void open_session(const SessionRequest& request) override;
  void confirm_secret(const InstanceKey& key) override;
  void close_session(const InstanceKey& key, bool for_good) override;
  void post(std::function<void(Room&)> function) override;
  Result<TimePoint> verify_token(const std::string& token) override;
  std::uint64_t random() override;
  void session_began(const std::string& sdk) override;
  void report(const Error& error, bool from_peer) override;

 private:
  void handle_text();
  // Says why as the session would, then closes.
  void refuse(CloseCode close_code, ErrorCode code, const std::string& detail);
  void begin_close(CloseCode code, const std::string& reason);
  void finish();
  void arm();
  void on_timer();
  // One line of level ERROR per connection; what follows it is DEBUG.
  void log_fault(ErrorCode code, std::string_view detail);
  void log(LogLevel level, ErrorCode code, std::string_view detail) const;

  Shard& shard_;
  const std::uint64_t id_;
  const std::string user_;
  const std::int64_t token_expires_at_;  // seconds since 1970
  const std::string subprotocol_;
  const std::string peer_;
  Admission::Ticket ticket_;
  WsStream stream_;
  std::optional<Link> link_;
  std::vector<OutMessage> texts_;  // answers to text frames, at most one waits

  asio::steady_timer timer_;
  TimePoint armed_at_ = TimePoint::max();
  std::uint64_t timer_generation_ = 0;
  TimePoint session_deadline_ = TimePoint::max();
  TimePoint end_deadline_ = TimePoint::max();  // the connection ends then: handshake or close took too long
  bool closing_ = false;
  bool finished_ = false;
  bool fault_logged_ = false;
};

}  // namespace libsync::server
