#include "http_reply.h"

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "libsync/message.h"

namespace libsync::server {
namespace {

namespace http = boost::beast::http;

constexpr const char* kNoPage =
    "libsync-server is running, but there is no page here.\n\n"
    "  GET /api/ws    WebSocket of the libsync protocol, needs a token\n"
    "  GET /healthz   200 while the server runs\n\n"
    "Start it with --page-dir DIRECTORY, or install the page to share/libsync/universe next to bin.\n";

// The page loads only its own scripts, and WebAssembly for hashing; it talks to this server, or to another one that
// the developer names. No frame, form or plug-in.
constexpr const char* kContentPolicy =
    "default-src 'self'; connect-src 'self' ws: wss:; script-src 'self' 'wasm-unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

HttpReply make_page_reply(const HttpRequest& request, const std::shared_ptr<const PageFile>& file) {
  HttpReply reply;
  reply.headers = {{"ETag", file->etag}, {"Cache-Control", "no-cache"}, {"Content-Security-Policy", kContentPolicy}};
  if (request[http::field::if_none_match] == file->etag) {
    reply.status = 304;
    return reply;
  }
  reply.content_type = file->content_type;
  reply.body = std::shared_ptr<const std::string>(file, &file->bytes);
  return reply;
}

}  // namespace

HttpReply make_text_reply(unsigned status, std::string text) {
  HttpReply reply;
  reply.status = status;
  reply.body = std::make_shared<std::string>(std::move(text));
  return reply;
}

std::string make_error_json(ErrorCode code, std::string_view message) {
  const boost::json::object error = {
      {"code", static_cast<unsigned>(code)}, {"name", name_of(code)}, {"message", message}};
  return boost::json::serialize(boost::json::object{{"error", error}});
}

HttpReply make_error_reply(unsigned status, ErrorCode code, std::string_view message) {
  HttpReply reply = make_text_reply(status, make_error_json(code, message));
  reply.content_type = "application/json";
  return reply;
}

HttpReply make_unauthenticated_reply() {
  HttpReply reply = make_error_reply(401, ErrorCode::kUnauthenticated, "no valid token");
  reply.headers.emplace_back("WWW-Authenticate", "Bearer");
  return reply;
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

HttpReply answer(const HttpRequest& request, const Page& page) {
  if (request.method() != http::verb::get && request.method() != http::verb::head) {
    HttpReply reply = make_text_reply(405, "only GET and HEAD\n");
    reply.headers.emplace_back("Allow", "GET, HEAD");
    return reply;
  }
  const std::string_view target(request.target().data(), request.target().size());
  if (path_of(target) == "/healthz") {
    HttpReply reply = make_text_reply(200, "ok\n");
    reply.headers.emplace_back("Cache-Control", "no-store");
    return reply;
  }
  if (const auto file = page.find(target)) return make_page_reply(request, file);
  if (path_of(target) == "/" && page.empty()) return make_text_reply(200, kNoPage);
  return make_text_reply(404, "not found\n");
}

}  // namespace libsync::server
