#include "libsync/topic.h"

#include <doctest/doctest.h>

#include "libsync/patch.h"
#include "libsync/snapshot_store.h"
#include "unit/support.h"

namespace libsync {
namespace {

TopicInfo world() { return {TopicId{1}, "world", Epoch{42}, TopicClass::kBulk, 128}; }

}  // namespace

TEST_CASE("Topic: a version per change, nothing without one") {
  const Limits limits;
  Topic topic(world(), limits);
  CHECK(topic.position().version.value == 0);
  const auto first = topic.publish(test::bytes_of("one"));
  REQUIRE(first.has_value());
  REQUIRE(first->has_value());
  CHECK((**first).version.value == 1);
  CHECK((**first).patch == nullptr);
  const auto same = topic.publish(test::bytes_of("one"));
  REQUIRE(same.has_value());
  CHECK(!same->has_value());
  CHECK(topic.position().version.value == 1);
  const auto second = topic.publish(test::bytes_of("two"));
  REQUIRE(second.has_value());
  REQUIRE(second->has_value());
  CHECK((**second).version.value == 2);
  CHECK((**second).base_version.value == 1);
  CHECK(topic.position() == Position{Epoch{42}, Version{2}, digest_of(test::bytes_of("two"))});
}

TEST_CASE("Topic: the patch of an update leads from the last version to this one") {
  const Limits limits;
  Topic topic(world(), limits);
  test::Random random(1);
  Bytes state = test::random_bytes(random, 3000);
  SnapshotPtr held = (**topic.publish(state)).snapshot;
  PatchContext context;
  for (int i = 0; i < 50; ++i) {
    state[test::pick(random, 0, state.size() - 1)] ^= std::byte{1};
    const auto update = topic.publish(state);
    REQUIRE(update.has_value());
    REQUIRE(update->has_value());
    const auto applied = apply_patch(*held, *(**update).patch, limits, &context);
    REQUIRE(applied.has_value());
    CHECK((**update).continues == read_patch_header(*(**update).patch)->continues);
    CHECK((*applied)->digest() == topic.position().digest);
    held = *applied;
  }
}

TEST_CASE("Topic: refuses a snapshot above the limit and stays as it was") {
  Limits limits;
  limits.max_snapshot_bytes = 10;
  Topic topic(world(), limits);
  CHECK(topic.publish(Bytes(10)).has_value());
  const Position before = topic.position();
  const auto refused = topic.publish(Bytes(11));
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code == ErrorCode::kSnapshotTooBig);
  CHECK(topic.position() == before);
}

TEST_CASE("Topic: continues a saved epoch at its version") {
  const Limits limits;
  Topic topic(world(), limits, Version{17}, test::bytes_of("saved"));
  CHECK(topic.position() == Position{Epoch{42}, Version{17}, digest_of(test::bytes_of("saved"))});
  CHECK(!topic.publish(test::bytes_of("saved"))->has_value());
  const auto next = topic.publish(test::bytes_of("later"));
  REQUIRE(next->has_value());
  CHECK((**next).version.value == 18);
  CHECK((**next).base_version.value == 17);
}

}  // namespace libsync
