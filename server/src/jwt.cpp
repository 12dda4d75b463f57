#include "jwt.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <optional>

#include "base64url.h"
#include "strict_json.h"

namespace libsync::server {
namespace {

namespace json = boost::json;

constexpr std::size_t kHs256Bytes = 32;
// 9999-12-31T23:59:59Z. Later dates are a mistake, and far from any overflow.
constexpr std::int64_t kMaxDate = 253402300799;

Error refuse(std::string detail) { return Error{ErrorCode::kUnauthenticated, std::move(detail)}; }

std::string hmac_sha256(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  const auto* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(), mac.data(), &size);
  SYNC_ASSERT(made != nullptr && size == kHs256Bytes);
  return std::string(reinterpret_cast<const char*>(mac.data()), size);
}

// A member that must be a string. Null if it is absent or something else.
const json::string* find_string(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_string();
}

bool equals(const json::string* value, std::string_view expected) {
  return value != nullptr && std::string_view(value->data(), value->size()) == expected;
}

// A date, NumericDate of RFC 7519 restricted to whole numbers from 0 to kMaxDate.
std::optional<std::int64_t> to_date(const json::value& value) {
  if (!value.is_int64()) return std::nullopt;  // fractions, and what is beyond 63 bits
  const std::int64_t date = value.get_int64();
  if (date < 0 || date > kMaxDate) return std::nullopt;
  return date;
}

std::optional<Error> check_header(std::string_view encoded, const JwtKey& key) {
  const std::optional<std::string> text = decode_base64url(encoded);
  if (!text) return refuse("header is not base64url");
  const std::optional<json::object> header = parse_strict_json(*text);
  if (!header) return refuse("header is not a JSON object without repeated members");
  if (!equals(find_string(*header, "alg"), key.algorithm)) return refuse("alg is not the key's");
  if (const json::value* type = header->if_contains("typ")) {
    if (!equals(type->if_string(), "JWT") && !equals(type->if_string(), "at+jwt")) return refuse("typ");
  }
  for (const char* name : {"crit", "jwk", "jku", "x5u", "x5c"}) {
    if (header->contains(name)) return refuse(std::string("header has ") + name);
  }
  return std::nullopt;
}

std::optional<Error> check_audience(const json::object& payload, std::string_view audience) {
  const json::value* value = payload.if_contains("aud");
  if (value == nullptr) return refuse("no aud");
  if (const json::array* list = value->if_array()) {
    const bool all_strings =
        std::all_of(list->begin(), list->end(), [](const json::value& item) { return item.is_string(); });
    if (!all_strings) return refuse("aud is not made of strings");
    const bool found = std::any_of(list->begin(), list->end(),
                                   [&](const json::value& item) { return equals(item.if_string(), audience); });
    if (found) return std::nullopt;
  } else if (equals(value->if_string(), audience)) {
    return std::nullopt;
  }
  return refuse("aud is another");
}

// exp is required; nbf and iat are honoured where they are there. The dates are so small that nothing overflows.
std::optional<Error> check_dates(const json::object& payload, const JwtPolicy& policy, std::int64_t now,
                                 std::int64_t& expires_at) {
  const json::value* exp = payload.if_contains("exp");
  if (exp == nullptr) return refuse("no exp");
  const std::optional<std::int64_t> expiry = to_date(*exp);
  if (!expiry) return refuse("exp is not a date");
  if (now >= *expiry + policy.leeway_s) return refuse("expired");
  expires_at = *expiry;
  for (const char* name : {"nbf", "iat"}) {
    const json::value* value = payload.if_contains(name);
    if (value == nullptr) continue;
    const std::optional<std::int64_t> date = to_date(*value);
    if (!date) return refuse(std::string(name) + " is not a date");
    if (*date > now + policy.leeway_s) return refuse(std::string(name) + " is in the future");
  }
  return std::nullopt;
}

// Length of the valid UTF-8 sequence at the start of `text` (RFC 3629), and its code point. 0: not valid.
std::size_t decode_utf8(std::string_view text, std::uint32_t& code_point) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    code_point = lead;
    return 1;
  }
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  code_point = lead & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code_point = code_point << 6 | (byte(i) & 0x3f);
  }
  constexpr std::array<std::uint32_t, 5> kSmallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  return code_point < kSmallest[size] || code_point > 0x10ffff || surrogate ? 0 : size;
}

}  // namespace

bool is_valid_subject(std::string_view subject) {
  if (subject.empty() || subject.size() > kMaxSubjectBytes) return false;
  while (!subject.empty()) {
    std::uint32_t code_point = 0;
    const std::size_t size = decode_utf8(subject, code_point);
    if (size == 0) return false;
    // C0, DEL and C1; and '/', which separates the parts of a topic's name.
    if (code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0) || code_point == '/') return false;
    subject.remove_prefix(size);
  }
  return true;
}

Result<Claims> verify_jwt(std::string_view token, const JwtKey& key, const JwtPolicy& policy, std::int64_t now) {
  SYNC_ASSERT(key.algorithm == "HS256");
  if (token.size() > kMaxTokenBytes) return refuse("larger than 4 KiB");
  const std::size_t first = token.find('.');
  const std::size_t second = first == token.npos ? token.npos : token.find('.', first + 1);
  if (second == token.npos || token.find('.', second + 1) != token.npos) return refuse("not three parts");

  // The signature first: nothing of a token is parsed before it is known to be ours.
  const std::optional<std::string> signature = decode_base64url(token.substr(second + 1));
  if (!signature) return refuse("signature is not base64url");
  const std::string expected = hmac_sha256(key.secret, token.substr(0, second));
  if (signature->size() != expected.size() || CRYPTO_memcmp(signature->data(), expected.data(), expected.size()) != 0) {
    return refuse("signature");
  }

  if (std::optional<Error> error = check_header(token.substr(0, first), key)) return *error;
  const std::optional<std::string> text = decode_base64url(token.substr(first + 1, second - first - 1));
  if (!text) return refuse("payload is not base64url");
  const std::optional<json::object> payload = parse_strict_json(*text);
  if (!payload) return refuse("payload is not a JSON object without repeated members");

  if (!equals(find_string(*payload, "iss"), policy.issuer)) return refuse("iss is another");
  if (std::optional<Error> error = check_audience(*payload, policy.audience)) return *error;
  Claims claims;
  if (std::optional<Error> error = check_dates(*payload, policy, now, claims.expires_at)) return *error;
  const json::string* subject = find_string(*payload, "sub");
  if (subject == nullptr) return refuse("no sub");
  claims.subject.assign(subject->data(), subject->size());
  if (!is_valid_subject(claims.subject)) return refuse("sub is no user name");
  return claims;
}

std::string sign_jwt(std::string_view header_json, std::string_view payload_json, const JwtKey& key) {
  std::string token = encode_base64url(header_json) + "." + encode_base64url(payload_json);
  token += "." + encode_base64url(hmac_sha256(key.secret, token));
  return token;
}

std::string mint_jwt(std::string_view subject, const JwtKey& key, const JwtPolicy& policy, std::int64_t now,
                     std::int64_t expires_at) {
  SYNC_ASSERT(is_valid_subject(subject));
  const json::object payload = {
      {"iss", policy.issuer}, {"aud", policy.audience}, {"sub", subject}, {"iat", now}, {"exp", expires_at}};
  return sign_jwt(R"({"alg":"HS256","typ":"JWT"})", json::serialize(payload), key);
}

}  // namespace libsync::server
