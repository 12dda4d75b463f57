#include "room.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "unit/server/room_support.h"

namespace libsync::server {

using test::CounterGame;
using test::Fixture;
using test::get;
using test::MemoryStore;
using test::to_bytes;

TEST_CASE("Room: a shard gets the state before the answer, then every version after it") {
  MemoryStore store;
  Fixture f(store);
  f.room.subscribe({0, 7}, "alice", "world");
  auto messages = f.take(0);
  REQUIRE(messages.size() == 2);
  const TopicUpdate first = get<TopicUpdate>(messages, 0);
  CHECK(first.version == Version{1});
  CHECK(get<SubscriptionAnswer>(messages, 1).connection == 7);
  CHECK(get<SubscriptionAnswer>(messages, 1).topic == first.topic->id);

  f.room.tick();
  messages = f.take(0);
  REQUIRE(messages.size() == 1);
  CHECK(get<TopicUpdate>(messages, 0).base_version == Version{1});
  CHECK(get<TopicUpdate>(messages, 0).patch != nullptr);
  CHECK(f.take(1).empty());

  // A second subscriber on the same shard needs no state; one on the other shard gets the current version.
  f.room.subscribe({0, 8}, "bob", "world");
  CHECK(f.take(0).size() == 1);
  f.room.subscribe({1, 9}, "carol", "world");
  messages = f.take(1);
  CHECK(get<TopicUpdate>(messages, 0).version == Version{2});
  f.room.tick();
  CHECK(get<TopicUpdate>(f.take(1), 0).base_version == Version{2});
}

TEST_CASE("Room: a topic that nobody looks at costs nothing and is fresh for who comes") {
  MemoryStore store;
  Fixture f(store);
  for (int i = 0; i < 10; ++i) f.room.tick();
  CHECK(f.stats_of("world").updates == 0);
  f.room.subscribe({0, 1}, "alice", "world");
  CHECK(get<TopicUpdate>(f.take(0), 0).snapshot->size_bytes() == std::string("tick 10").size());
}

TEST_CASE("Room: the last release on a shard ends the topic there, and only there") {
  MemoryStore store;
  Fixture f(store);
  for (const std::uint64_t connection : {1u, 2u}) f.room.subscribe({0, connection}, "alice", "world");
  f.room.subscribe({1, 3}, "bob", "world");
  const TopicId world = get<TopicUpdate>(f.take(0), 0).topic->id;
  f.take(1);
  f.room.release(0, world);
  CHECK(f.take(0).empty());
  f.room.release(0, world);
  CHECK(get<TopicRemoved>(f.take(0), 0).code == ErrorCode::kNone);
  f.room.tick();
  CHECK(f.take(0).empty());
  CHECK(f.take(1).size() == 1);
  f.room.subscribe({0, 4}, "alice", "world");
  CHECK(get<TopicUpdate>(f.take(0), 0).version == f.stats_of("world").position.version);
}

TEST_CASE("Room: a forbidden topic is forbidden whether it exists or not") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("bob");
  std::vector<std::string> texts;
  for (const char* name : {"player/bob", "player/nobody"}) {
    f.room.subscribe({0, 1}, "alice", name);
    const auto messages = f.take(0);
    const auto& answer = get<SubscriptionAnswer>(messages, 0);
    CHECK_FALSE(answer.topic);
    CHECK(answer.code == ErrorCode::kForbiddenTopic);
    texts.push_back(answer.message);
  }
  CHECK(texts[0] == texts[1]);
  f.room.subscribe({0, 1}, "alice", "nowhere");
  CHECK(get<SubscriptionAnswer>(f.take(0), 0).code == ErrorCode::kUnknownTopic);
}

