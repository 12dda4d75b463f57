// The room and the ledger: actions over reconnects and restarts.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "unit/server/room_support.h"

namespace libsync::server {

using test::Fixture;
using test::get;
using test::key_of;
using test::MemoryStore;
using test::to_bytes;

namespace {

template <typename AnswerT>
std::vector<AnswerT> all(const std::vector<RoomMessage>& messages) {
  std::vector<AnswerT> found;
  for (const RoomMessage& message : messages) {
    if (const auto* answer = std::get_if<AnswerT>(&message)) found.push_back(*answer);
  }
  return found;
}

// What a client says that knows `of`.
InstanceClaim claim(const InstanceAnswer& of, std::uint64_t confirmed = 0) {
  return {false, of.ledger, of.state->first_seen_ms, Sequence{confirmed}};
}

}  // namespace

TEST_CASE("Room: an action that is sent again over another connection is executed once, and answered there") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.room.open_instance({0, 1}, key_of("alice"), 1, {});
  const InstanceAnswer opened = get<InstanceAnswer>(f.take(0), 0);
  f.act({0, 1}, "alice", 1, to_bytes("inc"));
  f.room.open_instance({1, 2}, key_of("alice"), 2, claim(opened));
  CHECK(get<InstanceAnswer>(f.take(1), 0).state->last_action == Sequence{1});
  f.act({1, 2}, "alice", 1, to_bytes("inc"));
  f.act({0, 1}, "alice", 2, to_bytes("inc"));  // from the connection that was replaced
  f.room.tick();
  CHECK(f.game.users["alice"] == 1);
  CHECK(all<ActionAnswer>(f.take(0)).empty());
  const auto answers = all<ActionAnswer>(f.take(1));
  REQUIRE(!answers.empty());
  for (const ActionAnswer& answer : answers) {
    CHECK(answer.connection == 2);
    CHECK(answer.result.action_sequence == 1);
    CHECK(answer.result.status == ActionStatus::kAccepted);
  }
  f.room.close_instance({0, 1}, key_of("alice"));  // late: the other one goes on
  f.act({1, 2}, "alice", 2, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 2);
}

TEST_CASE("Room: an older connection whose Hello comes later does not take over") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.room.open_instance({0, 1}, key_of("alice"), 5, {});
  f.take(0);
  f.room.open_instance({1, 2}, key_of("alice"), 4, {});
  CHECK(f.take(1).empty());
  f.act({1, 2}, "alice", 1, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 0);
  f.act({0, 1}, "alice", 1, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 1);
}

TEST_CASE("Room: what actions did is durable with the tick that follows, in the commit that has their results") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.open({0, 1}, "alice");
  f.act({0, 1}, "alice", 1, to_bytes("inc"));
  f.act({0, 1}, "alice", 2, {});
  const int before = store.commits;
  f.room.tick();
  CHECK(store.commits == before + 1);
  CHECK(all<DurableAnswer>(f.take(0)).empty());
  f.run_posted();
  const auto durable = all<DurableAnswer>(f.take(0));
  REQUIRE(durable.size() == 1);
  CHECK(durable[0].connection == 1);
  CHECK(durable[0].sequence == Sequence{2});
  f.room.tick();
  CHECK(store.commits == before + 1);  // nothing was executed since
}

TEST_CASE("Room: after a crash durable actions are known, and others are executed when they are sent again") {
  MemoryStore store;
  InstanceAnswer opened;
  {
    Fixture f(store);
    f.room.join("alice");
    f.room.open_instance({0, 1}, key_of("alice"), 1, {});
    opened = get<InstanceAnswer>(f.take(0), 0);
    f.act({0, 1}, "alice", 1, to_bytes("inc"));
    f.room.tick();
    f.run_posted();
    f.act({0, 1}, "alice", 2, to_bytes("inc"));
  }  // a crash before the second is on disk
  Fixture f(store);
  f.room.join("alice");
  f.room.open_instance({0, 1}, key_of("alice"), 2, claim(opened));
  const auto messages = f.take(0);
  REQUIRE(get<InstanceAnswer>(messages, 0).state);
  CHECK(get<InstanceAnswer>(messages, 0).state->last_action == Sequence{1});
  CHECK(get<InstanceAnswer>(messages, 0).state->durable == Sequence{1});
  f.act({0, 1}, "alice", 2, to_bytes("inc"));
  f.room.tick();
  CHECK(f.game.users["alice"] == 1);  // the game's count is not among what this one saves
  std::vector<std::uint64_t> answered;
  for (const ActionAnswer& answer : all<ActionAnswer>(f.take(0))) answered.push_back(answer.result.action_sequence);
  CHECK(answered == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("Room: a client that knows another store is refused, and nothing of it is executed") {
  MemoryStore first, second;
  InstanceAnswer opened;
  {
    Fixture f(first);
    f.room.open_instance({0, 1}, key_of("alice"), 1, {});
    opened = get<InstanceAnswer>(f.take(0), 0);
  }
  {
    Fixture f(first);  // the same store, though nothing was executed: its identity was written at the start
    f.room.open_instance({0, 1}, key_of("alice"), 2, claim(opened));
    CHECK(get<InstanceAnswer>(f.take(0), 0).state);
  }
  Fixture f(second);
  f.room.join("alice");
  f.room.open_instance({0, 1}, key_of("alice"), 3, claim(opened));
  const auto messages = f.take(0);
  REQUIRE(!get<InstanceAnswer>(messages, 0).state);
  CHECK(get<InstanceAnswer>(messages, 0).state.error().code == ErrorCode::kUnknownInstance);
  f.act({0, 1}, "alice", 1, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 0);
}

TEST_CASE("Room: while nothing can be saved nothing new is executed, and it goes on when it can") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.open({0, 1}, "alice");
  store.broken = true;
  f.act({0, 1}, "alice", 1, to_bytes("inc"));
  f.room.tick();
  f.run_posted();
  f.take(0);
  f.act({0, 1}, "alice", 2, to_bytes("inc"));
  const auto failed = all<ActionAnswer>(f.take(0));
  REQUIRE(failed.size() == 1);
  CHECK(failed[0].result.status == ActionStatus::kFailed);
  CHECK(failed[0].result.code == ErrorCode::kStoreUnavailable);
  CHECK(failed[0].result.retry_after_ms > 0);
  CHECK(f.game.users["alice"] == 1);
  store.broken = false;
  const int before = store.commits;
  for (int i = 0; i < 20; ++i) {
    f.room.tick();
    f.run_posted();
  }
  CHECK(store.commits == before + 1);
  const auto durable = all<DurableAnswer>(f.take(0));
  REQUIRE(durable.size() == 1);
  CHECK(durable[0].sequence == Sequence{1});
  f.act({0, 1}, "alice", 2, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 2);
}

}  // namespace libsync::server
