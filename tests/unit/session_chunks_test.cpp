// Chunk diffs: a client whose baseline is gone names the chunks of what it holds, and gets what it lacks.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "libsync/session.h"
#include "unit/session_pair.h"

namespace libsync {
namespace {

using test::Connection;
using test::disconnect_code;
using test::inject;
using test::kTick;
using test::World;
using namespace std::chrono_literals;

// Bytes that no compression helps with; a few of them change with the version.
Bytes state(std::uint32_t version, std::size_t size = 64 << 10) {
  test::Random random(11);
  Bytes bytes = test::random_bytes(random, size);
  for (std::size_t i = 0; i < 4; ++i) std::memcpy(bytes.data() + 1000 * (i + 1), &version, sizeof version);
  return bytes;
}

bool holds(const Connection& connection, const Bytes& expected) {
  const HeldState* held = connection.client->held("world");
  return held != nullptr && std::ranges::equal(held->snapshot->bytes(), expected);
}

// A world whose history has no room for older versions, and a client that was away for a while.
struct Returned {
  explicit Returned(Limits limits = with_short_history()) : world(limits) {
    world.publish(0, state(1, size));
    Connection& first = world.connect();
    first.client->subscribe(world.now, "world");
    world.settle();
    REQUIRE(holds(first, state(1, size)));
    held = *first.client->held("world");
    for (std::uint32_t version = 2; version <= 9; ++version) world.publish(0, state(version, size));
  }
  static Limits with_short_history() {
    Limits limits;
    limits.max_history_versions = 2;
    return limits;
  }
  Connection& come_back() {
    Connection& connection = world.connect();
    connection.client->subscribe(world.now, "world", &held);
    world.settle();
    return connection;
  }

