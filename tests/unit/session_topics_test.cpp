// Sessions: subscriptions, and the states that follow.
#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/patch.h"
#include "libsync/session.h"
#include "unit/session_fixture.h"

namespace libsync {

using test::Connection;
using test::disconnect_code;
using test::holds;
using test::inject;
using test::kTick;
using test::Live;
using test::state;
using test::World;
using namespace std::chrono_literals;

TEST_CASE("session: Hello, Welcome, Subscribe, a full state, then patches") {
  Live live;
  const auto updates = [&] { return live.connection.client_saw<TopicUpdated>(); };
  REQUIRE(updates().size() == 1);
  CHECK(updates()[0]->kind == UpdateKind::kFull);
  for (int value = 2; value < 30; ++value) {
    live.world.publish(0, state(value));
    live.world.advance(kTick);
    CHECK(holds(live.connection, "world", state(value)));
  }
  REQUIRE(updates().size() == 29);
  CHECK(updates().back()->kind == UpdateKind::kPatch);
  CHECK(updates().back()->held.position == live.world.topics[0]->position());
  CHECK(updates().back()->wire_bytes < 50);
  CHECK(live.connection.server->stats().updates_sent == 29);
  CHECK(live.connection.server->stats().fulls_sent == 1);
}

TEST_CASE("session: a state that did not change costs nothing") {
  Live live;
  const std::uint64_t bytes_before = live.connection.server->stats().state_bytes_sent;
  for (int i = 0; i < 20; ++i) {
    live.world.publish(0, state(1));
    live.world.advance(kTick);
  }
  CHECK(live.connection.server->stats().state_bytes_sent == bytes_before);
  CHECK(live.connection.client_saw<TopicUpdated>().size() == 1);
}

TEST_CASE("session: at most ten updates a second, and the latest state always arrives") {
  Live live;
  const std::uint64_t before = live.connection.server->stats().updates_sent;
  for (int value = 0; value < 4000; ++value) {  // 400 publishes a second for 10 s
    live.world.publish(0, state(value));
    live.world.advance(2500us);
  }
  const std::uint64_t sent = live.connection.server->stats().updates_sent - before;
  CHECK(sent <= 101);
  CHECK(sent >= 99);
  CHECK(live.connection.server->stats().versions_conflated > 3800);
  live.world.advance(kTick);
  CHECK(holds(live.connection, "world", state(3999)));
}

TEST_CASE("session: ticks that come a little early or late cost no update") {
  Live live;
  live.world.advance(1s);
  test::Random random(1);
  const std::uint64_t before = live.connection.server->stats().updates_sent;
  const TimePoint start = live.world.now;
  for (int tick = 1; tick <= 200; ++tick) {
    const TimePoint due = start + tick * kTick + Duration(test::pick(random, 0, 30'000));
    live.world.advance(due - live.world.now);
    live.world.publish(0, state(1000 + tick));
    live.world.settle();
    CHECK(holds(live.connection, "world", state(1000 + tick)));
  }
  CHECK(live.connection.server->stats().updates_sent - before == 200);
}

TEST_CASE("session: a peer that does not read gets one patch to the newest state, not a queue") {
  Live live;
  live.world.advance(1s);
  live.connection.client_reads = false;
  for (int value = 2; value < 40; ++value) {
    live.world.publish(0, state(value));
    live.world.advance(kTick);
  }
  const auto before = live.connection.client_saw<TopicUpdated>().size();
  live.connection.client_reads = true;
  live.world.settle();
  CHECK(live.connection.client_saw<TopicUpdated>().size() == before + 1);
  CHECK(live.connection.client_saw<TopicUpdated>().back()->kind == UpdateKind::kPatch);
  CHECK(holds(live.connection, "world", state(39)));
}

TEST_CASE("session: a peer that missed more than history gets a full state that says why") {
  Limits limits;
  limits.max_history_versions = 4;
  Live live(limits);
  live.world.advance(1s);
  live.connection.client_reads = false;
  for (int value = 2; value < 40; ++value) live.world.publish(0, state(value));
  live.connection.client_reads = true;
  live.world.settle();
  CHECK(live.connection.client_saw<TopicUpdated>().back()->kind == UpdateKind::kFull);
  CHECK(holds(live.connection, "world", state(39)));
}

TEST_CASE("session: a large state travels in parts, and control overtakes it") {
  Limits limits;
  limits.max_part_bytes = 1000;
  World world(limits);
  test::Random random(3);
  const Bytes large = test::random_bytes(random, 50'000);
  world.publish(0, large);
  Connection& connection = world.connect();
  connection.client->subscribe(world.now, "world");
  world.settle();
  CHECK(holds(connection, "world", large));
  // 50 parts of the next update stand in line; the answer to an action must not wait for them.
  const Bytes other = test::random_bytes(random, 50'000);
  world.advance(1s);
  world.publish(0, other);
  std::size_t parts_before_result = 0;
  ServerOutput output = connection.server->poll_output(world.now);
  REQUIRE(std::holds_alternative<Transmit>(output));
  protocol::ActionT action;
  action.action_sequence = 1;
  action.payload = {1};
  connection.client->handle_frame(world.now, *std::get<Transmit>(output).message);
  inject(world, connection, 4, std::move(action));  // after Hello, Subscribe, Ack
  while (connection.client_saw<ActionFinished>().empty() && parts_before_result < 100) {
    output = connection.server->poll_output(world.now);
    if (auto* event = std::get_if<ServerEvent>(&output)) {
      if (std::holds_alternative<ActionReceived>(*event)) {
        protocol::ActionResultT result;
        result.action_sequence = 1;
        connection.server->complete_action(world.now, std::move(result));
      }
      continue;
    }
    REQUIRE(std::holds_alternative<Transmit>(output));
    const BytesView message = *std::get<Transmit>(output).message;
    if (message_kind(message) == MessageKind::kControl) break;
    ++parts_before_result;
    connection.client->handle_frame(world.now, message);
  }
  CHECK(parts_before_result <= 1);
}

TEST_CASE("session: topics take turns") {
  World world;
  world.publish(0, state(1));
  world.publish(1, state(2, 64));
  Connection& connection = world.connect();
  connection.client->subscribe(world.now, "world");
  connection.client->subscribe(world.now, "player/alice");
  world.settle();
  CHECK(holds(connection, "world", state(1)));
  CHECK(holds(connection, "player/alice", state(2, 64)));
  world.publish(1, state(3, 64));
  world.advance(kTick);
  CHECK(holds(connection, "player/alice", state(3, 64)));
}

TEST_CASE("session: a returning client pays for the difference, or for nothing") {
  Live live;
  const HeldState held = *live.connection.client->held("world");
  SUBCASE("up to date") {
    Connection& again = live.world.connect();
    again.client->subscribe(live.world.now, "world", &held);
    live.world.settle();
    CHECK(again.server->stats().updates_sent == 0);
    CHECK(holds(again, "world", state(1)));
    REQUIRE(again.client_saw<TopicUpdated>().size() == 1);
  }
  SUBCASE("a patch") {
    for (int value = 2; value < 10; ++value) live.world.publish(0, state(value));
    Connection& again = live.world.connect();
    again.client->subscribe(live.world.now, "world", &held);
    live.world.settle();
    REQUIRE(again.client_saw<TopicUpdated>().size() == 1);
    CHECK(again.client_saw<TopicUpdated>()[0]->kind == UpdateKind::kPatch);
    CHECK(holds(again, "world", state(9)));
  }
  SUBCASE("another epoch, version or digest: full") {
    for (int wrong = 0; wrong < 3; ++wrong) {
      HeldState other = held;
      if (wrong == 0) other.position.epoch.value ^= 1;
      if (wrong == 1) other.position.version.value = 1'000'000;
      if (wrong == 2) other.position.digest.value ^= 1;
      live.world.publish(0, state(50 + wrong));
      Connection& again = live.world.connect();
      again.client->subscribe(live.world.now, "world", &other);
      live.world.settle();
      REQUIRE(again.client_saw<TopicUpdated>().size() == 1);
      CHECK(again.client_saw<TopicUpdated>()[0]->kind == UpdateKind::kFull);
      CHECK(holds(again, "world", state(50 + wrong)));
    }
  }
}

TEST_CASE("session: a returning client finds its baseline on a shard that never had the topic") {
  Live live;
  const HeldState held = *live.connection.client->held("world");
  for (int value = 2; value < 10; ++value) live.world.publish(0, state(value));
  Broadcaster elsewhere(live.world.limits);
  elsewhere.publish(live.world.topics[0]->current());
  CHECK(elsewhere.check_baseline(TopicId{1}, held.position) == FullReason::kNone);
  CHECK(elsewhere.update_from(TopicId{1}, held.position.version, FullReason::kNone, false).header.kind ==
        UpdateKind::kPatch);
  // Steps that this shard missed while nobody here needed them leave its history usable.
  live.world.publish(0, state(10));
  live.world.publish(0, state(11));
  elsewhere.publish(live.world.topics[0]->current());
  CHECK(elsewhere.position(TopicId{1}) == live.world.topics[0]->position());
  CHECK(elsewhere.update_from(TopicId{1}, held.position.version, FullReason::kNone, false).header.kind ==
        UpdateKind::kPatch);
}

TEST_CASE("session: a topic of a new epoch is announced and sent whole") {
  Live live;
  live.world.topics[0] = std::make_unique<Topic>(TopicInfo{TopicId{1}, "world", Epoch{99}}, live.world.limits);
  live.world.publish(0, state(5));
  live.world.advance(kTick);
  CHECK(holds(live.connection, "world", state(5)));
  CHECK(live.connection.client->held("world")->position.epoch == Epoch{99});
  CHECK(live.connection.client->held("world")->position.version.value == 1);
  CHECK(disconnect_code(live.connection) == ErrorCode::kNone);
}

TEST_CASE("session: bytes that diverged are found by the next patch and healed by a full state") {
  Live live;
  // The client's memory goes wrong: it holds other bytes under the right version.
  HeldState wrong = *live.connection.client->held("world");
  Bytes flipped(wrong.snapshot->bytes().begin(), wrong.snapshot->bytes().end());
  flipped[3] ^= std::byte{1};
  wrong.snapshot = Snapshot::copy_of(flipped);
  Connection& again = live.world.connect();
  again.client->subscribe(live.world.now, "world", &wrong);
  live.world.settle();
  live.world.publish(0, state(2));
  live.world.advance(kTick);
  live.world.advance(kTick);
  CHECK(again.client_saw<Resyncing>().size() == 1);
  CHECK(again.client_saw<Resyncing>()[0]->error.code == ErrorCode::kDigestMismatch);
  CHECK(again.server->stats().resyncs == 1);
  CHECK(holds(again, "world", state(2)));
  CHECK(disconnect_code(again) == ErrorCode::kNone);
  CHECK(holds(live.connection, "world", state(2)));  // the other client noticed nothing
  CHECK(live.connection.client_saw<Resyncing>().empty());
}

TEST_CASE("session: a patch for a version that is not held is not applied, even where the bytes would fit") {
  Live live;
  live.connection.client_reads = false;
  Bytes body;
  make_patch(*Snapshot::copy_of(state(1)), *Snapshot::copy_of(state(5)), body);
  const UpdateHeader header{TopicId{1}, Version{9}, UpdateKind::kPatch, Version{8}, FullReason::kNone};
  live.connection.client->handle_frame(live.world.now, *encode_state_frames(header, body, live.world.limits)[0]);
  live.connection.client_reads = true;
  live.world.advance(kTick);
  REQUIRE(live.connection.client_saw<Resyncing>().size() == 1);
  CHECK(live.connection.client_saw<Resyncing>()[0]->error.code == ErrorCode::kWrongBaseline);
  CHECK(holds(live.connection, "world", state(1)));
}

TEST_CASE("session: a server whose patches never fit ends the session instead of looping") {
  Limits limits;
  Live live(limits);
  ClientSession& client = *live.connection.client;
  live.connection.client_reads = false;
  // Full updates that carry a wrong digest.
  for (std::uint64_t version = 2; version < 10 && !client.is_closed(); ++version) {
    Bytes body;
    make_patch(*Snapshot::empty(), *Snapshot::copy_of(state(1)), body);
    body[4] ^= std::byte{1};  // within the digest: format, two sizes of one and two bytes
    UpdateHeader header{TopicId{1}, Version{version}, UpdateKind::kFull, Version{}, FullReason::kRequested};
    client.handle_frame(live.world.now, *encode_state_frames(header, body, limits)[0]);
  }
  live.world.settle();
  CHECK(client.is_closed());
  CHECK(disconnect_code(live.connection) == ErrorCode::kDigestMismatch);
  REQUIRE(live.connection.client_close.has_value());
  CHECK(live.connection.client_close->close_code == CloseCode::kResyncLoop);
  CHECK(live.connection.client_saw<Resyncing>().size() == limits.max_resyncs);
}

TEST_CASE("session: GetState brings a full state even where nothing changed") {
  Live live;
  live.world.advance(2s);
  protocol::GetStateT get_state;
  get_state.topic = 1;
  inject(live.world, live.connection, 4, std::move(get_state));
  live.world.settle();
  REQUIRE(live.connection.client_saw<TopicUpdated>().size() == 2);
  CHECK(live.connection.client_saw<TopicUpdated>()[1]->kind == UpdateKind::kFull);
}

TEST_CASE("session: unsubscribing ends a topic, subscribing anew begins it") {
  Live live;
  live.connection.client->unsubscribe(live.world.now, "world");
  live.world.settle();
  CHECK(live.connection.client_saw<TopicEnded>().size() == 1);
  CHECK(live.connection.server->subscription_count() == 0);
  live.world.publish(0, state(2));
  live.world.advance(1s);
  CHECK(live.connection.client_saw<TopicUpdated>().size() == 1);
  live.connection.client->subscribe(live.world.now, "world");
  live.connection.client->unsubscribe(live.world.now, "world");  // given up before the answer
  live.connection.client->subscribe(live.world.now, "world");    // and wanted after all
  live.world.advance(1s);
  CHECK(holds(live.connection, "world", state(2)));
  CHECK(disconnect_code(live.connection) == ErrorCode::kNone);
}

TEST_CASE("session: subscribing again while Unsubscribe is under way keeps what is held") {
  Live live;
  live.connection.client->unsubscribe(live.world.now, "world");
  live.connection.client->subscribe(live.world.now, "world");
  live.world.settle();
  CHECK(live.connection.client_saw<TopicEnded>().empty());
  CHECK(live.connection.server->subscription_count() == 1);
  CHECK(live.connection.server->stats().fulls_sent == 1);  // up to date, not sent again
}

TEST_CASE("session: an unknown topic is refused and the others go on") {
  Live live;
  live.connection.client->subscribe(live.world.now, "player/mallory");
  live.world.settle();
  REQUIRE(live.connection.client_saw<TopicEnded>().size() == 1);
  CHECK(live.connection.client_saw<TopicEnded>()[0]->error.code == ErrorCode::kUnknownTopic);
  live.world.publish(0, state(2));
  live.world.advance(kTick);
  CHECK(holds(live.connection, "world", state(2)));
}

TEST_CASE("session: a topic that is removed ends for its subscribers") {
  Live live;
  live.world.broadcaster.remove(TopicId{1}, ErrorCode::kUnknownTopic);
  live.world.settle();
  REQUIRE(live.connection.client_saw<TopicEnded>().size() == 1);
  CHECK(live.connection.client_saw<TopicEnded>()[0]->error.code == ErrorCode::kUnknownTopic);
}

}  // namespace libsync
