// What it costs that clients come while a large state changes: one compression serves many.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "libsync/session.h"
#include "unit/session_pair.h"

namespace libsync {
namespace {

using test::Connection;
using test::kTick;
using test::World;

Bytes state(std::uint32_t version, std::size_t size = 64 << 10) {
  test::Random random(12);
  Bytes bytes = test::random_bytes(random, size);
  std::memcpy(bytes.data() + 1000, &version, sizeof version);
  return bytes;
}

Connection& join(World& world) {
  Connection& connection = world.connect();
  connection.client->subscribe(world.now, "world");
  world.settle();
  return connection;
}

bool holds(const Connection& connection, const Bytes& expected) {
  const HeldState* held = connection.client->held("world");
  return held != nullptr && std::ranges::equal(held->snapshot->bytes(), expected);
}

}  // namespace

TEST_CASE("join: a state that was made for others is sent again, and what came since with it") {
  World world;
  world.publish(0, state(1));
  join(world);
  for (std::uint32_t version = 2; version <= 1 + world.limits.max_full_reuse_versions; ++version) {
    world.publish(0, state(version));
    world.now += kTick;
    Connection& connection = join(world);
    CHECK(holds(connection, state(version)));
    const auto updates = connection.client_saw<TopicUpdated>();
    REQUIRE(updates.size() == 2);
    CHECK(updates[0]->held.position.version == Version{1});
    CHECK(updates[1]->kind == UpdateKind::kPatch);
  }
  CHECK(world.broadcaster.stats().fulls_encoded == 1);
  world.publish(0, state(100));
  CHECK(join(world).client_saw<TopicUpdated>().size() == 1);
  CHECK(world.broadcaster.stats().fulls_encoded == 2);
}

TEST_CASE("join: a small state is made anew, and none of another epoch is sent") {
  World world;
  world.publish(0, state(1, 4096));
  join(world);
  world.publish(0, state(2, 4096));
  CHECK(join(world).client_saw<TopicUpdated>().size() == 1);
  World other;
  other.publish(0, state(1));
  join(other);
  other.topics[0] = std::make_unique<Topic>(TopicInfo{TopicId{1}, "world", Epoch{70}}, other.limits);
  for (std::uint32_t version = 2; version <= 4; ++version) other.publish(0, state(version));
  Connection& connection = join(other);
  CHECK(holds(connection, state(4)));
  CHECK(connection.client_saw<TopicUpdated>().size() == 1);
}

TEST_CASE("join: whoever asks for the state anew is never taken back") {
  Limits limits;
  limits.min_chunk_diff_bytes = 1 << 20;
  World world(limits);
  world.publish(0, state(1));
  Connection& connection = join(world);
  world.publish(0, state(2));
  world.advance(kTick);
  REQUIRE(holds(connection, state(2)));
  world.publish(0, state(3));
  world.now += kTick;
  test::deliver_bent_update(world, connection);
  world.advance(kTick);
  CHECK(connection.server->stats().resyncs == 1);
  CHECK(holds(connection, state(3)));
  std::vector<std::uint64_t> versions;
  for (const TopicUpdated* update : connection.client_saw<TopicUpdated>())
    versions.push_back(update->held.position.version.value);
  CHECK(versions == std::vector<std::uint64_t>{1, 2, 3});
}

}  // namespace libsync
