#include "http_session.h"

#include <algorithm>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <utility>

#include "auth.h"
#include "clock.h"
#include "shard.h"

namespace libsync::server {

namespace http = boost::beast::http;

namespace {

constexpr Duration kRequestTimeout = std::chrono::seconds(5);  // idle time before it included
constexpr Duration kWriteTimeout = std::chrono::seconds(10);
constexpr Duration kLingerTimeout = std::chrono::seconds(1);
constexpr std::uint32_t kMaxHeaderBytes = 8u << 10;

// 16 bytes in base64 (RFC 6455 section 4.1). Beast takes any text.
bool is_websocket_key(boost::beast::string_view key) {
  if (key.size() != 24 || !key.ends_with("==")) return false;
  return std::all_of(key.begin(), key.end() - 2, [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  });
}

bool is_over_limit(error_code error) {
  return error == http::error::header_limit || error == http::error::buffer_overflow;
}

}  // namespace

HttpSession::HttpSession(Shard& shard, std::uint64_t id, AnyStream stream, std::string peer,
                         std::optional<Admission::Ticket> ticket)
    : shard_(shard),
      id_(id),
      stream_(std::move(stream)),
      peer_(std::move(peer)),
      ticket_(std::move(ticket)),
      timer_(shard.io()),
      buffer_(kMaxHeaderBytes) {}

void HttpSession::start() { read(); }

void HttpSession::shut_down() {
  last_ = true;
  if (!writing_) finish();
}

void HttpSession::abandon() {
  finished_ = true;
  timer_.cancel();
  stream_.base().close();
}

// One absolute deadline for a whole request, however slowly it comes.
void HttpSession::set_deadline(Duration after) {
  deadline_ = steady_now() + after;
  timer_.expires_at(to_steady(deadline_));
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (!error && !self->finished_ && steady_now() >= self->deadline_) self->finish();
  });
}

void HttpSession::read() {
  set_deadline(kRequestTimeout);
  parser_.emplace();
  parser_->header_limit(kMaxHeaderBytes);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->on_request(error); });
}

void HttpSession::on_request(error_code error) {
  if (finished_) return;
  const bool malformed = error && error.category() == make_error_code(http::error::bad_method).category();
  if (error == http::error::end_of_stream || (error && !malformed)) return finish();
  const HttpRequest& request = parser_->get();
  const unsigned version = error ? 11 : request.version();
  const bool head_only = !error && request.method() == http::verb::head;
  HttpReply reply;
  if (error) {
    reply = make_text_reply(is_over_limit(error) ? 431 : 400, "bad request\n");
    last_ = true;
  } else if (!ticket_) {
    reply = make_error_reply(503, ErrorCode::kRateLimited, "too many connections");
    reply.headers.emplace_back("Retry-After", "1");
    last_ = true;
  } else if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
    reply = make_text_reply(400, "a body is not expected\n");
    last_ = true;
  } else if (version == 11 && request.count(http::field::host) != 1) {
    reply = make_text_reply(400, "exactly one Host header, please\n");
    last_ = true;
  } else {
    last_ = last_ || !parser_->keep_alive() || --requests_left_ <= 0;
    const std::string_view path = path_of({request.target().data(), request.target().size()});
    if (path == "/api/ws" && request.method() == http::verb::get) return upgrade();
    if (path == "/debug/stats" && shard_.context().config.dev) return reply_with_stats(version, head_only);
    reply = answer(request, shard_.context().page);
  }
  write(std::move(reply), version, head_only);
}

void HttpSession::upgrade() {
  const ServerContext& context = shard_.context();
  const HttpRequest& request = parser_->get();
  const unsigned version = request.version();
  if (!boost::beast::websocket::is_upgrade(request)) {
    HttpReply reply = make_text_reply(426, "this is a WebSocket\n");
    reply.headers = {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}};
    return write(std::move(reply), version, false);
  }
  Result<Identity> identity = authenticate(request, context.auth, unix_now());
  if (!identity) {
    context.log.write(LogLevel::kError, LogLine{.connection = id_,
                                                .user = {},
                                                .peer = peer_,
                                                .code = identity.error().code,
                                                .detail = identity.error().detail});
    last_ = true;
    return write(make_unauthenticated_reply(), version, false);
  }
  if (request.count(http::field::sec_websocket_key) != 1 ||
      !is_websocket_key(request[http::field::sec_websocket_key])) {
    last_ = true;
    return write(make_text_reply(400, "Sec-WebSocket-Key is not 16 bytes\n"), version, false);
  }
  if (buffer_.size() > 0) {  // RFC 6455 section 4.1: a client waits for the answer before it sends frames
    last_ = true;
    return write(make_text_reply(400, "nothing may follow the request\n"), version, false);
  }
  finished_ = true;
  timer_.cancel();
  const auto self = shared_from_this();  // remove_http lets go
  shard_.remove_http(id_, false);
  shard_.open_connection(id_, std::move(stream_), parser_->release(), std::move(*identity), peer_, std::move(*ticket_),
                         deadline_);
}

void HttpSession::reply_with_stats(unsigned version, bool head_only) {
  shard_.context().gather_stats(shard_, [self = shared_from_this(), version, head_only](const ServerStats& stats) {
    if (self->finished_) return;
    HttpReply reply = make_text_reply(200, to_json(stats));
    reply.content_type = "application/json";
    reply.headers.emplace_back("Cache-Control", "no-store");
    self->write(std::move(reply), version, head_only);
  });
}

void HttpSession::write(HttpReply reply, unsigned version, bool head_only) {
  set_deadline(kWriteTimeout);
  writing_ = true;
  last_ = last_ || !reply.keep_alive;
  body_ = std::move(reply.body);
  response_.emplace();
  response_->version(version);
  response_->result(reply.status);
  response_->set(http::field::server, kServerName);
  response_->set("X-Content-Type-Options", "nosniff");
  response_->set("Referrer-Policy", "no-referrer");
  for (const auto& [name, value] : reply.headers) response_->set(name, value);
  if (reply.status != 304) {
    response_->set(http::field::content_type, reply.content_type);
    response_->content_length(body_->size());
    if (!head_only) response_->body() = boost::beast::span<const char>(body_->data(), body_->size());
  }
  response_->keep_alive(!last_);
  http::async_write(stream_, *response_, [self = shared_from_this()](error_code error, std::size_t) {
    if (self->finished_) return;
    self->writing_ = false;
    if (error) return self->finish();
    if (self->last_) return self->linger();
    self->read();
  });
}

// Ends our direction, then reads what the peer still sends: closing at once would send a reset, and the peer might
// never see the reply.
void HttpSession::linger() {
  set_deadline(kLingerTimeout);
  stream_.base().shutdown_send();
  discard();
}

void HttpSession::discard() {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(1024), [self = shared_from_this()](error_code error, std::size_t) {
    if (self->finished_) return;
    if (error) return self->finish();
    self->discard();
  });
}

void HttpSession::finish() {
  if (std::exchange(finished_, true)) return;
  timer_.cancel();
  stream_.base().close();
  const bool refused = !ticket_;
  ticket_.reset();
  shard_.remove_http(id_, refused);
}

}  // namespace libsync::server
