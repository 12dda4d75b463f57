// Sessions: what peers do that they must not, and bounds.
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
  for (std::uint64_t i = 1; i <= 100; ++i) {
    CHECK(live.connection.client->act(live.world.now, Sequence{i}, Bytes(1)).has_value());
  }
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
