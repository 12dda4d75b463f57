// What sessions and topics do with contexts of patches: who gets which patch, and how late ones come in.
#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/session.h"
#include "unit/session_pair.h"
#include "unit/small_world.h"

namespace libsync {
namespace {

using test::Connection;
using test::kTick;
using test::World;

// A world whose shots fly, behind sessions that use contexts of at least `min_patches`.
struct Flight {
  explicit Flight(std::uint32_t min_patches) : world(limits_of(min_patches)), game(test::small_world(100)) {
    world.publish(0, game.build());
  }
  static Limits limits_of(std::uint32_t min_patches) {
    Limits limits;
    limits.patch_format = 2;
    limits.min_patches_per_context = min_patches;
    return limits;
  }
  Connection& join() {
    Connection& connection = world.connect();
    connection.client->subscribe(world.now, "world");
    world.settle();
    return connection;
  }
  void tick() {
    for (std::size_t i = 0; i < game.shots.size(); ++i) {
      game.shots[i].x += 100 * static_cast<std::int32_t>(i);
      game.shots[i].y += static_cast<std::int32_t>(random() % 8);
    }
    world.publish(0, game.build());
    world.advance(kTick);
  }
  bool all_hold() const {
    const Bytes expected = game.build();
    return std::ranges::all_of(world.connections, [&](const auto& connection) {
      const HeldState* held = connection->client->held("world");
      return held != nullptr && std::ranges::equal(held->snapshot->bytes(), expected);
    });
  }
  // Bytes that the last update cost this client.
  static std::size_t last_cost(const Connection& connection) {
    return connection.client_saw<TopicUpdated>().back()->wire_bytes;
  }
  std::uint64_t n_encoded() const { return world.broadcaster.stats().patches_encoded; }

  World world;
  test::SmallWorld game;
  test::Random random{3};
};

}  // namespace

TEST_CASE("contexts: those who are in it get the small patches that the topic made") {
  Flight flight(1000);
  Connection& first = flight.join();
  flight.tick();
  const std::size_t alone = Flight::last_cost(first);
  for (int i = 0; i < 20; ++i) flight.tick();
  CHECK(flight.all_hold());
  CHECK(2 * Flight::last_cost(first) < alone);
  CHECK(flight.n_encoded() == 0);
}

TEST_CASE("contexts: whoever comes late gets patches that stand alone until one begins anew for all") {
  Flight flight(8);
  Connection& first = flight.join();
  for (int i = 0; i < 12; ++i) flight.tick();
  Connection& late = flight.join();
  // The context is older than eight patches: the newcomer waits for one tick only.
  flight.tick();
  CHECK(flight.n_encoded() == 1);
  CHECK(Flight::last_cost(first) < Flight::last_cost(late));
  flight.tick();
  CHECK(flight.n_encoded() == 1);
  CHECK(Flight::last_cost(first) == Flight::last_cost(late));
  for (int i = 0; i < 3; ++i) flight.tick();
  CHECK(flight.n_encoded() == 1);
  // Now it is young, and the next newcomer waits.
  Connection& later = flight.join();
  for (int i = 0; i < 5; ++i) {
    flight.tick();
    CHECK(Flight::last_cost(late) < Flight::last_cost(later));
  }
  CHECK(flight.n_encoded() == 6);
  flight.tick();
  CHECK(Flight::last_cost(late) == Flight::last_cost(later));
  CHECK(flight.n_encoded() == 6);
  CHECK(flight.all_hold());
  for (const auto& connection : flight.world.connections) {
    CHECK(connection->server->stats().resyncs == 0);
    CHECK(connection->server->stats().fulls_sent == 1);
  }
}

TEST_CASE("contexts: whoever did not read for a while comes back by a patch that stands alone") {
  Flight flight(4);
  flight.join();
  Connection& slow = flight.join();
  for (int i = 0; i < 6; ++i) flight.tick();
  slow.client_reads = false;
  for (int i = 0; i < 5; ++i) flight.tick();
  slow.client_reads = true;
  for (int i = 0; i < 8; ++i) {
    flight.tick();
    CHECK(flight.all_hold());
  }
  CHECK(slow.server->stats().resyncs == 0);
  CHECK(slow.server->stats().fulls_sent == 1);
  CHECK(slow.server->stats().versions_conflated >= 4);
  // It is in the context again: nothing is made for it alone.
  const std::uint64_t before = flight.n_encoded();
  for (int i = 0; i < 4; ++i) flight.tick();
  CHECK(flight.n_encoded() == before);
}

TEST_CASE("contexts: a patch that does not fit costs a full state, and no more than that") {
  Flight flight(4);
  flight.join();
  Connection& hurt = flight.join();
  for (int i = 0; i < 6; ++i) flight.tick();
  // One bit of the next update flips on its way.
  flight.game.shots[5].x += 7;
  flight.world.publish(0, flight.game.build());
  flight.world.now += kTick;
  hurt.server->handle_timeout(flight.world.now);
  bool is_bent = false;
  while (!is_bent) {
    ServerOutput output = hurt.server->poll_output(flight.world.now);
    auto* transmit = std::get_if<Transmit>(&output);
    if (transmit == nullptr) break;
    Bytes bent = *transmit->message;
    bent.back() ^= std::byte{16};
    is_bent = true;
    hurt.client->handle_frame(flight.world.now, bent);
  }
  REQUIRE(is_bent);
  flight.world.settle();
  flight.world.advance(kTick);
  CHECK(flight.all_hold());
  CHECK(hurt.server->stats().resyncs == 1);
  for (int i = 0; i < 20; ++i) {
    flight.tick();
    CHECK(flight.all_hold());
  }
  CHECK(hurt.server->stats().resyncs == 1);
  CHECK(hurt.server->stats().fulls_sent == 2);
  CHECK(!hurt.client->is_closed());
}

TEST_CASE("contexts: a topic that is gone and comes again begins anew") {
  Flight flight(4);
  Connection& one = flight.join();
  for (int i = 0; i < 6; ++i) flight.tick();
  one.client->unsubscribe(flight.world.now, "world");
  flight.world.settle();
  one.client->subscribe(flight.world.now, "world");
  flight.world.settle();
  for (int i = 0; i < 10; ++i) {
    flight.tick();
    CHECK(flight.all_hold());
  }
  CHECK(one.server->stats().resyncs == 0);
}

}  // namespace libsync
