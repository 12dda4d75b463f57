// base64url.h: RFC 4648 section 5, without padding, one encoding per value (RFC 7515 section 2).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace libsync::server {

std::string encode_base64url(std::string_view bytes);

// Nothing for padding, a character outside the alphabet, an impossible length, or tail bits that are not zero: they
// would make two texts of one value.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace libsync::server
