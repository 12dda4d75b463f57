#include "libsync/fingerprint.h"

#include <xxhash.h>
// After xxhash.h: picks AVX2 or AVX-512 at run time, three to four times the speed of the baseline build.
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "codec/bytes_compare.h"
#include "libsync/result.h"

namespace libsync {
namespace {

constexpr std::size_t kGroupChunks = 64;

std::uint64_t hash(const void* data, std::size_t size_bytes) {
#if defined(__x86_64__)
  return XXH3_64bits_dispatch(data, size_bytes);
#else
  return XXH3_64bits(data, size_bytes);
#endif
}

// Where two chunks differ, in blocks of 64 bytes, appended to `ranges`; neighbours become one.
void add_differing_blocks(const std::byte* a, const std::byte* b, std::size_t begin, std::size_t count,
                          std::vector<ByteRange>& ranges) {
  constexpr std::size_t kBlock = 64, kNear = 128;
  const auto add = [&](std::size_t from, std::size_t to) {
    if (!ranges.empty() && begin + from <= ranges.back().end + kNear) {
      ranges.back().end = static_cast<std::uint32_t>(begin + to);
    } else {
      ranges.push_back({static_cast<std::uint32_t>(begin + from), static_cast<std::uint32_t>(begin + to)});
    }
  };
  const auto differs = [&](std::size_t at) {
    if (count - at >= kBlock) return codec::differing_bytes(a + at, b + at) != 0;
    return std::memcmp(a + at, b + at, count - at) != 0;
  };
  // Where both ends differ, what is between mostly does.
  if (differs(0) && differs((count - 1) / kBlock * kBlock)) return add(0, count);
  for (std::size_t at = 0; at < count; at += kBlock) {
    if (differs(at)) add(at, std::min(at + kBlock, count));
  }
}

// Begins to load the first of the bytes from here on, which are hashed soon: chunks that changed are far apart.
void fetch_ahead(BytesView bytes, std::size_t begin) {
#if defined(__GNUC__)
  const std::size_t end = std::min(begin + kMinChunkBytes, bytes.size());
  for (std::size_t at = begin; at < end; at += 64) __builtin_prefetch(bytes.data() + at);
#endif
}

static_assert(std::endian::native == std::endian::little, "fingerprints are hashed as they lie in memory");

}  // namespace

std::size_t chunk_size_bytes(std::size_t size_bytes) {
  return std::max(kMinChunkBytes, std::bit_ceil((size_bytes + kMaxChunks - 1) / kMaxChunks));
}

Fingerprints::Fingerprints() { finish(); }

Fingerprints Fingerprints::of(BytesView bytes) { return of(bytes, {}, Fingerprints()); }

Fingerprints Fingerprints::of(BytesView bytes, BytesView baseline, const Fingerprints& baseline_fingerprints,
                              std::vector<ByteRange>* changed) {
  SYNC_ASSERT(baseline.size() == baseline_fingerprints.size_bytes());
  Fingerprints result;
  result.size_bytes_ = bytes.size();
  const std::size_t chunk_size = chunk_size_bytes(bytes.size());
  const bool comparable = chunk_size == chunk_size_bytes(baseline.size());
  result.chunks_.reserve((bytes.size() + chunk_size - 1) / chunk_size);
  for (std::size_t begin = 0; begin < bytes.size(); begin += chunk_size) {
    const std::size_t count = std::min(chunk_size, bytes.size() - begin);
    // The last chunk of either side may be shorter; equal only where both have the same bytes and the same length.
    const std::size_t baseline_count = begin < baseline.size() ? std::min(chunk_size, baseline.size() - begin) : 0;
    const bool unchanged =
        comparable && count == baseline_count && std::memcmp(bytes.data() + begin, baseline.data() + begin, count) == 0;
    if (!unchanged && changed != nullptr && comparable && bytes.size() == baseline.size())
      add_differing_blocks(bytes.data() + begin, baseline.data() + begin, begin, count, *changed);
    result.chunks_.push_back(unchanged ? baseline_fingerprints.chunks_[begin / chunk_size]
                                       : hash(bytes.data() + begin, count));
  }
  result.finish();
  return result;
}

void Fingerprints::finish() {
  groups_.resize((chunks_.size() + kGroupChunks - 1) / kGroupChunks);
  for (std::size_t group = 0; group < groups_.size(); ++group) hash_group(group);
  hash_root();
}

void Fingerprints::update(BytesView bytes, std::span<const ByteRange> changed) {
  SYNC_ASSERT(bytes.size() == size_bytes_);
  const auto chunk_bits = static_cast<unsigned>(std::countr_zero(chunk_size_bytes(bytes.size())));
  std::size_t next = 0, next_group = 0;  // that is not hashed anew so far
  for (std::size_t i = 0; i < changed.size(); ++i) {
    const ByteRange& range = changed[i];
    if (range.begin == range.end) continue;
    const std::size_t last = (range.end - 1) >> chunk_bits;
    if (i + 1 < changed.size()) fetch_ahead(bytes, std::size_t{changed[i + 1].begin} >> chunk_bits << chunk_bits);
    for (next = std::max<std::size_t>(next, range.begin >> chunk_bits); next <= last; ++next) {
      const std::size_t begin = next << chunk_bits;
      // A group is complete when the first chunk of a later one comes.
      if (next / kGroupChunks >= next_group) {
        if (next_group > 0) hash_group(next_group - 1);
        next_group = next / kGroupChunks + 1;
      }
      chunks_[next] = hash(bytes.data() + begin, std::min(std::size_t{1} << chunk_bits, bytes.size() - begin));
    }
  }
  if (next_group == 0) return;
  hash_group(next_group - 1);
  hash_root();
}

void Fingerprints::hash_group(std::size_t group) {
  const std::size_t begin = group * kGroupChunks, count = std::min(kGroupChunks, chunks_.size() - begin);
  groups_[group] = hash(chunks_.data() + begin, count * sizeof(std::uint64_t));
}

void Fingerprints::hash_root() {
  std::array<std::uint64_t, 1 + kMaxChunks / kGroupChunks> root;
  root[0] = size_bytes_;
  std::copy(groups_.begin(), groups_.end(), root.begin() + 1);
  digest_ = Digest{hash(root.data(), (1 + groups_.size()) * sizeof(std::uint64_t))};
}

Digest digest_of(BytesView bytes) { return Fingerprints::of(bytes).digest(); }

std::uint64_t xxh3_64(BytesView bytes) { return hash(bytes.data(), bytes.size()); }

}  // namespace libsync
