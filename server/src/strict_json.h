// strict_json.h: JSON objects from outside, where a repeated member is an error (RFC 8725 section 2.4).
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string_view>

namespace libsync::server {

inline constexpr std::size_t kMaxJsonDepth = 8;

// Nothing unless `text` is exactly one JSON object (RFC 8259), valid UTF-8, no deeper than kMaxJsonDepth, and no
// object in it has two members of the same name. Cost: two passes.
std::optional<boost::json::object> parse_strict_json(std::string_view text);

}  // namespace libsync::server
