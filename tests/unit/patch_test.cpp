#include "libsync/patch.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "byte_writer.h"
#include "unit/model_patch.h"
#include "unit/support.h"

namespace libsync {
namespace {

using test::bytes_of;
using test::pick;
using test::Random;
using test::random_bytes;

const Limits kLimits;

Bytes patch_of(const Bytes& baseline, const Bytes& target) {
  Bytes patch;
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
  return patch;
}

void check_round_trip(const Bytes& baseline, const Bytes& target) {
  const Bytes patch = patch_of(baseline, target);
  CHECK(patch.size() <= target.size() + kPatchOverheadBytes);
  const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, kLimits);
  REQUIRE(applied.has_value());
  CHECK(std::equal(target.begin(), target.end(), (*applied)->bytes().begin(), (*applied)->bytes().end()));
  CHECK((*applied)->digest() == digest_of(target));
  if (patch[0] == std::byte{1}) CHECK(test::model_apply(baseline, patch, kLimits.max_snapshot_bytes) == target);
}

// A patch of kind kBytes with its header right, so that only the ops decide.
Bytes with_header(const Bytes& baseline, const Bytes& target, const Bytes& ops) {
  Bytes patch;
  ByteWriter writer(patch);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kBytes));
  writer.varint(baseline.size());
  writer.varint(target.size());
  writer.u64(digest_of(target).value);
  writer.bytes(ops);
  return patch;
}

ErrorCode error_of(const Bytes& baseline, const Bytes& patch, const Limits& limits = kLimits) {
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  const Bytes before(held->bytes().begin(), held->bytes().end());
  const Result<SnapshotPtr> applied = apply_patch(*held, patch, limits);
  CHECK(std::equal(before.begin(), before.end(), held->bytes().begin(), held->bytes().end()));
  return applied ? ErrorCode::kNone : applied.error().code;
}

// What a game does to its state between two ticks, on raw bytes.
Bytes mutate(Random& random, Bytes bytes) {
  for (std::uint64_t edits = pick(random, 0, 12); edits > 0; --edits) {
    const std::size_t at = bytes.empty() ? 0 : pick(random, 0, bytes.size() - 1);
    switch (pick(random, 0, 3)) {
      case 0:  // a scalar changes
        for (std::size_t i = at; i < std::min(at + 4, bytes.size()); ++i) bytes[i] = static_cast<std::byte>(random());
        break;
      case 1: {  // something is inserted
        const Bytes inserted = random_bytes(random, pick(random, 1, 80));
        bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), inserted.begin(), inserted.end());
        break;
      }
      case 2:  // something is removed
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(std::min(at + pick(random, 1, 80), bytes.size())));
        break;
      default: {  // something moves
        const std::size_t middle = std::min(at + pick(random, 1, 200), bytes.size());
        std::rotate(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    bytes.begin() + static_cast<std::ptrdiff_t>(middle));
      }
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("make_patch: round trips at the sizes around zero, lanes and chunks") {
  Random random(1);
  const std::size_t sizes[] = {0, 1, 3, 4, 5, 7, 8, 16, 17, 63, 64, 255, 1023, 1024, 1025, 4096, 65537};
  for (const std::size_t baseline_size : sizes) {
    for (const std::size_t target_size : sizes) {
      CAPTURE(baseline_size);
      CAPTURE(target_size);
      check_round_trip(random_bytes(random, baseline_size), random_bytes(random, target_size));
    }
    const Bytes same = random_bytes(random, baseline_size);
    check_round_trip(same, same);
  }
}

TEST_CASE("make_patch: round trips whatever a game does to its bytes") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    const Bytes baseline = random_bytes(random, pick(random, 0, 4000));
    check_round_trip(baseline, mutate(random, baseline));
  }
}