  static constexpr std::size_t size = 64 << 10;
  World world;
  HeldState held;
};

}  // namespace

TEST_CASE("chunk diff: a client whose baseline is gone gets what it lacks, then patches") {
  Returned returned;
  Connection& connection = returned.come_back();
  CHECK(holds(connection, state(9)));
  const auto updates = connection.client_saw<TopicUpdated>();
  REQUIRE(updates.size() == 1);
  CHECK(updates[0]->kind == UpdateKind::kChunkDiff);
  CHECK(updates[0]->wire_bytes < 8192);
  CHECK(updates[0]->held.position.version == Version{9});
  CHECK(connection.server->stats().chunk_diffs_sent == 1);
  CHECK(connection.server->stats().fulls_sent == 0);
  CHECK(connection.server->stats().resyncs == 0);
  returned.world.publish(0, state(10));
  returned.world.advance(kTick);
  CHECK(holds(connection, state(10)));
  CHECK(connection.client_saw<TopicUpdated>().back()->kind == UpdateKind::kPatch);
}

TEST_CASE("chunk diff: clients that were left behind together share one") {
  Returned returned;
  for (int i = 0; i < 3; ++i) CHECK(holds(returned.come_back(), state(9)));
  CHECK(returned.world.broadcaster.stats().chunk_diffs_encoded == 1);
}

TEST_CASE("chunk diff: a new epoch is no reason to send everything") {
  Returned returned;
  returned.held.position.epoch = Epoch{99};
  Connection& connection = returned.come_back();
  CHECK(holds(connection, state(9)));
  CHECK(connection.server->stats().chunk_diffs_sent == 1);
}

TEST_CASE("chunk diff: small states, and those of which little is left, are sent whole") {
  Limits limits = Returned::with_short_history();
  limits.min_chunk_diff_bytes = Returned::size + 1;
  Returned small(limits);
  CHECK(holds(small.come_back(), state(9)));
  CHECK(small.world.broadcaster.stats().chunk_diffs_encoded == 0);
  Returned other;
  test::Random random(5);
  other.world.publish(0, test::random_bytes(random, Returned::size));
  Connection& connection = other.come_back();
  CHECK(connection.server->stats().fulls_sent == 1);
  CHECK(connection.server->stats().chunk_diffs_sent == 0);
  CHECK(connection.client_saw<TopicUpdated>().back()->held.position.version == Version{10});
}

TEST_CASE("chunk diff: beyond what the server spends on them states are sent whole") {
  Limits limits = Returned::with_short_history();
  limits.chunk_diff_bytes_per_second = Returned::size + 10;
  Returned returned(limits);
  returned.come_back();
  returned.held.snapshot = Snapshot::copy_of(state(77));  // not in the cache
  returned.held.position.digest = returned.held.snapshot->digest();
  Connection& second = returned.come_back();
  CHECK(holds(second, state(9)));
  CHECK(second.server->stats().fulls_sent == 1);
  returned.world.advance(1s);
  Connection& third = returned.come_back();
  CHECK(holds(third, state(9)));
  CHECK(third.server->stats().chunk_diffs_sent == 1);
}

TEST_CASE("chunk diff: heals a client whose bytes went wrong, and gives up on it after that") {
  Returned returned;
  Connection& connection = returned.come_back();
  // The chunks of other bytes than the client holds: the digest tells, and the state comes whole.
  returned.held.snapshot = Snapshot::copy_of(state(5));
  Connection& hurt = returned.world.connect();
  hurt.client->subscribe(returned.world.now, "world", &returned.held);
  returned.world.settle();
  CHECK(holds(hurt, state(9)));
  // A patch that is bent on its way: the next GetState names chunks.
  returned.world.publish(0, state(10));
  returned.world.now += kTick;
  connection.server->handle_timeout(returned.world.now);
  test::deliver_bent_update(returned.world, connection);
  returned.world.advance(kTick);
  CHECK(holds(connection, state(10)));
  CHECK(connection.server->stats().resyncs == 1);
  CHECK(connection.server->stats().chunk_diffs_sent == 2);
  CHECK(connection.server->stats().fulls_sent == 0);
}

TEST_CASE("chunk diff: nothing is sent until the client has answered, and patches before that do not matter") {
  Returned returned;
  Connection& connection = returned.world.connect();
  connection.client->subscribe(returned.world.now, "world", &returned.held);
  // Everything but the answer of the client.
  for (int i = 0; i < 4; ++i) {
    while (true) {
      ClientOutput output = connection.client->poll_output(returned.world.now);
      auto* transmit = std::get_if<Transmit>(&output);
      if (std::holds_alternative<Deadline>(output)) break;
      if (transmit != nullptr && i < 2) connection.server->handle_frame(returned.world.now, *transmit->message);
      if (transmit != nullptr && i >= 2) connection.to_server.push_back(transmit->message);
    }
    while (true) {
      ServerOutput output = connection.server->poll_output(returned.world.now);
      if (std::holds_alternative<Deadline>(output)) break;
      if (auto* event = std::get_if<ServerEvent>(&output)) {
        if (std::holds_alternative<HelloReceived>(*event)) connection.server->welcome(returned.world.now, {});
        if (auto* request = std::get_if<SubscribeRequested>(event))
          connection.server->accept_subscription(returned.world.now, request->name, TopicId{1});
      } else if (auto* transmit = std::get_if<Transmit>(&output)) {
        CHECK(message_kind(*transmit->message) == MessageKind::kControl);
        connection.client->handle_frame(returned.world.now, *transmit->message);
      }
    }
    returned.world.publish(0, state(20 + static_cast<std::uint32_t>(i)));
    returned.world.now += kTick;
  }
  returned.world.settle();
  CHECK(holds(connection, state(23)));
  CHECK(connection.server->stats().chunk_diffs_sent == 1);
}

TEST_CASE("chunk diff: a client that wants none gets the state whole") {
  Returned returned;
  Connection& connection = returned.world.connect();
  connection.client->subscribe(returned.world.now, "world", &returned.held);
  // Hello and Subscribe pass; the client's answer to Subscribed is replaced.
  while (connection.client_saw<Welcomed>().empty() || connection.server->subscription_count() == 0) {
    ClientOutput output = connection.client->poll_output(returned.world.now);
    if (auto* transmit = std::get_if<Transmit>(&output)) {
      connection.server->handle_frame(returned.world.now, *transmit->message);
    } else if (auto* event = std::get_if<ClientEvent>(&output)) {
      connection.client_events.push_back(std::move(*event));
    }
    ServerOutput answer = connection.server->poll_output(returned.world.now);
    if (auto* event = std::get_if<ServerEvent>(&answer)) {
      if (std::holds_alternative<HelloReceived>(*event)) connection.server->welcome(returned.world.now, {});
      if (auto* request = std::get_if<SubscribeRequested>(event))
        connection.server->accept_subscription(returned.world.now, request->name, TopicId{1});
    } else if (auto* transmit = std::get_if<Transmit>(&answer)) {
      connection.client->handle_frame(returned.world.now, *transmit->message);
    }
  }
  protocol::GetStateT get_state;
  get_state.topic = 1;
  inject(returned.world, connection, 3, std::move(get_state));
  while (connection.server->stats().fulls_sent == 0) {
    ServerOutput output = connection.server->poll_output(returned.world.now);
    REQUIRE(!std::holds_alternative<Deadline>(output));
  }
  CHECK(connection.server->stats().chunk_diffs_sent == 0);
}

TEST_CASE("chunk diff: a new epoch is answered by whoever holds something, and sent whole to whoever does not yet") {
  for (const bool is_under_way : {true, false}) {
    CAPTURE(is_under_way);
    World world;
    world.publish(0, state(1, 200 << 10));
    Connection& connection = world.connect();
    connection.client->subscribe(world.now, "world");
    // The first state has seven parts; two of them arrive.
    for (int n_left = 2; is_under_way && n_left > 0;) {
      ClientOutput output = connection.client->poll_output(world.now);
      if (auto* transmit = std::get_if<Transmit>(&output))
        connection.server->handle_frame(world.now, *transmit->message);
      ServerOutput answer = connection.server->poll_output(world.now);
      if (auto* event = std::get_if<ServerEvent>(&answer)) {
        if (std::holds_alternative<HelloReceived>(*event)) connection.server->welcome(world.now, {});
        if (auto* request = std::get_if<SubscribeRequested>(event))
          connection.server->accept_subscription(world.now, request->name, TopicId{1});
      } else if (auto* transmit = std::get_if<Transmit>(&answer)) {
        n_left -= message_kind(*transmit->message) == MessageKind::kState ? 1 : 0;
        connection.client->handle_frame(world.now, *transmit->message);
      }
    }
    if (!is_under_way) world.settle();
    CHECK((connection.client->held("world") == nullptr) == is_under_way);
    world.topics[0] = std::make_unique<Topic>(TopicInfo{TopicId{1}, "world", Epoch{99}}, world.limits);
    world.publish(0, state(2, 200 << 10));
    world.advance(1s);
    CHECK(disconnect_code(connection) == ErrorCode::kNone);
    CHECK(holds(connection, state(2, 200 << 10)));
    CHECK(connection.server->stats().chunk_diffs_sent == (is_under_way ? 0 : 1));
  }
}

TEST_CASE("chunk diff: chunks that do not fit their size end the session") {
  for (const bool is_large : {false, true}) {
    Returned returned;
    Connection& connection = returned.come_back();
    protocol::GetStateT get_state;
    get_state.topic = 1;
    get_state.chunks = std::make_unique<protocol::HeldChunksT>();
    get_state.chunks->size = is_large ? 0xffffffff : 1024;
    get_state.chunks->fingerprints.resize(is_large ? kMaxHeldChunks * kHeldFingerprintBytes : 23);
    inject(returned.world, connection, 4, std::move(get_state));
    returned.world.settle();
    CHECK(disconnect_code(connection) == ErrorCode::kMalformed);
  }
}

}  // namespace libsync
