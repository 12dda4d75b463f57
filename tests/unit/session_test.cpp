#include "libsync/session.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "libsync/patch.h"
#include "unit/session_pair.h"

namespace libsync {
namespace {

using test::Connection;
using test::disconnect_code;
using test::inject;
using test::kTick;
using test::World;
using namespace std::chrono_literals;

Bytes state(int value, std::size_t size = 200) {
  Bytes bytes(size, std::byte{7});
  std::memcpy(bytes.data() + 40, &value, sizeof value);
  return bytes;
}

bool holds(const Connection& connection, const std::string& name, const Bytes& expected) {
  const HeldState* held = connection.client->held(name);
  return held != nullptr &&
         std::equal(expected.begin(), expected.end(), held->snapshot->bytes().begin(), held->snapshot->bytes().end());
}

// One connection, live, subscribed to `world` at version 1 and settled. The client has sent Hello and Subscribe.
struct Live {
  explicit Live(Limits limits = {}) : world(limits), connection(world.connect()) {
    world.publish(0, state(1));
    connection.client->subscribe(world.now, "world");
    world.settle();
    REQUIRE(connection.client->is_live());
    REQUIRE(holds(connection, "world", state(1)));
  }
  World world;
  Connection& connection;
};

}  // namespace

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

TEST_CASE("session: each action is answered once, in order") {
  Live live;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    const auto sequence = live.connection.client->act(live.world.now, Bytes(4));
    REQUIRE(sequence.has_value());
    CHECK(sequence->value == i);
  }
  live.world.settle();
  CHECK(live.connection.server_saw<ActionReceived>().size() == 20);
  const auto results = live.connection.client_saw<ActionFinished>();
  REQUIRE(results.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(results[i]->result.action_sequence == i + 1);
}

TEST_CASE("session: actions beyond the limit are refused on both sides and executed on none") {
  Limits limits;
  limits.max_actions_in_flight = 2;
  Live live(limits);
  live.world.auto_answer = false;
  CHECK(live.connection.client->act(live.world.now, Bytes(1)).has_value());
  CHECK(live.connection.client->act(live.world.now, Bytes(1)).has_value());
  const auto third = live.connection.client->act(live.world.now, Bytes(1));
  REQUIRE(!third.has_value());
  CHECK(third.error().code == ErrorCode::kTooManyActions);
  live.world.settle();
  protocol::ActionT action;
  action.action_sequence = 3;
  inject(live.world, live.connection, 5, std::move(action));  // Hello, Subscribe, two actions
  live.world.settle();
  CHECK(live.connection.server_saw<ActionReceived>().size() == 2);
  REQUIRE(live.connection.client_saw<ActionFinished>().size() == 1);
  CHECK(live.connection.client_saw<ActionFinished>()[0]->result.code == ErrorCode::kTooManyActions);
}

TEST_CASE("session: a repeated or skipped action is not executed") {
  Live live;
  for (const std::uint64_t action_sequence : {5u, 1u, 1u}) {
    protocol::ActionT action;
    action.action_sequence = action_sequence;
    inject(live.world, live.connection, live.connection.client_saw<ActionFinished>().size() + 3, std::move(action));
    live.world.settle();
  }
  CHECK(live.connection.server_saw<ActionReceived>().size() == 1);
  const auto results = live.connection.client_saw<ActionFinished>();
  REQUIRE(results.size() == 3);
  CHECK(results[0]->result.code == ErrorCode::kActionSequence);
  CHECK(results[1]->result.code == ErrorCode::kNone);
  CHECK(results[2]->result.code == ErrorCode::kActionSequence);
}

TEST_CASE("session: silence is asked about after 9 s and ends the connection after 18 s, on both sides") {
  Live live;
  live.world.advance(60s);  // heartbeats keep an idle connection alive
  CHECK(!live.connection.server->is_closed());
  CHECK(live.connection.client->is_live());
  const TimePoint silent_since = live.world.now;
  // A black hole: each side hears nothing more.
  ServerSession& server = *live.connection.server;
  ClientSession& client = *live.connection.client;
  TimePoint server_closed = TimePoint::max();
  TimePoint client_closed = TimePoint::max();
  for (TimePoint now = silent_since; now < silent_since + 30s; now += 10ms) {
    server.handle_timeout(now);
    client.handle_timeout(now);
    while (!std::holds_alternative<Deadline>(server.poll_output(now))) {
    }
    while (!std::holds_alternative<Deadline>(client.poll_output(now))) {
    }
    if (server.is_closed()) server_closed = std::min(server_closed, now);
    if (client.is_closed()) client_closed = std::min(client_closed, now);
  }
  CHECK(server_closed <= silent_since + 18s);
  CHECK(client_closed <= silent_since + 18s);
  CHECK(server_closed > silent_since + 9s - 1ms);
}

TEST_CASE("session: a client that never says Hello is closed after 5 s") {
  World world;
  ServerSession session(world.broadcaster, world.limits, {}, world.now);
  CHECK(std::get<Deadline>(session.poll_output(world.now)).at == world.now + 5s);
  session.handle_timeout(world.now + 5s);
  CHECK(session.is_closed());
}

TEST_CASE("session: an expired token ends an open connection after its grace") {
  World world;
  ServerSessionConfig config;
  config.token_expires_at = world.now + 60s;
  Connection& connection = world.connect(config);
  world.advance(84s);
  CHECK(connection.client->is_live());
  world.advance(2s);
  CHECK(disconnect_code(connection) == ErrorCode::kTokenExpired);
  REQUIRE(connection.server_close.has_value());
  CHECK(connection.server_close->close_code == CloseCode::kTokenExpired);
}

TEST_CASE("session: acks follow a change within a second, and one of what was never sent ends the connection") {
  Live live;
  live.world.advance(3s);
  const auto ack_of = [](std::uint64_t version) {
    protocol::AckT ack;
    ack.versions.push_back(std::make_unique<protocol::TopicVersionT>());
    ack.versions[0]->topic = 1;
    ack.versions[0]->epoch = 7;
    ack.versions[0]->version = version;
    return ack;
  };
  inject(live.world, live.connection, 4, ack_of(1));
  live.world.settle();
  CHECK(!live.connection.server->is_closed());
  inject(live.world, live.connection, 5, ack_of(2));
  live.world.settle();
  CHECK(disconnect_code(live.connection) == ErrorCode::kAckOfUnsent);
  CHECK(live.connection.server_close->close_code == CloseCode::kProtocolError);
}

TEST_CASE("session: versions and schemas that do not fit are told and closed for good") {
  World world;
  world.publish(0, state(1));
  SUBCASE("protocol") {
    ServerSession session(world.broadcaster, world.limits, {}, world.now);
    protocol::HelloT hello;
    hello.protocol_min = 2;
    hello.protocol_max = 9;
    session.handle_frame(world.now, *encode_message(Sequence{1}, std::move(hello)));
    CHECK(session.is_closed());
    CHECK(std::get<ErrorReported>(std::get<ServerEvent>(session.poll_output(world.now))).error.code ==
          ErrorCode::kVersionUnsupported);
  }
  SUBCASE("schema") {
    ServerSessionConfig server_config;
    server_config.schema_fingerprints = {1, 2};
    ClientSessionConfig client_config;
    client_config.schema_fingerprint = 3;
    Connection& connection = world.connect(server_config, client_config);
    world.settle();
    CHECK(disconnect_code(connection) == ErrorCode::kSchemaMismatch);
    CHECK(connection.server_close->close_code == CloseCode::kSchemaMismatch);
  }
  SUBCASE("an older schema that the server accepts") {
    ServerSessionConfig server_config;
    server_config.schema_fingerprints = {1, 3};
    Connection& connection = world.connect(server_config);
    world.settle();
    CHECK(connection.client->is_live());
  }
}

TEST_CASE("session: what no client sends is answered by a typed Disconnect, and other sessions notice nothing") {
  Live live;
  const auto code_after = [&](const auto& misbehave) {
    Connection& connection = live.world.connect();
    live.world.settle();
    misbehave(*connection.server);
    live.world.settle();
    CHECK(connection.server_close.has_value());
    CHECK(connection.server_saw<ErrorReported>().size() == 1);
    return disconnect_code(connection);
  };
  const TimePoint now = live.world.now;
  CHECK(code_after([&](ServerSession& s) { s.handle_frame(now, {}); }) == ErrorCode::kMalformed);
  CHECK(code_after([&](ServerSession& s) {
          s.handle_frame(now, test::bytes_of({1, 2, 3, 4, 5}));
        }) == ErrorCode::kMalformed);
  CHECK(code_after([&](ServerSession& s) { s.handle_frame(now, Bytes(5000)); }) == ErrorCode::kMalformed);
  CHECK(code_after([&](ServerSession& s) { s.handle_frame(now, Bytes(live.world.limits.max_message_bytes + 1)); }) ==
        ErrorCode::kMessageTooBig);
  CHECK(code_after([&](ServerSession& s) { s.handle_frame(now, *encode_message(Sequence{2}, protocol::HelloT())); }) ==
        ErrorCode::kUnexpectedMessage);
  CHECK(code_after([&](ServerSession& s) {
          protocol::WelcomeT welcome;
          welcome.limits = std::make_unique<protocol::SessionLimitsT>();
          s.handle_frame(now, *encode_message(Sequence{2}, std::move(welcome)));
        }) == ErrorCode::kUnexpectedMessage);
  CHECK(code_after([&](ServerSession& s) {
          s.handle_frame(now, *encode_message(Sequence{2}, protocol::ActionResultT()));
        }) == ErrorCode::kUnexpectedMessage);
  CHECK(code_after([&](ServerSession& s) {
          s.handle_frame(now, *encode_message(Sequence{3}, protocol::HeartbeatT()));
        }) == ErrorCode::kSequenceGap);
  ServerSession early(live.world.broadcaster, live.world.limits, {}, now);
  early.handle_frame(now, *encode_message(Sequence{1}, protocol::HeartbeatT()));
  CHECK(early.is_closed());

  live.world.publish(0, state(2));
  live.world.advance(kTick);
  CHECK(holds(live.connection, "world", state(2)));
}

TEST_CASE("session: patches are of the format that the limits name") {
  for (const int format : {1, 2}) {
    CAPTURE(format);
    Limits limits;
    limits.patch_format = static_cast<std::uint8_t>(format);
    Live live(limits);
    for (std::uint8_t i = 2; i < 9; ++i) {
      live.world.publish(0, state(i));
      live.world.advance(kTick);
      CHECK(holds(live.connection, "world", state(i)));
    }
    CHECK(live.connection.client_saw<PeerError>().empty());
  }
}

TEST_CASE("session: a flood is told when to come back, and ends when it goes on") {
  Limits limits;
  limits.max_rate_violations = 10;
  Live live(limits);
  std::uint64_t sequence = 2;  // Hello, Subscribe
  while (!live.connection.server->is_closed() && sequence < 1000) {
    protocol::HeartbeatT heartbeat;
    heartbeat.sent_ms = 1;
    inject(live.world, live.connection, ++sequence, std::move(heartbeat));
  }
  live.world.settle();
  CHECK(sequence >= limits.messages_burst);
  CHECK(sequence <= limits.messages_burst + 20);
  const auto errors = live.connection.client_saw<PeerError>();
  REQUIRE(errors.size() == 10);
  CHECK(errors[0]->error.code == ErrorCode::kRateLimited);
  CHECK(errors[0]->error.retry_after_ms > 0);
  CHECK(disconnect_code(live.connection) == ErrorCode::kRateLimited);
}

TEST_CASE("session: a flood that lasts ends too, though some of its messages are within the rate") {
  Limits limits;
  limits.messages_per_second = 20;
  limits.messages_burst = 5;
  limits.max_rate_violations = 5;
  // Ticks of 100 ms that messages arrive in, until the end: fewer than ten, when the client would send its own Ack.
  const auto ticks_until_closed = [&](int messages_per_tick) {
    Live live(limits);
    std::uint64_t sequence = 2;  // Hello, Subscribe
    int ticks = 0;
    for (; ticks < 9 && !live.connection.server->is_closed(); ++ticks) {
      for (int i = 0; i < messages_per_tick && !live.connection.server->is_closed(); ++i) {
        protocol::HeartbeatT heartbeat;
        heartbeat.sent_ms = 1;
        inject(live.world, live.connection, ++sequence, std::move(heartbeat));
      }
      live.world.advance(kTick);
    }
    return ticks;
  };
  CHECK(ticks_until_closed(20) == 1);  // ten times the rate
  CHECK(ticks_until_closed(6) <= 5);   // three times
  CHECK(ticks_until_closed(3) == 9);   // one in three is dropped, and two forgive it
}

TEST_CASE("session: the client paces itself, so that no burst of an honest one is refused") {
  Limits limits;
  limits.messages_per_second = 20;
  limits.messages_burst = 5;
  limits.max_actions_in_flight = 1000;
  Live live(limits);
  for (int i = 0; i < 100; ++i) CHECK(live.connection.client->act(live.world.now, Bytes(1)).has_value());
  live.world.advance(4s);
  CHECK(live.connection.client_saw<ActionFinished>().size() < 100);
  live.world.advance(3s);
  CHECK(live.connection.client_saw<ActionFinished>().size() == 100);
  CHECK(live.connection.client_saw<PeerError>().empty());
}

TEST_CASE("session: a queue of control messages that nobody reads ends the connection, bounded") {
  Limits limits;
  limits.max_queued_messages = 50;
  Live live(limits);
  live.connection.client_reads = false;
  std::uint64_t sequence = 2;  // Hello, Subscribe
  while (!live.connection.server->is_closed() && sequence < 1000) {
    protocol::HeartbeatT heartbeat;
    heartbeat.sent_ms = 1;
    inject(live.world, live.connection, ++sequence, std::move(heartbeat));
  }
  CHECK(sequence <= 2 + limits.max_queued_messages + 1);
  live.connection.client_reads = true;
  live.world.settle();
  REQUIRE(live.connection.server_close.has_value());
  CHECK(live.connection.server_close->close_code == CloseCode::kSlowConsumer);
}

TEST_CASE("session: more topics than the limit are refused one by one") {
  Limits limits;
  limits.max_topics = 1;
  Live live(limits);
  live.connection.client->subscribe(live.world.now, "player/alice");
  live.world.settle();
  REQUIRE(live.connection.client_saw<TopicEnded>().size() == 1);
  CHECK(live.connection.client_saw<TopicEnded>()[0]->error.code == ErrorCode::kTooManyTopics);
}

TEST_CASE("Broadcaster: a patch is encoded once for all who need it, and its frames are shared") {
  World world;
  world.publish(0, state(1));
  for (int i = 0; i < 50; ++i) world.connect().client->subscribe(world.now, "world");
  world.settle();
  CHECK(world.broadcaster.stats().fulls_encoded == 1);
  for (int value = 2; value < 12; ++value) {
    world.publish(0, state(value));
    world.advance(kTick);
  }
  CHECK(world.broadcaster.stats().patches_encoded == 0);  // they came with the updates
  for (const auto& connection : world.connections) CHECK(holds(*connection, "world", state(11)));
  const EncodedUpdate& once = world.broadcaster.update_from(TopicId{1}, Version{5}, FullReason::kNone, false);
  const EncodedUpdate& twice = world.broadcaster.update_from(TopicId{1}, Version{5}, FullReason::kNone, false);
  CHECK(once.frames[0].get() == twice.frames[0].get());
  CHECK(world.broadcaster.stats().patches_encoded == 1);
}

TEST_CASE("Broadcaster: forgets a session that is gone") {
  World world;
  world.publish(0, state(1));
  for (int i = 0; i < 3; ++i) world.connect().client->subscribe(world.now, "world");
  world.settle();
  world.publish(0, state(2));  // all three are ready now
  world.connections.erase(world.connections.begin() + 1);
  std::size_t ready = 0;
  while (world.broadcaster.next_ready() != nullptr) ++ready;
  CHECK(ready == 2);
  world.connections.clear();
  world.publish(0, state(3));
  CHECK(world.broadcaster.next_ready() == nullptr);
}

}  // namespace libsync
