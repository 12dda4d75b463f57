#include "http_reply.h"

#include <doctest/doctest.h>

#include <boost/beast/http/field.hpp>
#include <boost/beast/http/verb.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "auth.h"
#include "log.h"

namespace libsync::server {
namespace {

namespace http = boost::beast::http;

HttpRequest make_request(http::verb verb, const std::string& target) {
  HttpRequest request{verb, target, 11};
  request.set(http::field::host, "localhost");
  return request;
}

std::string header_of(const HttpReply& reply, const std::string& name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return {};
}

// A page directory that goes when the test ends, with a secret beside it.
struct PageDirectory {
  std::filesystem::path root = std::filesystem::temp_directory_path() / "libsync-page-test";
  PageDirectory() {
    std::filesystem::remove_all(root);
    std::filesystem::create_directories(root / "page/assets");
    write("secret.txt", "secret");
    write("page/index.html", "<!doctype html>");
    write("page/assets/app.js", "let x;");
    std::filesystem::create_symlink(root / "secret.txt", root / "page/link.txt");
  }
  ~PageDirectory() { std::filesystem::remove_all(root); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(root / name) << text; }
  std::string path() const { return (root / "page").string(); }
};

AuthConfig auth_config(bool allow_query_token) {
  AuthConfig config;
  config.key.secret = std::string(32, 'k');
  config.allow_query_token = allow_query_token;
  return config;
}

constexpr std::int64_t kNow = 1'800'000'000;

std::string token_of(const std::string& user) {
  return mint_jwt(user, auth_config(false).key, JwtPolicy{}, kNow, kNow + 60);
}

}  // namespace

TEST_CASE("answer: serves the page with its types, its policy and an ETag") {
  const PageDirectory directory;
  const Page page(directory.path());
  HttpRequest request = make_request(http::verb::get, "/?x=1");
  HttpReply reply = answer(request, page);
  CHECK(reply.status == 200);
  CHECK(*reply.body == "<!doctype html>");
  CHECK(reply.content_type == "text/html; charset=utf-8");
  CHECK(header_of(reply, "Content-Security-Policy").find("script-src 'self' 'wasm-unsafe-eval'") != std::string::npos);
  request.set(http::field::if_none_match, header_of(reply, "ETag"));
  CHECK(answer(request, page).status == 304);
  CHECK(answer(make_request(http::verb::get, "/assets/app.js"), page).content_type == "text/javascript; charset=utf-8");
  CHECK(answer(make_request(http::verb::head, "/assets/%61pp.js"), page).status == 200);
}

TEST_CASE("answer: no path leads out of the page's directory") {
  const PageDirectory directory;
  const Page page(directory.path());
  for (const char* target : {"/../secret.txt", "/assets/../../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
                             "//etc/passwd", "/link.txt", "/assets", "/%", "/%2", "/%zz", "/%00", "*", "",
                             "http://localhost/", "/index.html/", "/assets//app.js"}) {
    CAPTURE(target);
    CHECK(answer(make_request(http::verb::get, target), page).status == 404);
  }
}

TEST_CASE("answer: healthz, wrong methods, and help where there is no page") {
  const Page page("/nonexistent");
  CHECK(*answer(make_request(http::verb::get, "/healthz"), page).body == "ok\n");
  CHECK(answer(make_request(http::verb::post, "/healthz"), page).status == 405);
  CHECK(answer(make_request(http::verb::delete_, "/"), page).status == 405);
  CHECK(answer(make_request(http::verb::get, "/"), page).body->find("--page-dir") != std::string::npos);
  CHECK(answer(make_request(http::verb::get, "/index.html"), page).status == 404);
}

TEST_CASE("make_unauthenticated_reply: tells a forger nothing") {
  const HttpReply reply = make_unauthenticated_reply();
  CHECK(reply.status == 401);
  CHECK(*reply.body == R"({"error":{"code":2001,"name":"kUnauthenticated","message":"no valid token"}})");
}

TEST_CASE("authenticate: takes the token from the header, from the subprotocols, or in development from the query") {
  HttpRequest request = make_request(http::verb::get, "/api/ws");
  CHECK_FALSE(authenticate(request, auth_config(true), kNow));

  request.set(http::field::authorization, "bearer " + token_of("alice"));
  Result<Identity> identity = authenticate(request, auth_config(false), kNow);
  REQUIRE(identity);
  CHECK(identity->claims.subject == "alice");
  CHECK(identity->subprotocol.empty());

  request = make_request(http::verb::get, "/api/ws");
  request.set(http::field::sec_websocket_protocol, "libsync.v1, libsync.jwt." + token_of("bob"));
  identity = authenticate(request, auth_config(false), kNow);
  REQUIRE(identity);
  CHECK(identity->claims.subject == "bob");
  CHECK(identity->subprotocol == "libsync.v1");

  request = make_request(http::verb::get, "/api/ws?a=b&token=" + token_of("carol") + "&c=d");
  CHECK_FALSE(authenticate(request, auth_config(false), kNow));
  identity = authenticate(request, auth_config(true), kNow);
  REQUIRE(identity);
  CHECK(identity->claims.subject == "carol");
}

TEST_CASE("authenticate: a bad token is not made good by another one elsewhere") {
  HttpRequest request = make_request(http::verb::get, "/api/ws?token=" + token_of("alice"));
  request.set(http::field::authorization, "Bearer x.y.z");
  CHECK_FALSE(authenticate(request, auth_config(true), kNow));
  request.set(http::field::authorization, "Basic " + token_of("alice"));
  CHECK_FALSE(authenticate(request, auth_config(true), kNow));
  request.erase(http::field::authorization);
  request.insert(http::field::authorization, "Bearer " + token_of("alice"));
  request.insert(http::field::authorization, "Bearer " + token_of("bob"));
  CHECK_FALSE(authenticate(request, auth_config(true), kNow));

  request = make_request(http::verb::get, "/api/ws");
  request.set(http::field::sec_websocket_protocol,
              "libsync.v1, libsync.jwt." + token_of("alice") + ", libsync.jwt." + token_of("bob"));
  CHECK_FALSE(authenticate(request, auth_config(true), kNow));
}

TEST_CASE("format_log_line: nobody can end a quote or a line") {
  CHECK(format_log_line({17, "alice", "127.0.0.1:5555", ErrorCode::kTextFrame, "text frame"}) ==
        R"(conn=17 user=alice peer=127.0.0.1:5555 code=1003 name=kTextFrame detail="text frame")");
  CHECK(format_log_line({0, {}, {}, ErrorCode::kNone, "hello"}) == R"(detail="hello")");
  CHECK(format_log_line({1, "a b\" code=1", {}, ErrorCode::kNone, "x\n\"\\\x1b[0m\xc3\xa9"}) ==
        R"(conn=1 user="a b\" code=1" detail="x\x0a\"\\\x1b[0m\xc3\xa9")");
  const std::string longest = format_log_line({0, {}, {}, ErrorCode::kNone, std::string(100'000, 'x')});
  CHECK(longest.size() < 1000);
}

}  // namespace libsync::server
