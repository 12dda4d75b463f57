#include "jwt.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

#include "base64url.h"

namespace libsync::server {
namespace {

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
constexpr std::string_view kPayload = R"({"iss":"libsync","aud":"libsync","sub":"alice","exp":1800000060})";

JwtKey test_key() { return {"HS256", std::string(32, 'k')}; }

std::string sign(std::string_view header, std::string_view payload) { return sign_jwt(header, payload, test_key()); }

// kPayload with `from` replaced by `to`.
std::string with(std::string_view from, std::string_view to) {
  std::string payload(kPayload);
  const std::size_t at = payload.find(from);
  REQUIRE(at != payload.npos);
  return payload.replace(at, from.size(), to);
}

std::string verdict(std::string_view token, std::int64_t now = kNow) {
  const Result<Claims> claims = verify_jwt(token, test_key(), JwtPolicy{}, now);
  if (claims) return "ok " + claims->subject;
  CHECK(claims.error().code == ErrorCode::kUnauthenticated);
  return claims.error().detail;
}

// The parts of a valid token.
struct Parts {
  std::string header, payload, signature;
  std::string joined() const { return header + "." + payload + "." + signature; }
};
Parts valid_parts() {
  const std::string token = sign(kHeader, kPayload);
  const std::size_t first = token.find('.');
  const std::size_t second = token.rfind('.');
  return {token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

struct Vector {
  const char* what;
  std::string header;
  std::string payload;
  std::string expected;
};

std::vector<Vector> header_vectors() {
  const std::string p(kPayload);
  return {
      {"alg none", R"({"alg":"none"})", p, "alg is not the key's"},
      {"alg None", R"({"alg":"None"})", p, "alg is not the key's"},
      {"alg empty", R"({"alg":""})", p, "alg is not the key's"},
      {"alg missing", R"({"typ":"JWT"})", p, "alg is not the key's"},
      {"alg null", R"({"alg":null})", p, "alg is not the key's"},
      {"alg a list", R"({"alg":["HS256"]})", p, "alg is not the key's"},
      {"alg in lower case", R"({"alg":"hs256"})", p, "alg is not the key's"},
      {"alg with a space", R"({"alg":"HS256 "})", p, "alg is not the key's"},
      {"alg with a NUL", R"({"alg":"HS256\u0000"})", p, "alg is not the key's"},
      {"alg HS384", R"({"alg":"HS384"})", p, "alg is not the key's"},
      {"alg HS512", R"({"alg":"HS512"})", p, "alg is not the key's"},
      {"alg RS256", R"({"alg":"RS256"})", p, "alg is not the key's"},
      {"alg ES256", R"({"alg":"ES256"})", p, "alg is not the key's"},
      {"alg EdDSA", R"({"alg":"EdDSA"})", p, "alg is not the key's"},
      {"alg twice", R"({"alg":"HS256","alg":"HS256"})", p, "header is not a JSON object without repeated members"},
      {"alg twice, once escaped", R"({"alg":"none","\u0061lg":"HS256"})", p,
       "header is not a JSON object without repeated members"},
      {"typ of another kind", R"({"alg":"HS256","typ":"JWS"})", p, "typ"},
      {"typ of an ID token", R"({"alg":"HS256","typ":"id+jwt"})", p, "typ"},
      {"typ a number", R"({"alg":"HS256","typ":1})", p, "typ"},
      {"typ null", R"({"alg":"HS256","typ":null})", p, "typ"},
      {"crit", R"({"alg":"HS256","crit":["exp"]})", p, "header has crit"},
      {"crit empty", R"({"alg":"HS256","crit":[]})", p, "header has crit"},
      {"b64 made critical", R"({"alg":"HS256","b64":false,"crit":["b64"]})", p, "header has crit"},
      {"jwk embedded", R"({"alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}})", p, "header has jwk"},
      {"jku", R"({"alg":"HS256","jku":"https://example.org/keys"})", p, "header has jku"},
      {"x5u", R"({"alg":"HS256","x5u":"https://example.org/cert"})", p, "header has x5u"},
      {"x5c", R"({"alg":"HS256","x5c":["AAAA"]})", p, "header has x5c"},
      {"header a list", R"(["HS256"])", p, "header is not a JSON object without repeated members"},
      {"header a string", R"("HS256")", p, "header is not a JSON object without repeated members"},
      {"header empty", "", p, "header is not a JSON object without repeated members"},
      {"header with text after it", R"({"alg":"HS256"} x)", p, "header is not a JSON object without repeated members"},
      {"header cut", R"({"alg":"HS256")", p, "header is not a JSON object without repeated members"},
      {"header with a comment", R"({"alg":"HS256"/**/})", p, "header is not a JSON object without repeated members"},
      {"header with a comma too many", R"({"alg":"HS256",})", p,
       "header is not a JSON object without repeated members"},
      {"header with single quotes", "{'alg':'HS256'}", p, "header is not a JSON object without repeated members"},
      {"header with a byte order mark", "\xef\xbb\xbf{\"alg\":\"HS256\"}", p,
       "header is not a JSON object without repeated members"},
  };
}

std::vector<Vector> payload_vectors() {
  const std::string h(kHeader);
  const std::string not_json = "payload is not a JSON object without repeated members";
  return {
      {"expired", h, with("1800000060", "1799999970"), "expired"},
      {"expired long ago", h, with("1800000060", "1"), "expired"},
      {"exp missing", h, with(R"(,"exp":1800000060)", ""), "no exp"},
      {"exp null", h, with("1800000060", "null"), "exp is not a date"},
      {"exp true", h, with("1800000060", "true"), "exp is not a date"},
      {"exp a string", h, with("1800000060", R"("1800000060")"), "exp is not a date"},
      {"exp a fraction", h, with("1800000060", "1800000060.5"), "exp is not a date"},
      {"exp with an exponent", h, with("1800000060", "18e8"), "exp is not a date"},
      {"exp with a point", h, with("1800000060", "1800000060.0"), "exp is not a date"},
      {"exp negative", h, with("1800000060", "-1"), "exp is not a date"},
      {"exp at 2^63-1", h, with("1800000060", "9223372036854775807"), "exp is not a date"},
      {"exp at 2^63", h, with("1800000060", "9223372036854775808"), "exp is not a date"},
      {"exp at 2^64", h, with("1800000060", "18446744073709551616"), "exp is not a date"},
      {"exp at 1e300", h, with("1800000060", "1e300"), "exp is not a date"},
      {"exp in the year 10000", h, with("1800000060", "253402300800"), "exp is not a date"},
      {"exp beyond any double", h, with("1800000060", "1e999"), "exp is not a date"},
      {"exp of a thousand digits", h, with("1800000060", "1" + std::string(999, '0')), "exp is not a date"},
      {"exp a list", h, with("1800000060", "[1800000060]"), "exp is not a date"},
      {"exp with a leading zero", h, with("1800000060", "01800000060"), not_json},
      {"exp Infinity", h, with("1800000060", "Infinity"), not_json},
      {"exp twice", h, with("1800000060", R"(1,"exp":1800000060)"), not_json},
      {"exp nested", h, with(R"("exp":1800000060)", R"("x":{"exp":1800000060})"), "no exp"},
      {"nbf in the future", h, with(R"("exp")", R"("nbf":1800000031,"exp")"), "nbf is in the future"},
      {"nbf a string", h, with(R"("exp")", R"("nbf":"0","exp")"), "nbf is not a date"},
      {"nbf a fraction", h, with(R"("exp")", R"("nbf":0.5,"exp")"), "nbf is not a date"},
      {"nbf huge", h, with(R"("exp")", R"("nbf":1e400,"exp")"), "nbf is not a date"},
      {"iat in the future", h, with(R"("exp")", R"("iat":1800000031,"exp")"), "iat is in the future"},
      {"iat null", h, with(R"("exp")", R"("iat":null,"exp")"), "iat is not a date"},
      {"iss another", h, with(R"("iss":"libsync")", R"("iss":"evil")"), "iss is another"},
      {"iss missing", h, with(R"("iss":"libsync",)", ""), "iss is another"},
      {"iss a list", h, with(R"("iss":"libsync")", R"("iss":["libsync"])"), "iss is another"},
      {"iss longer", h, with(R"("iss":"libsync")", R"("iss":"libsync2")"), "iss is another"},
      {"iss with a NUL", h, with(R"("iss":"libsync")", R"("iss":"libsync\u0000")"), "iss is another"},
      {"iss twice", h, with(R"("iss":"libsync")", R"("iss":"evil","iss":"libsync")"), not_json},
      {"aud another", h, with(R"("aud":"libsync")", R"("aud":"other")"), "aud is another"},
      {"aud missing", h, with(R"("aud":"libsync",)", ""), "no aud"},
      {"aud empty list", h, with(R"("aud":"libsync")", R"("aud":[])"), "aud is another"},
      {"aud list of others", h, with(R"("aud":"libsync")", R"("aud":["a","b"])"), "aud is another"},
      {"aud nested list", h, with(R"("aud":"libsync")", R"("aud":[["libsync"]])"), "aud is not made of strings"},
      {"aud mixed list", h, with(R"("aud":"libsync")", R"("aud":["libsync",1])"), "aud is not made of strings"},
      {"aud an object", h, with(R"("aud":"libsync")", R"("aud":{"libsync":1})"), "aud is another"},
      {"aud in another case", h, with(R"("aud":"libsync")", R"("aud":"LibSync")"), "aud is another"},
      {"sub missing", h, with(R"("sub":"alice",)", ""), "no sub"},
      {"sub a number", h, with(R"("alice")", "1"), "no sub"},
      {"sub empty", h, with("alice", ""), "sub is no user name"},
      {"sub of 129 bytes", h, with("alice", std::string(129, 'a')), "sub is no user name"},
      {"sub with a slash", h, with("alice", "a/b"), "sub is no user name"},
      {"sub with a NUL", h, with("alice", R"(alice\u0000)"), "sub is no user name"},
      {"sub with a line end", h, with("alice", R"(alice\n)"), "sub is no user name"},
      {"sub with DEL", h, with("alice", R"(alice\u007f)"), "sub is no user name"},
      {"sub with a C1 control", h, with("alice", R"(alice\u0085)"), "sub is no user name"},
      {"sub with a lone surrogate", h, with("alice", R"(\ud800)"), not_json},
      {"sub with bad UTF-8", h, with("alice", "\xff"), not_json},
      {"sub with overlong UTF-8", h, with("alice", "\xc0\xaf"), not_json},
      {"sub twice", h, with(R"("sub":"alice")", R"("sub":"bob","sub":"alice")"), not_json},
      {"a claim of no interest twice", h, with(R"("exp")", R"("x":1,"x":2,"exp")"), not_json},
      {"a nested claim twice", h, with(R"("exp")", R"("x":{"y":1,"y":2},"exp")"), not_json},
      {"nested too deep", h, with(R"("exp")", R"("x":[[[[[[[[[[]]]]]]]]]],"exp")"), not_json},
      {"payload a list", h, "[]", not_json},
      {"payload null", h, "null", not_json},
      {"payload empty", h, "", not_json},
      {"payload with a raw NUL", h, std::string(kPayload) + std::string(1, '\0'), not_json},
      {"payload twice", h, std::string(kPayload) + std::string(kPayload), not_json},
      {"payload a nested token", R"({"alg":"HS256","typ":"JWT","cty":"JWT"})", R"("eyJhbGciOiJIUzI1NiJ9.e30.")",
       not_json},
      {"payload that makes the token too large", h,
       with(R"("exp")", R"("x":")" + std::string(3200, 'x') + R"(","exp")"), "larger than 4 KiB"},
  };
}

}  // namespace

TEST_CASE("verify_jwt: accepts what mint_jwt makes") {
  const std::string token = mint_jwt("alice", test_key(), JwtPolicy{}, kNow, kNow + 60);
  CHECK(verdict(token) == "ok alice");
  const Result<Claims> claims = verify_jwt(token, test_key(), JwtPolicy{}, kNow);
  REQUIRE(claims);
  CHECK(claims->expires_at == kNow + 60);
  CHECK(verdict(mint_jwt("\xc3\xa9 \"x\"", test_key(), JwtPolicy{}, kNow, kNow + 60)) == "ok \xc3\xa9 \"x\"");
}

TEST_CASE("verify_jwt: agrees with the example of RFC 7515 appendix A.1 on the signature") {
  // Its claims are not ours, so the first check that fails comes after the signature.
  const std::string key =
      *decode_base64url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const Result<Claims> claims = verify_jwt(token, JwtKey{"HS256", key}, JwtPolicy{}, kNow);
  REQUIRE_FALSE(claims);
  CHECK(claims.error().detail == "iss is another");
}

TEST_CASE("verify_jwt: accepts the forms that the RFCs leave open") {
  CHECK(verdict(sign(R"({"alg":"HS256"})", kPayload)) == "ok alice");
  CHECK(verdict(sign(R"({"typ":"at+jwt","alg":"HS256","kid":"../../etc/passwd"})", kPayload)) == "ok alice");
  CHECK(verdict(sign(" {\n\"alg\" : \"HS256\" } ", kPayload)) == "ok alice");
  CHECK(verdict(sign(kHeader, with(R"("aud":"libsync")", R"("aud":["x","libsync"])"))) == "ok alice");
  CHECK(verdict(sign(kHeader, with(R"("exp")", R"("nbf":1800000030,"iat":1800000030,"exp")"))) == "ok alice");
  CHECK(verdict(sign(kHeader, with("alice", std::string(128, 'a')))) == "ok " + std::string(128, 'a'));
  CHECK(verdict(sign(kHeader, with("alice", R"(\u00e9)"))) == "ok \xc3\xa9");
  CHECK(verdict(sign(kHeader, with("1800000060", "253402300799"))) == "ok alice");
  CHECK(verdict(sign(kHeader, with(R"("exp")", R"("x":{"exp":1},"y":{"exp":2},"exp")"))) == "ok alice");
}

TEST_CASE("verify_jwt: gives two clocks 30 seconds to differ, not one more") {
  const std::string token = sign(kHeader, kPayload);
  CHECK(verdict(token, 1'800'000'089) == "ok alice");
  CHECK(verdict(token, 1'800'000'090) == "expired");
  const std::string later = sign(kHeader, with(R"("exp")", R"("nbf":1800000030,"exp")"));
  CHECK(verdict(later, 1'800'000'000) == "ok alice");
  CHECK(verdict(later, 1'799'999'999) == "nbf is in the future");
}

TEST_CASE("verify_jwt: refuses a header that is wrong in one point, although it is signed") {
  for (const Vector& vector : header_vectors()) {
    CAPTURE(vector.what);
    CHECK(verdict(sign(vector.header, vector.payload)) == vector.expected);
  }
}

TEST_CASE("verify_jwt: refuses a payload that is wrong in one point, although it is signed") {
  for (const Vector& vector : payload_vectors()) {
    CAPTURE(vector.what);
    CHECK(verdict(sign(vector.header, vector.payload)) == vector.expected);
  }
}

TEST_CASE("verify_jwt: refuses another key, a longer key and an empty one") {
  const std::string token = sign(kHeader, kPayload);
  for (const std::string& secret : {std::string(32, 'K'), std::string(33, 'k'), std::string()}) {
    CHECK_FALSE(verify_jwt(token, JwtKey{"HS256", secret}, JwtPolicy{}, kNow));
  }
}

TEST_CASE("verify_jwt: refuses a token in which any one character is another") {
  const std::string token = sign(kHeader, kPayload);
  for (std::size_t i = 0; i < token.size(); ++i) {
    for (const char other : {'A', '_', '=', '.', '\0', ' ', '+'}) {
      if (token[i] == other) continue;
      std::string changed = token;
      changed[i] = other;
      CHECK_FALSE(verify_jwt(changed, test_key(), JwtPolicy{}, kNow));
    }
  }
}

TEST_CASE("verify_jwt: refuses a token that is cut at any length") {
  const std::string token = sign(kHeader, kPayload);
  for (std::size_t size = 0; size < token.size(); ++size) {
    CHECK_FALSE(verify_jwt(std::string_view(token).substr(0, size), test_key(), JwtPolicy{}, kNow));
  }
}

TEST_CASE("verify_jwt: refuses other shapes than three parts") {
  const Parts parts = valid_parts();
  CHECK(verdict("") == "not three parts");
  CHECK(verdict(".") == "not three parts");
  CHECK(verdict("..") == "signature");
  CHECK(verdict(parts.header + "." + parts.payload) == "not three parts");
  CHECK(verdict(parts.header + "." + parts.payload + ".") == "signature");
  CHECK(verdict(parts.joined() + ".") == "not three parts");
  CHECK(verdict(parts.joined() + "." + parts.signature) == "not three parts");
  CHECK(verdict("." + parts.payload + "." + parts.signature) == "signature");
  CHECK(verdict(std::string(4097, 'a')) == "larger than 4 KiB");
  CHECK(verdict(std::string(4096, '.')) == "not three parts");
  CHECK(verdict(" " + parts.joined()) == "signature");
  CHECK(verdict(parts.joined() + "\n") == "signature is not base64url");
}

TEST_CASE("verify_jwt: refuses a second text of the same signature") {
  const Parts parts = valid_parts();
  // 32 bytes are 43 characters; the last one has two bits that mean nothing and must be zero.
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::size_t last = kAlphabet.find(parts.signature.back());
  REQUIRE(last % 4 == 0);
  for (std::size_t tail = 1; tail < 4; ++tail) {
    Parts changed = parts;
    changed.signature.back() = kAlphabet[last + tail];
    CHECK(verdict(changed.joined()) == "signature is not base64url");
  }
  CHECK(verdict(parts.joined() + "=") == "signature is not base64url");
  CHECK(verdict(parts.joined() + "A") == "signature");
}

TEST_CASE("is_valid_subject: takes UTF-8 and nothing that breaks a topic name or a log line") {
  CHECK(is_valid_subject("a"));
  CHECK(is_valid_subject("alice@example.org"));
  CHECK(is_valid_subject("\xf0\x9f\x9a\x80"));
  CHECK(is_valid_subject(std::string(128, 'x')));
  for (const std::string& bad :
       {std::string(), std::string(129, 'x'), std::string("a/b"), std::string("a\tb"), std::string(1, '\0'),
        std::string("\x80"), std::string("\xc3"), std::string("\xed\xa0\x80"), std::string("\xf4\x90\x80\x80"),
        std::string("\xe0\x80\xaf"), std::string("\xc2\x9f"), std::string("\xf5\x80\x80\x80")}) {
    CAPTURE(bad);
    CHECK_FALSE(is_valid_subject(bad));
  }
}

TEST_CASE("base64url: round trip at every length modulo three, and one text per value") {
  for (std::size_t size = 0; size < 70; ++size) {
    std::string bytes;
    for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(i * 37 + size);
    const std::string text = encode_base64url(bytes);
    REQUIRE(decode_base64url(text) == bytes);
  }
  // RFC 4648 section 10.
  CHECK(encode_base64url("foobar") == "Zm9vYmFy");
  CHECK(encode_base64url("foob") == "Zm9vYg");
  CHECK(decode_base64url("Zg") == "f");
  for (const char* bad : {"Z", "Zh", "Zm9vYh", "Zg==", "Zm9v\n", "Zm+v", "Zm/v", "Zm9vYmFyA", " Zg"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_base64url(bad));
  }
}

}  // namespace libsync::server
