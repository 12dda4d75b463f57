// Byte i of the input is (i * 31 + size) mod 251.
#include <algorithm>
#include <string>
#include <vector>

#include "libsync/held_chunks.h"
#include "libsync/patch.h"
#include "unit/support.h"
#include "vectors.h"

namespace libsync::vectors {

using test::to_hex;
using test::to_hex64;

std::vector<Object> digests() {
  std::vector<Object> objects;
  for (const std::size_t size :
       {0, 1, 8, 17, 255, 256, 300, 1023, 1024, 1025, 2048, 65535, 65536, 65537, 1'000'000, 4'194'305, 16'777'217}) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>((i * 31 + size) % 251);
    const Fingerprints fingerprints = Fingerprints::of(bytes);
    const HeldChunks held = HeldChunks::of(bytes);
    objects.push_back({{"size", std::to_string(size)},
                       {"chunk_size", std::to_string(chunk_size_bytes(size))},
                       {"first_fingerprint", size == 0 ? "" : to_hex64(fingerprints.chunks()[0])},
                       {"digest", to_hex64(fingerprints.digest().value)},
                       {"held_chunk_size", std::to_string(held_chunk_bytes(size))},
                       {"held_fingerprints", to_hex64(xxh3_64(held.fingerprints))},
                       {"first_held_fingerprint",
                        to_hex(BytesView(held.fingerprints)
                                   .first(std::min<std::size_t>(held.fingerprints.size(), kHeldFingerprintBytes)))}});
  }
  return objects;
}

}  // namespace libsync::vectors
