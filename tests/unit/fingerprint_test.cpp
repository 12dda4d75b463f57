#include "libsync/fingerprint.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/snapshot.h"
#include "unit/support.h"

namespace libsync {

TEST_CASE("chunk_size_bytes: a power of two, at least 1,024, at most 4,096 chunks") {
  CHECK(chunk_size_bytes(0) == 1024);
  CHECK(chunk_size_bytes(1024 * 16384) == 1024);
  CHECK(chunk_size_bytes(1024 * 16384 + 1) == 2048);
  CHECK(chunk_size_bytes(64u << 20) == 4096);
  for (std::size_t size = 1; size < (std::size_t{1} << 31); size = size * 3 + 1) {
    const std::size_t chunk = chunk_size_bytes(size);
    CHECK((chunk & (chunk - 1)) == 0);
    CHECK((size + chunk - 1) / chunk <= kMaxChunks);
    CHECK((chunk == kMinChunkBytes || (size + chunk / 2 - 1) / (chunk / 2) > kMaxChunks));
  }
}

TEST_CASE("xxh3_64: is the published hash") { CHECK(xxh3_64(test::bytes_of("abc")) == 0x78af5f94892f3950u); }

TEST_CASE("Fingerprints: one per chunk, and the digest sees every byte and the size") {
  test::Random random(1);
  for (const std::size_t size : {0u, 1u, 1023u, 1024u, 1025u, 65536u, 65537u, 200'000u}) {
    CAPTURE(size);
    Bytes bytes = test::random_bytes(random, size);
    const Fingerprints whole = Fingerprints::of(bytes);
    CHECK(whole.chunks().size() == (size + 1023) / 1024);
    for (int i = 0; i < 20 && size > 0; ++i) {
      const std::size_t at = test::pick(random, 0, size - 1);
      bytes[at] ^= std::byte{1};
      CHECK(digest_of(bytes) != whole.digest());
      bytes[at] ^= std::byte{1};
    }
    bytes.push_back(std::byte{0});
    CHECK(digest_of(bytes) != whole.digest());
  }
  CHECK(digest_of(Bytes(1024)) != digest_of(Bytes(2048)));
}

TEST_CASE("Fingerprints: those taken over from a baseline are those of the bytes") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    test::Random random(seed);
    const Bytes baseline = test::random_bytes(random, test::pick(random, 0, 20'000));
    Bytes target = baseline;
    target.resize(test::pick(random, 0, 3) == 0 ? test::pick(random, 0, 20'000) : baseline.size());
    for (std::uint64_t i = test::pick(random, 0, 5); i > 0 && !target.empty(); --i) {
      target[test::pick(random, 0, target.size() - 1)] ^= std::byte{8};
    }
    const Fingerprints reused = Fingerprints::of(target, baseline, Fingerprints::of(baseline));
    const Fingerprints fresh = Fingerprints::of(target);
    CHECK(reused.digest() == fresh.digest());
    CHECK(std::equal(reused.chunks().begin(), reused.chunks().end(), fresh.chunks().begin(), fresh.chunks().end()));
  }
}

TEST_CASE("Snapshot: knows where it differs from the one it was taken with") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    test::Random random(seed);
    const SnapshotPtr before = Snapshot::copy_of(test::random_bytes(random, test::pick(random, 1, 20'000)));
    Bytes bytes(before->bytes().begin(), before->bytes().end());
    for (std::uint64_t i = test::pick(random, 0, 9); i > 0; --i)
      bytes[test::pick(random, 0, bytes.size() - 1)] ^= std::byte{8};
    const SnapshotPtr after = Snapshot::take(bytes, before.get());
    const std::vector<ByteRange>* changed = after->changed_since(*before);
    REQUIRE(changed != nullptr);
    Bytes patched(before->bytes().begin(), before->bytes().end());
    std::uint32_t end = 0;
    for (const ByteRange& range : *changed) {
      CHECK(range.begin >= end);
      REQUIRE(range.end <= bytes.size());
      std::copy(bytes.begin() + range.begin, bytes.begin() + range.end, patched.begin() + range.begin);
      end = range.end;
    }
    CHECK(patched == bytes);
    CHECK(Snapshot::take_changed(bytes, *before, *changed)->digest() == after->digest());
    CHECK(Snapshot::copy_of(bytes)->changed_since(*before) == nullptr);
  }
}

TEST_CASE("Snapshot: keeps its bytes and their digest") {
  test::Random random(2);
  const Bytes bytes = test::random_bytes(random, 5000);
  const SnapshotPtr snapshot = Snapshot::copy_of(bytes);
  CHECK(std::equal(bytes.begin(), bytes.end(), snapshot->bytes().begin(), snapshot->bytes().end()));
  CHECK(snapshot->digest() == digest_of(bytes));
  CHECK(reinterpret_cast<std::uintptr_t>(snapshot->bytes().data()) % 16 == 0);
  CHECK(Snapshot::empty()->size_bytes() == 0);
}

TEST_CASE("Fingerprints: update() gives what hashing everything gives") {
  test::Random random(5);
  for (const std::size_t size : {1u, 1024u, 5000u, 300'000u, 9'000'000u}) {
    CAPTURE(size);
    Bytes bytes = test::random_bytes(random, size);
    Fingerprints fingerprints = Fingerprints::of(bytes);
    for (int round = 0; round < 5; ++round) {
      std::vector<ByteRange> touched;
      for (int i = 0; i < 20; ++i) {
        const auto at = static_cast<std::uint32_t>(test::pick(random, 0, size - 1));
        bytes[at] ^= std::byte{1};
        touched.push_back({at, at + 1});
      }
      std::ranges::sort(touched, {}, &ByteRange::begin);
      fingerprints.update(bytes, touched);
      const Fingerprints anew = Fingerprints::of(bytes);
      CHECK(fingerprints.digest() == anew.digest());
      CHECK(std::ranges::equal(fingerprints.chunks(), anew.chunks()));
    }
  }
}

}  // namespace libsync
