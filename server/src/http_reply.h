// http_reply.h: what the server answers to a plain HTTP request. Requests in, replies out; no I/O.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "page.h"
#include "ws_stream.h"

namespace libsync::server {

struct HttpReply {
  unsigned status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::shared_ptr<const std::string> body = std::make_shared<std::string>();
  std::vector<std::pair<std::string, std::string>> headers;
  bool keep_alive = true;
};

HttpReply make_text_reply(unsigned status, std::string text);
// {"error":{"code":2001,"name":"kUnauthenticated","message":"..."}}, as everywhere in the protocol's JSON.
std::string make_error_json(ErrorCode code, std::string_view message);
HttpReply make_error_reply(unsigned status, ErrorCode code, std::string_view message);
// The 401 before the upgrade. It does not say which check failed: that helps forgers only.
HttpReply make_unauthenticated_reply();

// The path of a request target, without its query.
std::string_view path_of(std::string_view target);

// Everything but /api/ws and /debug/stats: /healthz, the page, errors.
HttpReply answer(const HttpRequest& request, const Page& page);

}  // namespace libsync::server
