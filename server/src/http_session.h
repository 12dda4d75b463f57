// http_session.h: one connection until it is a WebSocket: reads requests, answers them or hands the upgrade over.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/span_body.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "admission.h"
#include "any_stream.h"
#include "http_reply.h"
#include "libsync/types.h"

namespace libsync::server {

class Shard;

class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  // Without a ticket every request is answered with 503: the peer is over a cap.
  HttpSession(Shard& shard, std::uint64_t id, AnyStream stream, std::string peer,
              std::optional<Admission::Ticket> ticket);

  void start();
  // The server stops: ends now, or after the reply that is being written.
  void shut_down();
  // Ends without telling the shard, which is going itself.
  void abandon();

 private:
  void read();
  void on_request(error_code error);
  void upgrade();
  void reply_with_stats(unsigned version, bool head_only);
  void write(HttpReply reply, unsigned version, bool head_only);
  void linger();
  void discard();
  void set_deadline(Duration after);
  void finish();

  Shard& shard_;
  const std::uint64_t id_;
  AnyStream stream_;
  const std::string peer_;
  std::optional<Admission::Ticket> ticket_;
  asio::steady_timer timer_;
  TimePoint deadline_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  std::optional<boost::beast::http::response<boost::beast::http::span_body<const char>>> response_;
  std::shared_ptr<const std::string> body_;  // what the response points to
  int requests_left_ = 100;
  bool writing_ = false;
  bool last_ = false;
  bool finished_ = false;
};

}  // namespace libsync::server
