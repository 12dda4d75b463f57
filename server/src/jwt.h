// jwt.h: JSON Web Tokens: token, key and time in, claims out. No I/O.
//
// Our own verifier, because every packaged library we tested can be made to accept a forged token. The rules are
// those of RFC 7519 and RFC 8725: the key says which algorithm it is for, the token only has to agree; nothing that a
// token says makes the server look anything up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libsync/result.h"

namespace libsync::server {

inline constexpr std::size_t kMaxTokenBytes = 4096;
inline constexpr std::size_t kMaxSubjectBytes = 128;

// A key and the one algorithm it may be used with.
struct JwtKey {
  std::string algorithm = "HS256";  // the only one so far
  std::string secret;               // raw bytes, at least 32 (RFC 7518 section 3.2)
};

// What this server expects of a token.
struct JwtPolicy {
  std::string issuer = "libsync";
  std::string audience = "libsync";
  std::int64_t leeway_s = 30;  // how far two clocks may differ
};

struct Claims {
  std::string subject;          // the user: 1 to 128 bytes of UTF-8 without control characters and '/'
  std::int64_t expires_at = 0;  // seconds since 1970
};

// Whether `subject` can be the name of a user.
bool is_valid_subject(std::string_view subject);

// The claims of `token`, if it is a JWS in compact form, signed with `key`, meant for this server and valid at `now`
// (seconds since 1970). Beyond the RFCs: at most 4 KiB; no member twice; dates are whole numbers; `crit`, `jwk`,
// `jku`, `x5u` and `x5c` are refused. Cost: a few microseconds.
// Errors: kUnauthenticated; the detail says which check failed. It is for the log, not for the peer.
[[nodiscard]] Result<Claims> verify_jwt(std::string_view token, const JwtKey& key, const JwtPolicy& policy,
                                        std::int64_t now);

// A token for `subject` that verify_jwt accepts until `expires_at`.
// Requires: is_valid_subject(subject).
std::string mint_jwt(std::string_view subject, const JwtKey& key, const JwtPolicy& policy, std::int64_t now,
                     std::int64_t expires_at);

// Signs any header and payload, for mint_jwt and for tests of tokens that are wrong in one point only.
std::string sign_jwt(std::string_view header_json, std::string_view payload_json, const JwtKey& key);

}  // namespace libsync::server