TEST_CASE("Room: a player's topic goes with the player, and goes on where it was when he comes back soon") {
  MemoryStore store;
  Fixture f(store, {.n_shards = 2, .ticks_until_forgotten = 10, .ticks_between_saves = 0});
  f.room.join("alice");
  f.room.subscribe({1, 1}, "alice", "player/alice");
  const TopicUpdate first = get<TopicUpdate>(f.take(1), 0);
  f.room.leave("alice");
  CHECK(get<TopicRemoved>(f.take(1), 0).code == ErrorCode::kUnknownTopic);
  f.room.subscribe({1, 1}, "alice", "player/alice");
  CHECK(get<SubscriptionAnswer>(f.take(1), 0).code == ErrorCode::kUnknownTopic);
  f.room.join("alice");
  f.game.users["alice"] = 5;
  f.room.subscribe({0, 2}, "alice", "player/alice");
  const TopicUpdate second = get<TopicUpdate>(f.take(0), 0);
  CHECK(second.topic->epoch == first.topic->epoch);
  CHECK(second.version == Version{2});
  REQUIRE(second.history.size() == 1);
  CHECK(second.history[0].version == first.version);
  CHECK(f.take(1).empty());
  // The first connection ends late; the second one keeps its topic.
  f.room.release(1, first.topic->id);
  CHECK(f.take(0).empty());
  CHECK(f.stats_of("player/alice").subscriptions == 1);
  f.room.release(0, first.topic->id);
  CHECK(get<TopicRemoved>(f.take(0), 0).code == ErrorCode::kNone);

  f.room.leave("alice");
  for (int i = 0; i < 5; ++i) f.room.tick();
  f.room.join("alice");
  for (int i = 0; i < 20; ++i) f.room.tick();  // he is back: it is not forgotten
  f.room.leave("alice");
  for (int i = 0; i < 20; ++i) f.room.tick();
  f.room.join("alice");
  f.room.subscribe({0, 3}, "alice", "player/alice");
  CHECK(get<TopicUpdate>(f.take(0), 0).topic->epoch != first.topic->epoch);
}

TEST_CASE("Room: a release that comes after the topic was forgotten is counted and otherwise ignored") {
  MemoryStore store;
  Fixture f(store, {.n_shards = 1, .max_retired_topics = 0, .ticks_between_saves = 0});
  f.room.join("alice");
  f.room.subscribe({0, 1}, "alice", "player/alice");
  const TopicId topic = get<TopicUpdate>(f.take(0), 0).topic->id;
  f.room.leave("alice");
  f.room.tick();
  f.room.release(0, topic);
  CHECK(f.room.take_stats().subscriptions == 0);
}

TEST_CASE("Room: refuses at once, and answers an accepted action with the version that shows it") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.open({0, 1}, "alice");
  f.act({0, 1}, "alice", 1, {});
  CHECK(get<ActionAnswer>(f.take(0), 0).result.status == ActionStatus::kRefused);
  f.room.subscribe({0, 1}, "alice", "player/alice");
  f.take(0);
  f.act({0, 1}, "alice", 2, to_bytes("inc"));
  CHECK(f.take(0).empty());
  f.room.tick();
  const auto messages = f.take(0);
  REQUIRE(messages.size() == 2);
  const auto& update = get<TopicUpdate>(messages, 0);
  const auto& result = get<ActionAnswer>(messages, 1).result;
  CHECK(result.status == ActionStatus::kAccepted);
  CHECK_FALSE(result.durable);
  REQUIRE(result.visible_at.size() == 1);
  CHECK(result.visible_at[0]->topic == update.topic->id.value);
  CHECK(result.visible_at[0]->version == update.version.value);
}

TEST_CASE("Room: actions beyond a tick's share wait in order, and beyond the queue fail") {
  MemoryStore store;
  Fixture f(store, {.n_shards = 2, .max_actions_per_tick = 2, .max_waiting_actions = 3, .ticks_between_saves = 0});
  f.room.join("alice");
  f.open({0, 1}, "alice");
  for (std::uint64_t i = 1; i <= 6; ++i) f.act({0, 1}, "alice", i, to_bytes("inc"));
  CHECK(f.game.users["alice"] == 2);
  CHECK(get<ActionAnswer>(f.take(0), 0).result.code == ErrorCode::kRateLimited);
  std::vector<std::uint64_t> order;
  for (int i = 0; i < 3; ++i) {
    f.room.tick();
    for (const RoomMessage& message : f.take(0))
      order.push_back(std::get<ActionAnswer>(message).result.action_sequence);
  }
  CHECK(order == std::vector<std::uint64_t>{1, 2, 3, 4, 5});
}

