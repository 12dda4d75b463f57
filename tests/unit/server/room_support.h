// room_support.h: a small game, a store in memory, and a room with two shards whose messages are collected.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "room.h"

namespace libsync::server::test {

inline Bytes to_bytes(const std::string& text) {
  Bytes bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

// A counter that everybody sees and one for each user; the action "inc" counts, "save" saves, "" is refused.
class CounterGame final : public Game {
 public:
  std::span<const std::byte> schema() const override { return {}; }
  std::vector<TopicSpec> topics() const override {
    std::vector<TopicSpec> specs = {{.name = "world"}};
    for (const auto& [user, count] : users) specs.push_back({.name = "player/" + user});
    return specs;
  }
  bool may_subscribe(std::string_view user, std::string_view topic) const override {
    return topic == "world" || topic == "nowhere" || topic == "player/" + std::string(user);
  }
  void join(const std::string& user) override { users.emplace(user, 0); }
  void leave(const std::string& user) override { users.erase(user); }
  ActionOutcome on_action(const std::string& user, BytesView payload) override {
    ActionOutcome outcome;
    if (payload.empty()) {
      outcome.status = ActionStatus::kRefused;
      outcome.code = ErrorCode::kActionRefused;
      return outcome;
    }
    outcome.wants_save = payload.size() == 4;
    if (!outcome.wants_save) ++users[user];
    outcome.visible_in = {"player/" + user};
    return outcome;
  }
  void on_saved(const std::string&, bool durable) override { saved += durable ? 1 : 0; }
  void tick() override { ++ticks; }
  BytesView snapshot(std::string_view topic) override {
    bytes = to_bytes(topic == "world" ? "tick " + std::to_string(ticks)
                                      : std::string(topic) + " " + std::to_string(users[std::string(topic.substr(7))]));
    return bytes;
  }
  std::vector<SaveRecord> save() const override {
    std::vector<SaveRecord> records = {{"ticks", to_bytes(std::to_string(ticks))}};
    for (const std::string& key : extra_keys) records.push_back({key, to_bytes("x")});
    return records;
  }
  Result<bool> load(const std::vector<SaveRecord>& records) override {
    for (const SaveRecord& record : records) {
      if (record.key != "ticks") continue;
      std::string text;
      for (const std::byte byte : record.value) text += static_cast<char>(byte);
      ticks = std::stoi(text);
    }
    return !records.empty();
  }

  std::map<std::string, int> users;
  std::vector<std::string> extra_keys;
  int ticks = 0;
  int saved = 0;
  Bytes bytes;
};

class MemoryStore final : public Store {
 public:
  Result<std::vector<SaveRecord>> load(const std::string& prefix) override {
    std::vector<SaveRecord> found;
    for (const auto& [key, value] : records) {
      if (key.starts_with(prefix)) found.push_back({key, value});
    }
    return found;
  }
  void commit(std::vector<SaveRecord> written, std::vector<std::string> removed, Done done) override {
    ++commits;
    if (broken) return done(Error{ErrorCode::kStoreUnavailable, "broken"});
    for (const std::string& key : removed) records.erase(key);
    for (SaveRecord& record : written) records[record.key] = std::move(record.value);
    done(true);
  }

  std::map<std::string, Bytes> records;
  int commits = 0;
  bool broken = false;
};

inline InstanceKey key_of(const std::string& user) { return {user, protocol::Id128(1, 2)}; }

// A room with two shards whose messages are collected, and a queue in place of the game thread.
struct Fixture {
  explicit Fixture(MemoryStore& durable, RoomConfig room_config = {.n_shards = 2, .ticks_between_saves = 0})
      : config(room_config),
        log((std::filesystem::temp_directory_path() / "libsync-room-test").string(), false),
        room(
            game, durable, limits, log, config,
            [this](std::uint32_t shard, std::vector<RoomMessage> messages) {
              for (RoomMessage& message : messages) sent[shard].push_back(std::move(message));
            },
            [this] { return ++random; },
            [this](std::function<void()> function) { posted.push_back(std::move(function)); }) {
    REQUIRE(room.start());
  }

  void run_posted() {
    while (!posted.empty()) {
      const std::vector<std::function<void()>> now = std::exchange(posted, {});
      for (const auto& function : now) function();
    }
  }
  // A connection of the user's client begins; what it is answered is dropped.
  void open(ConnectionRef from, const std::string& user, std::uint64_t attempt = 1) {
    room.open_instance(from, key_of(user), attempt, {});
    sent[from.shard].pop_back();
  }
  void act(ConnectionRef from, const std::string& user, std::uint64_t sequence, Bytes payload) {
    room.act(from, key_of(user), {Sequence{sequence}, std::move(payload)});
  }
  std::vector<RoomMessage> take(std::uint32_t shard) { return std::exchange(sent[shard], {}); }
  TopicStats stats_of(const std::string& name) {
    for (const TopicStats& topic : room.take_stats().topics) {
      if (topic.name == name) return topic;
    }
    return {};
  }

  RoomConfig config;
  CounterGame game;
  Limits limits;
  Log log;
  std::map<std::uint32_t, std::vector<RoomMessage>> sent;
  std::vector<std::function<void()>> posted;
  static inline std::uint64_t random = 100;  // goes on from room to room: no epoch comes twice
  Room room;
};

template <typename T>
const T& get(const std::vector<RoomMessage>& messages, std::size_t i) {
  REQUIRE(i < messages.size());
  REQUIRE(std::holds_alternative<T>(messages[i]));
  return std::get<T>(messages[i]);
}

}  // namespace libsync::server::test
