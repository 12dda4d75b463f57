#include "auth.h"

#include <algorithm>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <optional>
#include <string_view>

namespace libsync::server {
namespace {

namespace http = boost::beast::http;

constexpr std::string_view kSubprotocol = "libsync.v1";
constexpr std::string_view kTokenPrefix = "libsync.jwt.";
constexpr std::string_view kBearer = "bearer ";

std::string_view to_std(boost::beast::string_view text) { return {text.data(), text.size()}; }

std::optional<std::string> token_in_query(std::string_view target) {
  const std::size_t mark = target.find('?');
  if (mark == target.npos) return std::nullopt;
  std::string_view query = target.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    // A compact JWT has only characters that need no percent-encoding.
    if (pair.starts_with("token=")) return std::string(pair.substr(6));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
  }
  return std::nullopt;
}

// What Sec-WebSocket-Protocol offers, over all of its header fields.
struct Offer {
  bool libsync = false;
  std::optional<std::string> token;
  bool two_tokens = false;
};

Offer read_offer(const HttpRequest& request) {
  Offer offer;
  const auto [begin, end] = request.equal_range(http::field::sec_websocket_protocol);
  for (auto field = begin; field != end; ++field) {
    for (const auto& name : http::token_list(field->value())) {
      const std::string_view protocol = to_std(name);
      if (protocol == kSubprotocol) offer.libsync = true;
      if (!protocol.starts_with(kTokenPrefix)) continue;
      offer.two_tokens = offer.two_tokens || offer.token.has_value();
      offer.token = std::string(protocol.substr(kTokenPrefix.size()));
    }
  }
  return offer;
}

}  // namespace

Result<Identity> authenticate(const HttpRequest& request, const AuthConfig& config, std::int64_t now) {
  const auto refuse = [](const char* detail) { return Error{ErrorCode::kUnauthenticated, detail}; };
  const Offer offer = read_offer(request);
  std::optional<std::string> token;
  if (request.count(http::field::authorization) > 0) {
    if (request.count(http::field::authorization) > 1) return refuse("two Authorization headers");
    const std::string_view value = to_std(request[http::field::authorization]);
    if (!boost::beast::iequals(value.substr(0, kBearer.size()), kBearer)) return refuse("Authorization is not Bearer");
    token = std::string(value.substr(kBearer.size()));
  } else if (offer.token) {
    if (offer.two_tokens) return refuse("two tokens offered as subprotocols");
    token = offer.token;
  } else {
    token = token_in_query(to_std(request.target()));
    if (token && !config.allow_query_token) return refuse("token in the query, which is switched off");
  }
  if (!token) return refuse("no token");

  Result<Claims> claims = verify_jwt(*token, config.key, config.policy, now);
  if (!claims) return claims.error();
  return Identity{std::move(*claims), offer.libsync ? std::string(kSubprotocol) : std::string()};
}

}  // namespace libsync::server
