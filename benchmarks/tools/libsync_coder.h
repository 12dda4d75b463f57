// libsync_coder.h: the patches of libsync/patch.h as a Coder.
#pragma once

#include <memory>

#include "coder.h"

namespace libsync::tools {

// Encoding includes the digest of the target, taken as a server takes it: knowing the version before. Applying makes a
// new snapshot, its digest checked. What a snapshot caches, the baseline has cached.
std::unique_ptr<Coder> make_libsync_coder();

}  // namespace libsync::tools
