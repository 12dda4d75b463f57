// random.h: numbers that nobody can guess.
#pragma once

#include <openssl/rand.h>

#include <cstdint>

#include "libsync/result.h"

namespace libsync::server {

inline std::uint64_t random_u64() {
  std::uint64_t value = 0;
  SYNC_ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof value) == 1);
  return value;
}

}  // namespace libsync::server
