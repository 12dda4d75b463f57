// auth.h: who is asking, from the headers of an upgrade request. docs/PROTOCOL.md section 1.
#pragma once

#include <cstdint>
#include <string>

#include "jwt.h"
#include "libsync/result.h"
#include "ws_stream.h"

namespace libsync::server {

struct AuthConfig {
  JwtKey key;
  JwtPolicy policy;
  bool allow_query_token = false;  // --dev: `?token=`
};

struct Identity {
  Claims claims;
  std::string subprotocol;  // to select: "libsync.v1" if it was offered, else empty
};

// Takes the token from `Authorization: Bearer`, else from `Sec-WebSocket-Protocol: libsync.jwt.<token>`, else, where
// allowed, from the query; then verifies it. A token in the wrong place is not looked for elsewhere.
// Errors: kUnauthenticated; the detail is for the log and never holds the token.
[[nodiscard]] Result<Identity> authenticate(const HttpRequest& request, const AuthConfig& config, std::int64_t now);

}  // namespace libsync::server
