#include "libsync/held_chunks.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "libsync/patch.h"
#include "unit/support.h"

namespace libsync {
namespace {

using test::Random;
using test::random_bytes;

// What a receiver of these bytes makes of the chunk diff to `target`, and the patch.
struct Applied {
  Bytes patch;
  Result<SnapshotPtr> result;
};
Applied apply_chunk_diff(const Bytes& held, const Bytes& target) {
  const HeldChunks chunks = HeldChunks::of(held);
  CHECK(chunks.is_valid(Limits{}));
  Bytes patch = test::bytes_of("what was there before");
  make_chunk_diff(chunks, *Snapshot::copy_of(target), patch);
  CHECK(patch.size() <= target.size() + kPatchOverheadBytes);
  Result<SnapshotPtr> result = apply_patch(*Snapshot::copy_of(held), patch, Limits{});
  return {std::move(patch), std::move(result)};
}
std::size_t cost(const Bytes& held, const Bytes& target) {
  const Applied applied = apply_chunk_diff(held, target);
  REQUIRE(applied.result.has_value());
  CHECK(std::ranges::equal((*applied.result)->bytes(), target));
  return applied.patch.size();
}

}  // namespace

TEST_CASE("held_chunk_bytes: at least 256, at most 4,096 chunks, powers of two") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{256} * 4096, std::size_t{256} * 4096 + 1,
                                 std::size_t{512} * 4096 + 1, std::size_t{16} << 20, std::size_t{0xffffffff}}) {
    CAPTURE(size);
    const std::size_t chunk = held_chunk_bytes(size);
    CHECK((chunk & (chunk - 1)) == 0);
    CHECK(chunk >= kMinHeldChunkBytes);
    CHECK((size + chunk - 1) / chunk <= kMaxHeldChunks);
    CHECK((chunk == kMinHeldChunkBytes || (size + chunk / 2 - 1) / (chunk / 2) > kMaxHeldChunks));
  }
}

TEST_CASE("HeldChunks: whole chunks only, within the limit") {
  Random random(1);
  Limits limits;
  limits.max_snapshot_bytes = 1000;
  const Bytes bytes = random_bytes(random, 1000);
  HeldChunks held = HeldChunks::of(bytes);
  CHECK(held.size_bytes == 1000);
  CHECK(held.fingerprints.size() == 3 * kHeldFingerprintBytes);
  CHECK(held.is_valid(limits));
  held.fingerprints.pop_back();
  CHECK(!held.is_valid(limits));
  limits.max_snapshot_bytes = 999;
  CHECK(!HeldChunks::of(bytes).is_valid(limits));
  CHECK(HeldChunks::of(Bytes(255)).fingerprints.empty());
  // Any byte of a chunk counts.
  for (const std::size_t at : {0, 255, 256, 511, 767}) {
    Bytes other = bytes;
    other[at] ^= std::byte{0x80};
    const HeldChunks changed = HeldChunks::of(other), same = HeldChunks::of(bytes);
    for (std::size_t i = 0; i < 3; ++i) {
      const auto begin = static_cast<std::ptrdiff_t>(i * kHeldFingerprintBytes);
      const bool is_equal =
          std::equal(changed.fingerprints.begin() + begin, changed.fingerprints.begin() + begin + kHeldFingerprintBytes,
                     same.fingerprints.begin() + begin);
      CHECK(is_equal == (i != at / 256));
    }
  }
}

TEST_CASE("make_chunk_diff: leads to the target, whatever is held") {
  Random random(2);
  for (const std::size_t held : {0, 1, 255, 256, 257, 511, 512, 513, 3000}) {
    for (const std::size_t target : {0, 1, 3, 255, 256, 257, 260, 511, 512, 2999}) {
      CAPTURE(held);
      CAPTURE(target);
      cost(random_bytes(random, held), random_bytes(random, target));
      const Bytes bytes = random_bytes(random, std::max(held, target));
      const auto first = [&](std::size_t n) {
        return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
      };
      cost(first(held), first(target));
    }
  }
}

TEST_CASE("make_chunk_diff: what is still there is not sent, wherever it went by multiples of four") {
  Random random(3);
  const Bytes held = random_bytes(random, 64 * 1024);
  CHECK(cost(held, held) < 32);
  Bytes changed = held;
  changed[5000] ^= std::byte{1};
  changed[40000] ^= std::byte{1};
  CHECK(cost(held, changed) < 2 * 256 + 64);
  Bytes moved = held;
  const Bytes more = random_bytes(random, 20);
  moved.insert(moved.begin() + 1000, more.begin(), more.end());
  moved.erase(moved.begin() + 30000, moved.begin() + 30008);
  CHECK(cost(held, moved) < 2 * 512 + 128);
  Bytes swapped = held;
  std::rotate(swapped.begin(), swapped.begin() + 20480, swapped.end());
  CHECK(cost(held, swapped) < 64);
  // By another number of bytes nothing is found, and everything is sent.
  Bytes odd = held;
  odd.insert(odd.begin(), std::byte{1});
  CHECK(cost(held, odd) > 60000);
}

TEST_CASE("make_chunk_diff: equal chunks are taken in their order") {
  const Bytes zeros(64 * 1024);
  CHECK(cost(zeros, zeros) < 32);
  CHECK(cost(zeros, Bytes(100 * 1024)) < 64);
}

TEST_CASE("make_chunk_diff: wrong fingerprints lead to another digest") {
  Random random(4);
  const Bytes target = random_bytes(random, 4096), held = random_bytes(random, 4096);
  // A client that says it holds the target.
  Bytes patch;
  make_chunk_diff(HeldChunks::of(target), *Snapshot::copy_of(target), patch);
  const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(held), patch, Limits{});
  REQUIRE(!applied.has_value());
  CHECK(applied.error().code == ErrorCode::kDigestMismatch);
  // All chunks the same: found anywhere or nowhere.
  for (const std::byte value : {std::byte{0}, std::byte{0xff}, HeldChunks::of(target).fingerprints[0]}) {
    HeldChunks all{16 << 20, Bytes(kMaxHeldChunks * kHeldFingerprintBytes, value)};
    make_chunk_diff(all, *Snapshot::copy_of(target), patch);
    CHECK(patch.size() <= target.size() + kPatchOverheadBytes);
  }
}

}  // namespace libsync