TEST_CASE("Room: a save is answered when it is durable, and a crowd of saves shares commits") {
  MemoryStore store;
  Fixture f(store);
  f.room.join("alice");
  f.open({0, 1}, "alice");
  store.commits = 0;
  for (std::uint64_t i = 1; i <= 50; ++i) f.act({0, 1}, "alice", i, to_bytes("save"));
  f.room.tick();
  CHECK(f.take(0).empty());
  f.run_posted();
  CHECK(store.commits == 2);
  CHECK(f.game.saved == 50);
  f.room.tick();
  std::size_t n_results = 0;
  for (const RoomMessage& message : f.take(0)) {
    const auto* answer = std::get_if<ActionAnswer>(&message);
    if (answer == nullptr) continue;
    ++n_results;
    CHECK(answer->result.durable);
  }
  CHECK(n_results == 50);

  store.broken = true;
  f.act({0, 1}, "alice", 51, to_bytes("save"));
  f.run_posted();
  const auto failed = f.take(0);
  CHECK(get<ActionAnswer>(failed, 0).result.status == ActionStatus::kFailed);
  CHECK(get<ActionAnswer>(failed, 0).result.code == ErrorCode::kStoreUnavailable);
}

TEST_CASE("Room: records that the game no longer has are removed from the store") {
  MemoryStore store;
  Fixture f(store);
  f.open({0, 1}, "alice");
  f.game.extra_keys = {"gone"};
  f.act({0, 1}, "alice", 1, to_bytes("save"));
  f.run_posted();
  CHECK(store.records.contains("game/gone"));
  f.game.extra_keys = {};
  f.act({0, 1}, "alice", 2, to_bytes("save"));
  f.run_posted();
  CHECK_FALSE(store.records.contains("game/gone"));
  CHECK(store.records.contains("game/ticks"));
}

TEST_CASE("Room: an epoch goes on after a clean stop and not after a crash") {
  MemoryStore store;
  TopicStats before;
  {
    Fixture f(store);
    f.room.subscribe({0, 1}, "alice", "world");
    for (int i = 0; i < 5; ++i) f.room.tick();
    before = f.stats_of("world");
    std::optional<bool> saved;
    f.room.stop([&](bool durable) { saved = durable; });
    f.run_posted();
    CHECK(saved == true);
    f.room.tick();
    CHECK(f.game.ticks == 5);  // nothing happens after the stop
  }
  const std::map<std::string, Bytes> after_stop = store.records;
  CHECK(after_stop.contains("meta/clean"));
  {
    Fixture f(store);
    CHECK_FALSE(store.records.contains("meta/clean"));
    CHECK(f.game.ticks == 5);
    CHECK(f.stats_of("world").position == before.position);
    f.room.subscribe({0, 1}, "alice", "world");
    CHECK(get<TopicUpdate>(f.take(0), 0).version == before.position.version);  // the same bytes: the same version
    f.room.tick();
    CHECK(get<TopicUpdate>(f.take(0), 0).base_version == before.position.version);
  }  // no stop: a crash
  {
    Fixture f(store);
    CHECK(f.game.ticks == 5);
    f.room.subscribe({0, 1}, "alice", "world");
    const auto messages = f.take(0);
    CHECK(get<TopicUpdate>(messages, 0).topic->epoch != before.position.epoch);
    CHECK(get<TopicUpdate>(messages, 0).version == Version{1});
  }
}

TEST_CASE("Room: refuses to start where the mark of the last stop cannot be removed") {
  MemoryStore store;
  store.records["meta/clean"] = to_bytes("1");
  store.broken = true;
  CounterGame game;
  const Limits limits;
  Log log((std::filesystem::temp_directory_path() / "libsync-room-test").string(), false);
  Room room(
      game, store, limits, log, {}, [](std::uint32_t, std::vector<RoomMessage>) {}, [] { return 1; },
      [](std::function<void()>) {});
  const Result<bool> started = room.start();
  REQUIRE_FALSE(started);
  CHECK(started.error().code == ErrorCode::kStoreUnavailable);
}

TEST_CASE("decode_saved_topic: refuses what encode_saved_topic does not make") {
  const Bytes record = encode_saved_topic(Epoch{7}, Version{9}, to_bytes("abc"));
  const Result<SavedTopic> topic = decode_saved_topic(record);
  REQUIRE(topic);
  CHECK(topic->epoch == Epoch{7});
  CHECK(topic->version == Version{9});
  CHECK(topic->snapshot == to_bytes("abc"));
  for (std::size_t size = 0; size <= 16; ++size) CHECK_FALSE(decode_saved_topic(BytesView(record).first(size)));
  CHECK_FALSE(decode_saved_topic(encode_saved_topic(Epoch{7}, Version{0}, to_bytes("abc"))));
}

}  // namespace libsync::server
