#include "libsync/replica.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/message.h"
#include "libsync/patch.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace libsync {
namespace {

using test::pick;
using test::Random;
using test::small_world;
using test::SmallWorld;

std::string error_of(const Result<Digest>& applied) { return applied ? "" : name_of(applied.error().code); }

}  // namespace

TEST_CASE("Replica: follows a game from nothing, byte for byte, and keeps its state where a patch is bad") {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    SmallWorld world = small_world(static_cast<std::uint32_t>(pick(random, 0, 60)));
    SnapshotPtr held = Snapshot::empty();
    Replica replica;
    PatchContext sent;
    for (int step = 0; step < 12; ++step) {
      CAPTURE(step);
      if (pick(random, 0, 1) == 0) {
        for (test::SmallBody& body : world.bodies) body.x += 0.25f, body.mass -= 7;
      } else {
        test::play(world, random);
      }
      const SnapshotPtr next = Snapshot::copy_of(world.build());
      Bytes patch;
      make_patch(*held, *next, patch, kPatchFormat, &sent);
      if (pick(random, 0, 4) == 0) {
        // Bent somewhere: refused, and nothing has changed; then the sender begins anew.
        Bytes bent = patch;
        bent[pick(random, 0, bent.size() - 1)] ^= static_cast<std::byte>(1u << pick(random, 0, 7));
        CHECK(!replica.apply(bent, Limits{}).has_value());
        CHECK(replica.digest() == held->digest());
        CHECK(std::ranges::equal(replica.bytes(), held->bytes()));
        make_patch(*held, *next, patch, kPatchFormat);
        sent.close();
      }
      CHECK(error_of(replica.apply(patch, Limits{})) == "");
      CHECK(std::ranges::equal(replica.bytes(), next->bytes()));
      CHECK(replica.digest() == next->digest());
      CHECK(replica.digest() == digest_of(replica.bytes()));
      held = next;
    }
    CHECK(replica.snapshot()->digest() == replica.digest());
  }
}

TEST_CASE("Replica: after a bad patch only one that stands alone is taken") {
  SmallWorld world = small_world(40);
  const SnapshotPtr first = Snapshot::copy_of(world.build());
  std::vector<Bytes> patches;
  PatchContext sent;
  SnapshotPtr held = first;
  for (int i = 0; i < 3; ++i) {
    world.bodies[7].x += 1;
    const SnapshotPtr next = Snapshot::copy_of(world.build());
    make_patch(*held, *next, patches.emplace_back(), kPatchFormat, &sent);
    held = next;
  }
  Replica replica(*first);
  CHECK(error_of(replica.apply(patches[1], Limits{})) == name_of(ErrorCode::kWrongBaseline));
  CHECK(error_of(replica.apply(patches[0], Limits{})) == "");
  CHECK(!replica.apply(patches[2], Limits{}).has_value());
  CHECK(error_of(replica.apply(patches[1], Limits{})) == name_of(ErrorCode::kWrongBaseline));
  Bytes alone;
  make_patch(*Snapshot::copy_of(replica.bytes()), *held, alone);
  CHECK(error_of(replica.apply(alone, Limits{})) == "");
  CHECK(std::ranges::equal(replica.bytes(), held->bytes()));
  CHECK(reinterpret_cast<std::uintptr_t>(replica.bytes().data()) % 16 == 0);
}

TEST_CASE("Replica: refuses a target above the limit") {
  Replica replica;
  Bytes patch;
  make_patch(*Snapshot::empty(), *Snapshot::copy_of(small_world(10).build()), patch);
  Limits limits;
  limits.max_snapshot_bytes = 50;
  CHECK(error_of(replica.apply(patch, limits)) == name_of(ErrorCode::kSnapshotTooBig));
  CHECK(replica.bytes().empty());
}

}  // namespace libsync
