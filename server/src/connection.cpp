#include "connection.h"

#include <algorithm>
#include <boost/beast/websocket/error.hpp>
#include <chrono>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "clock.h"
#include "http_reply.h"
#include "random.h"
#include "shard.h"

namespace libsync::server {
namespace {

constexpr Duration kCloseTimeout = std::chrono::seconds(2);
// Ready frames leave in one send up to about so many bytes: the size of the socket's buffer.
constexpr std::size_t kGatherBytes = 64u << 10;

FrameLimits make_frame_limits(const Limits& limits) {
  FrameLimits frames;
  frames.max_message_bytes = limits.max_message_bytes;
  return frames;
}

// A dead path and an expired token are ordinary ends; so is a topic that does not exist, a client that came back before
// it was missed, and one that the ledger has forgotten.
bool is_fault(ErrorCode code) {
  return code != ErrorCode::kHeartbeatTimeout && code != ErrorCode::kTokenExpired &&
         code != ErrorCode::kForbiddenTopic && code != ErrorCode::kUnknownTopic && code != ErrorCode::kReplaced &&
         code != ErrorCode::kUnknownInstance;
}

SharedBytes to_shared(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return std::make_shared<const Bytes>(bytes.begin(), bytes.end());
}

}  // namespace

Connection::Connection(Shard& shard, std::uint64_t id, AnyStream stream, Identity identity, std::string peer,
                       Admission::Ticket ticket)
    : shard_(shard),
      id_(id),
      user_(std::move(identity.claims.subject)),
      token_expires_at_(identity.claims.expires_at),
      subprotocol_(std::move(identity.subprotocol)),
      peer_(std::move(peer)),
      ticket_(std::move(ticket)),
      stream_(std::move(stream), make_frame_limits(shard.context().limits)),
      timer_(shard.io()) {}

// --- Beginning ---------------------------------------------------------------------------------------------

void Connection::start(HttpRequest request, TimePoint deadline) {
  end_deadline_ = deadline;
  arm();
  stream_.accept(std::move(request), subprotocol_, shared_from_this());
}

void Connection::on_accepted(error_code error) {
  if (finished_) return;
  if (error) {
    log(LogLevel::kInfo, ErrorCode::kNone, "upgrade failed: " + error.message());
    return finish();
  }
  end_deadline_ = TimePoint::max();
  const TimePoint now = steady_now();
  const ServerContext& context = shard_.context();
  ServerSessionConfig config;
  config.server = kServerName;
  config.owner = this;
  config.schema_fingerprints = {context.schema_fingerprint};
  config.token_expires_at = now + std::chrono::seconds(token_expires_at_ - unix_now());
  link_.emplace(*this, shard_.broadcaster(), context.limits, user_, ConnectionRef{shard_.index(), id_},
                std::move(config), now);
  stream_.start_reading();
  log(LogLevel::kInfo, ErrorCode::kNone, "connected");
  if (shard_.is_draining()) return shut_down(shard_.random_retry());
  pump();
}

// --- From the home -----------------------------------------------------------------------------------------

void Connection::granted(const Result<SessionGrant>& grant) {
  if (!link_) return;
  link_->granted(steady_now(), grant);
  pump();
}

void Connection::end_session(ErrorCode why) {
  if (!link_) return;
  link_->end_session(steady_now(), why);
  pump();
}

// --- From the peer -----------------------------------------------------------------------------------------

void Connection::on_message(bool text, BytesView bytes) {
  if (finished_ || closing_) return;
  if (text) {
    handle_text();
  } else {
    link_->handle_frame(steady_now(), bytes);
  }
  pump();
}

// The protocol is binary; text is what somebody types who tries the server by hand.
void Connection::handle_text() {
  const bool dev = shard_.context().config.dev;
  const std::string message =
      dev ? "libsync speaks binary frames; tolerated because of --dev" : "libsync speaks binary frames";
  if (texts_.empty()) texts_.push_back({to_shared(make_error_json(ErrorCode::kTextFrame, message)), true});
  log_fault(ErrorCode::kTextFrame, "text frame");
}

void Connection::on_violation(FrameVerdict verdict) {
  if (finished_ || closing_) return;
  switch (verdict) {
    case FrameVerdict::kFine: return;
    case FrameVerdict::kMessageTooBig:
      return refuse(CloseCode::kMessageTooBig, ErrorCode::kMessageTooBig, "message above the limit");
    case FrameVerdict::kTooManyFrames:
      return refuse(CloseCode::kProtocolError, ErrorCode::kMalformed, "message of too many frames");
    case FrameVerdict::kTooManyControlFrames:
      return refuse(CloseCode::kRateLimited, ErrorCode::kRateLimited, "too many control frames");
  }
}

void Connection::on_read_end(error_code error) {
  if (finished_) return;
  if (!is_ordinary_end(error)) log_fault(ErrorCode::kMalformed, "WebSocket: " + error.message());
  finish();
}

// --- From the session --------------------------------------------------------------------------------------

void Connection::pump() {
  if (finished_ || closing_ || !link_) return;
  const TimePoint now = steady_now();
  bool drained = false;
  while (!drained && !stream_.is_sending()) {
    std::vector<OutMessage> batch = std::exchange(texts_, {});
    std::optional<CloseConnection> close;
    if (!batch.empty() && !shard_.context().config.dev) {
      close = CloseConnection{CloseCode::kTextFrame, ErrorCode::kTextFrame, "text frame"};
    }
    std::size_t size_bytes = 0;
    while (!drained && !close && size_bytes < kGatherBytes) {
      Link::Output output = link_->poll_output(now);
      if (auto* transmit = std::get_if<Transmit>(&output)) {
        size_bytes += transmit->message->size();
        batch.push_back({std::move(transmit->message), false});
      } else if (auto* ended = std::get_if<CloseConnection>(&output)) {
        close = std::move(*ended);
      } else {
        session_deadline_ = std::get<Deadline>(output).at;
        drained = true;
      }
    }
    if (!batch.empty()) stream_.send(std::move(batch));
    if (close) return begin_close(close->close_code, close->reason);
  }
  arm();
}

// --- From the link -----------------------------------------------------------------------------------------

void Connection::open_session(const SessionRequest& request) {
  Shard& home = shard_.context().home_of(user_);
  home.post([&home, request] { home.home_open(request); });
}

void Connection::confirm_secret(const InstanceKey& key) {
  Shard& home = shard_.context().home_of(user_);
  home.post([&home, key, id = id_] { home.home().confirm_secret(key, id); });
}

void Connection::close_session(const InstanceKey& key, bool for_good) {
  Shard& home = shard_.context().home_of(user_);
  home.post([&home, key, id = id_, for_good] { home.home_close(key, id, for_good); });
}

void Connection::post(std::function<void(Room&)> function) { shard_.context().room.post(std::move(function)); }

Result<TimePoint> Connection::verify_token(const std::string& token) {
  const AuthConfig& auth = shard_.context().auth;
  const std::int64_t now = unix_now();
  const Result<Claims> claims = verify_jwt(token, auth.key, auth.policy, now);
  if (!claims) return claims.error();
  if (claims->subject != user_) return Error{ErrorCode::kUnauthenticated, "the new token is of another user"};
  return steady_now() + std::chrono::seconds(claims->expires_at - now);
}

std::uint64_t Connection::random() { return random_u64(); }

void Connection::session_began(const std::string& sdk) { log(LogLevel::kInfo, ErrorCode::kNone, "session of " + sdk); }

void Connection::report(const Error& error, bool from_peer) {
  const std::string detail = (from_peer ? "client reports: " : "") + error.detail;
  if (is_fault(error.code)) {
    log_fault(error.code, detail);
  } else {
    log(LogLevel::kWarn, error.code, detail);
  }
}

// --- Ending ------------------------------------------------------------------------------------------------

void Connection::refuse(CloseCode close_code, ErrorCode code, const std::string& detail) {
  log_fault(code, detail);
  link_->disconnect(steady_now(), close_code, code, detail);
  pump();
}

void Connection::shut_down(Duration retry_after) {
  if (!link_) return;  // told as soon as it begins
  link_->disconnect(steady_now(), CloseCode::kServiceRestart, ErrorCode::kShuttingDown, "the server is going away",
                    retry_after);
  pump();
}

void Connection::begin_close(CloseCode code, const std::string& reason) {
  closing_ = true;
  stream_.close(code, reason);
  end_deadline_ = steady_now() + kCloseTimeout;
  arm();
}

void Connection::on_teardown() {
  if (finished_) return;
  closing_ = true;
  end_deadline_ = std::min(end_deadline_, steady_now() + kCloseTimeout);
  arm();
}

void Connection::on_sent(error_code error) {
  if (finished_) return;
  if (error) return finish();
  pump();
}

void Connection::finish() {
  if (std::exchange(finished_, true)) return;
  log(LogLevel::kInfo, ErrorCode::kNone, "ended");
  if (link_) link_->end();
  const std::optional<SessionStats> stats = link_ ? std::optional(link_->session().stats()) : std::nullopt;
  abandon();
  shard_.remove_connection(id_, stats ? &*stats : nullptr);
}

void Connection::abandon() {
  finished_ = true;
  timer_.cancel();
  armed_at_ = TimePoint::max();
  stream_.abort();
  link_.reset();
  // What the socket still held is given back; the object itself goes with its last handler.
  Admission::Ticket ended = std::move(ticket_);
}

// --- Time --------------------------------------------------------------------------------------------------

// One timer for everything. It is not set anew for a later moment: it then fires early, once, and is set again.
void Connection::arm() {
  if (finished_) return;
  TimePoint at = end_deadline_;
  if (!closing_) {
    at = std::min({at, stream_.write_deadline(), stream_.message_deadline()});
    if (!stream_.is_sending()) at = std::min(at, session_deadline_);
  }
  if (at == TimePoint::max() || armed_at_ <= at) return;
  armed_at_ = at;
  timer_.expires_at(to_steady(at));
  timer_.async_wait([self = shared_from_this(), generation = ++timer_generation_](error_code error) {
    if (error || generation != self->timer_generation_ || self->finished_) return;
    self->armed_at_ = TimePoint::max();
    self->on_timer();
  });
}

void Connection::on_timer() {
  const TimePoint now = steady_now();
  if (now >= end_deadline_) return finish();
  if (!closing_ && now >= stream_.write_deadline()) {
    log_fault(ErrorCode::kSlowConsumer, "does not read");
    return finish();
  }
  if (!closing_ && link_ && now >= stream_.message_deadline()) {
    return refuse(CloseCode::kProtocolError, ErrorCode::kMalformed, "a message did not end in time");
  }
  if (!closing_ && link_ && !stream_.is_sending() && now >= session_deadline_) {
    session_deadline_ = TimePoint::max();
    link_->handle_timeout(now);
    pump();
  }
  arm();
}

void Connection::log_fault(ErrorCode code, std::string_view detail) {
  log(std::exchange(fault_logged_, true) ? LogLevel::kDebug : LogLevel::kError, code, detail);
}

void Connection::log(LogLevel level, ErrorCode code, std::string_view detail) const {
  shard_.context().log.write(level, LogLine{id_, user_, peer_, code, detail});
}

}  // namespace libsync::server