TEST_CASE("make_patch: nothing changed costs the header and next to nothing") {
  Random random(2);
  const Bytes bytes = random_bytes(random, 100'000);
  CHECK(patch_of(bytes, bytes).size() <= 1 + 8 + 2);
}

TEST_CASE("make_patch: one changed scalar costs a few bytes") {
  Random random(3);
  const Bytes baseline = random_bytes(random, 100'000);
  Bytes target = baseline;
  target[50'000] ^= std::byte{1};
  CHECK(patch_of(baseline, target).size() <= 32);
}

TEST_CASE("make_patch: an insertion costs what was inserted, not what moved") {
  Random random(4);
  const Bytes baseline = random_bytes(random, 100'000);
  Bytes target = baseline;
  const Bytes inserted = random_bytes(random, 52);
  target.insert(target.begin() + 40'000, inserted.begin(), inserted.end());
  CHECK(patch_of(baseline, target).size() <= 52 + 64);
}

TEST_CASE("make_patch: two swapped halves cost an index look-up, not their bytes") {
  Random random(5);
  const Bytes baseline = random_bytes(random, 20'000);
  Bytes target = baseline;
  std::rotate(target.begin(), target.begin() + 10'000, target.end());
  CHECK(patch_of(baseline, target).size() <= 128);
}

TEST_CASE("make_patch: small moves of every float cost less than their four bytes") {
  Bytes baseline(40'000);
  Bytes target(40'000);
  for (std::size_t i = 0; i < baseline.size() / 4; ++i) {
    const float before = 1000.0f + static_cast<float>(i);
    const float after = before + 0.01f;
    std::memcpy(&baseline[4 * i], &before, 4);
    std::memcpy(&target[4 * i], &after, 4);
  }
  check_round_trip(baseline, target);
  CHECK(patch_of(baseline, target).size() < target.size() / 2);
}

TEST_CASE("apply_patch: refuses a patch cut at any length") {
  Random random(6);
  const Bytes baseline = random_bytes(random, 500);
  const Bytes target = mutate(random, baseline);
  const Bytes patch = patch_of(baseline, target);
  for (std::size_t length = 0; length < patch.size(); ++length) {
    CAPTURE(length);
    CHECK(error_of(baseline, Bytes(patch.begin(), patch.begin() + static_cast<std::ptrdiff_t>(length))) !=
          ErrorCode::kNone);
  }
}

TEST_CASE("apply_patch: agrees with the model on flipped bits, and accepts only the sender's bytes") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Random random(seed);
    const Bytes baseline = random_bytes(random, pick(random, 1, 300));
    const Bytes target = mutate(random, baseline);
    const Bytes patch = patch_of(baseline, target);
    for (int i = 0; i < 200; ++i) {
      Bytes hostile = patch;
      hostile[pick(random, 0, hostile.size() - 1)] ^= static_cast<std::byte>(1u << pick(random, 0, 7));
      const ErrorCode code = error_of(baseline, hostile);
      CAPTURE(seed);
      if (hostile[0] != std::byte{1}) {
        CHECK((code != ErrorCode::kNone || hostile == patch));
        continue;
      }
      const auto model = test::model_apply(baseline, hostile, kLimits.max_snapshot_bytes);
      CAPTURE(test::to_hex(hostile));
      // Where the model sees a target, only the digest may refuse it; where it sees none, nothing is accepted.
      if (model) {
        CHECK((code == ErrorCode::kNone || code == ErrorCode::kDigestMismatch));
        if (code == ErrorCode::kNone) CHECK(digest_of(*model) == digest_of(target));
      } else {
        CHECK(code != ErrorCode::kNone);
        CHECK(code != ErrorCode::kDigestMismatch);
      }
    }
  }
}

TEST_CASE("apply_patch: refuses a baseline of another size") {
  const Bytes patch = patch_of(bytes_of("baseline"), bytes_of("target"));
  CHECK(error_of(bytes_of("baselines"), patch) == ErrorCode::kWrongBaseline);
}

TEST_CASE("apply_patch: refuses a baseline of the same size and other bytes by the digest") {
  Random random(7);
  const Bytes baseline = random_bytes(random, 100);
  Bytes target = baseline;
  target[50] ^= std::byte{0xff};
  Bytes other = baseline;
  other[3] ^= std::byte{1};
  CHECK(error_of(other, patch_of(baseline, target)) == ErrorCode::kDigestMismatch);
}

TEST_CASE("apply_patch: refuses a target above the limit before it allocates") {
  Limits limits;
  limits.max_snapshot_bytes = 100;
  const Bytes target(101);
  CHECK(error_of({}, patch_of({}, target), limits) == ErrorCode::kSnapshotTooBig);
  const Bytes allowed(100);
  CHECK(error_of({}, patch_of({}, allowed), limits) == ErrorCode::kNone);
  // 4 GiB announced by 14 bytes.
  CHECK(error_of({}, bytes_of({1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0})) ==
        ErrorCode::kSnapshotTooBig);
}

TEST_CASE("apply_patch: refuses every form that is not canonical") {
  const Bytes baseline = bytes_of("abcdefgh");
  const int copy2 = 2 << 2 | 0, copy8 = 8 << 2 | 0, copy9 = 9 << 2 | 0, copy4 = 4 << 2 | 0;
  const int add1 = 1 << 2 | 1, add2 = 2 << 2 | 1;
  const int seek4 = 8 << 2 | 2, back1 = 1 << 2 | 2, seek9 = 18 << 2 | 2;
  const int lanes1 = 1 << 2 | 3, lanes3 = 3 << 2 | 3;
  const auto check = [&](std::string_view target, std::initializer_list<int> ops, ErrorCode expected) {
    CAPTURE(target);
    const Bytes patch = with_header(baseline, bytes_of(target), bytes_of(ops));
    CAPTURE(test::to_hex(patch));
    CHECK(error_of(baseline, patch) == expected);
    CHECK(test::model_apply(baseline, patch, kLimits.max_snapshot_bytes).has_value() == (expected == ErrorCode::kNone));
  };
  check("abcdefgh", {copy8}, ErrorCode::kNone);
  check("efgh", {seek4, copy4}, ErrorCode::kNone);
  check("xabcd", {add1, 'x', copy4}, ErrorCode::kNone);
  check("bbcd", {lanes1, 2}, ErrorCode::kNone);

  check("abcdefgh", {copy9}, ErrorCode::kMalformed);                             // past the baseline
  check("abcdefg", {copy8}, ErrorCode::kMalformed);                              // past the target
  check("abcd", {copy2, copy2}, ErrorCode::kMalformed);                          // two that should be one
  check("xy", {add1, 'x', add1, 'y'}, ErrorCode::kMalformed);                    // two that should be one
  check("abcd", {0 << 2 | 0, copy4}, ErrorCode::kMalformed);                     // of nothing
  check("xy", {add2, 'x'}, ErrorCode::kMalformed);                               // past the patch
  check("abcd", {copy4, seek4}, ErrorCode::kMalformed);                          // seek at the end
  check("x", {seek4, add1, 'x'}, ErrorCode::kMalformed);                         // seek for nothing
  check("abcd", {back1, copy4}, ErrorCode::kMalformed);                          // before the baseline
  check("abcd", {seek9, copy4}, ErrorCode::kMalformed);                          // past the baseline
  check("abcdefghijkl", {lanes3, 0, 0, 0}, ErrorCode::kMalformed);               // lanes past the baseline
  check("ab", {lanes1, 0}, ErrorCode::kMalformed);                               // lanes past the target
  check("abcd", {lanes1, 0x80, 0x00}, ErrorCode::kMalformed);                    // longer varint than needed
  check("abcd", {lanes1, 0xff, 0xff, 0xff, 0xff, 0x1f}, ErrorCode::kMalformed);  // lane beyond 32 bits
  check("abcd", {lanes1}, ErrorCode::kMalformed);                                // no lane
  check("abcde", {copy4}, ErrorCode::kMalformed);                                // target not full
  check("abcd", {copy4, copy4}, ErrorCode::kMalformed);                          // goes on after the end
  // Seeks whose distance would overflow.
  check("abcd", {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, copy4}, ErrorCode::kMalformed);
  check("abcd", {0xfa, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, copy4}, ErrorCode::kMalformed);
}

TEST_CASE("make_patch: format 1 speaks of bytes only") {
  const Bytes baseline = bytes_of("abcdefghijkl"), target = bytes_of("abcdefghijkm");
  Bytes patch;
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
  CHECK(patch[0] == static_cast<std::byte>(PatchKind::kInPlace));
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch, 1);
  CHECK(patch[0] == static_cast<std::byte>(PatchKind::kBytes));
  CHECK(test::model_apply(baseline, patch, kLimits.max_snapshot_bytes) == target);
}

TEST_CASE("read_patch_header: tells what a patch is for without applying it") {
  const Bytes patch = patch_of(bytes_of("abcdefgh"), bytes_of("abc"));
  const Result<PatchHeader> header = read_patch_header(patch);
  REQUIRE(header.has_value());
  CHECK(header->kind == PatchKind::kBytes);
  CHECK(header->baseline_size_bytes == 8);
  CHECK(header->target_size_bytes == 3);
  CHECK(header->digest == digest_of(bytes_of("abc")));
  const Result<PatchHeader> in_place = read_patch_header(bytes_of({2, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  REQUIRE(in_place.has_value());
  CHECK(in_place->kind == PatchKind::kInPlace);
  CHECK(!in_place->target_size_bytes);
  CHECK(in_place->digest.value == 0x0807060504030201);
  CHECK(in_place->body_offset == 9);
  const Result<PatchHeader> moved = read_patch_header(bytes_of({3, 0x80, 1, 1, 2, 3, 4, 5, 6, 7, 8}));
  REQUIRE(moved.has_value());
  CHECK(moved->target_size_bytes == 128);
  CHECK(!read_patch_header({}).has_value());
  CHECK(!read_patch_header(bytes_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})).has_value());
  CHECK(!read_patch_header(bytes_of({4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})).has_value());
  CHECK(!read_patch_header(bytes_of({3, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0})).has_value());
  CHECK(!read_patch_header(bytes_of({2, 1, 2, 3, 4, 5, 6, 7})).has_value());
}

}  // namespace libsync
