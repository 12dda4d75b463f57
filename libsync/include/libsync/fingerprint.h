// fingerprint.h: XXH3-64 of each chunk of a snapshot, and the digest built from them as a tree.
// Layout: docs/WIRE_FORMAT.md section 4.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libsync/types.h"

namespace libsync {

// A snapshot has at most this many chunks, so that all fingerprints together are at most 128 KiB.
inline constexpr std::size_t kMaxChunks = 16384;
inline constexpr std::size_t kMinChunkBytes = 1024;

// Bytes per chunk of a snapshot of `size_bytes`: a power of two fixed by the format.
std::size_t chunk_size_bytes(std::size_t size_bytes);

// The fingerprints of one snapshot. Copies are as large as the table: 8 bytes per chunk.
class Fingerprints {
 public:
  Fingerprints();

  // One pass over `bytes`.
  static Fingerprints of(BytesView bytes);
  // The same result, but chunks equal to `baseline`'s at the same place are compared instead of hashed.
  // Requires: `baseline_fingerprints` belongs to `baseline`.
  // `changed`: filled with where the bytes may differ, ascending; outside of it they are equal, and the sizes are.
  // Empty where sizes or chunk sizes differ.
  static Fingerprints of(BytesView bytes, BytesView baseline, const Fingerprints& baseline_fingerprints,
                         std::vector<ByteRange>* changed = nullptr);

  // Hashes the chunks anew in which something changed; the others are as they were. Cost: theirs. Requires: `bytes` has
  // the same size as before, `changed` is ascending and within it.
  void update(BytesView bytes, std::span<const ByteRange> changed);

  Digest digest() const { return digest_; }
  // [n_chunks], in order.
  std::span<const std::uint64_t> chunks() const { return chunks_; }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  void finish();
  void hash_group(std::size_t group);
  void hash_root();

  std::size_t size_bytes_ = 0;
  std::vector<std::uint64_t> chunks_;
  std::vector<std::uint64_t> groups_;
  Digest digest_;
};

// The digest alone.
Digest digest_of(BytesView bytes);

// XXH3-64 of arbitrary bytes, seed 0: schema fingerprints, payloads of actions.
std::uint64_t xxh3_64(BytesView bytes);

}  // namespace libsync
