// key_file.h: the secret that signs and checks tokens, in a file of its own.
#pragma once

#include <string>

#include "jwt.h"
#include "libsync/result.h"

namespace libsync::server {

// Reads the key: 64 or more hex digits. A file that is missing is made, readable by its owner only, with 32 random
// bytes, if `may_create`.
// Errors: kStoreUnavailable; the detail is a sentence for the operator.
[[nodiscard]] Result<JwtKey> load_key(const std::string& path, bool may_create);

}  // namespace libsync::server
