// name_rules.h: which names players may give to bodies. Every other player reads them.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace libsync::server {

inline constexpr std::size_t kMaxNameCharacters = 32;  // Unicode code points

// Why `name` cannot be used; nothing if it can. Untrusted bytes: UTF-8 as in RFC 3629, no control characters, none of
// the invisible ones that break lines or turn the direction of text around them. An empty name is none, and fine.
std::optional<std::string> why_not_name(std::string_view name);

}  // namespace libsync::server
