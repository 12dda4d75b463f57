// sim_game.h: a game whose state is what was executed: each action is a token that may be spent once.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <type_traits>
#include <vector>

#include "game.h"

namespace libsync::sim {

inline constexpr std::size_t kMaxClients = 4;
inline constexpr std::size_t kTokensPerClient = 48;
inline constexpr std::size_t kTokens = kMaxClients * kTokensPerClient;
using Tokens = std::bitset<kTokens>;

struct ActionPayload {
  std::uint32_t token = 0;
  std::uint32_t salt = 0;  // with the game's own state, decides whether the action is refused
};
inline Bytes encode(const ActionPayload& payload) {
  Bytes bytes(sizeof payload);
  std::memcpy(bytes.data(), &payload, sizeof payload);
  return bytes;
}

// What a world's snapshot begins with, so that a checker can read it.
struct WorldHead {
  std::array<std::uint64_t, kTokens / 64> executed{};
  std::uint64_t ticks = 0;
};

class SimGame final : public server::Game {
 public:
  explicit SimGame(std::size_t world_bytes) : world_(world_bytes, std::byte{0x5a}) {}

  std::span<const std::byte> schema() const override { return {}; }
  std::vector<server::TopicSpec> topics() const override {
    std::vector<server::TopicSpec> specs = {{.name = "world", .topic_class = TopicClass::kBulk}};
    for (const auto& [user, n] : users_) specs.push_back({.name = "player/" + user, .topic_class = TopicClass::kOwn});
    return specs;
  }
  bool may_subscribe(std::string_view user, std::string_view topic) const override {
    return topic == "world" || topic == "player/" + std::string(user);
  }
  void join(const std::string& user) override {
    if (++users_[user] != 1) violation = "a user who was there joined";
  }
  void leave(const std::string& user) override {
    if (users_.erase(user) == 0) violation = "a user who was not there left";
  }

  server::ActionOutcome on_action(const std::string& user, BytesView bytes) override {
    ActionPayload payload;
    server::ActionOutcome outcome;
    if (bytes.size() != sizeof payload) {
      violation = "an action that nobody sent was executed";
      return outcome;
    }
    std::memcpy(&payload, bytes.data(), sizeof payload);
    if (gone != nullptr && gone->test(payload.token)) violation = "an action of a lost store was executed anew";
    if (executed.test(payload.token)) violation = "an action was executed twice";
    const std::size_t client = payload.token / kTokensPerClient;
    for (std::size_t later = payload.token + 1; later < (client + 1) * kTokensPerClient; ++later) {
      if (executed.test(later)) violation = "an action was executed after a later one of its client";
    }
    // Depends on a state that a crash takes back.
    if ((payload.salt + refusals_) % 7 == 0) {
      ++refusals_;
      outcome.status = ActionStatus::kRefused;
      outcome.code = ErrorCode::kActionRefused;
      outcome.message = "no";
      return outcome;
    }
    executed.set(payload.token);
    if (ever_executed != nullptr) ever_executed->set(payload.token);
    outcome.visible_in = {"world", "player/" + user};
    outcome.wants_save = payload.salt % 11 == 0;
    outcome.payload.assign(4, std::byte{1});
    return outcome;
  }
  void on_saved(const std::string&, bool) override {}

  void tick() override {
    if (is_moving && (++n_ticks_ % 2) == 0) ++ticks_;
  }
  BytesView snapshot(std::string_view topic) override {
    const WorldHead head = this->head();
    if (topic == "world") {
      std::memcpy(world_.data(), &head, sizeof head);
      world_[moved_] = std::byte{0x5a};
      moved_ = sizeof head + ticks_ % (world_.size() - sizeof head);
      world_[moved_] = static_cast<std::byte>(ticks_);
      return world_;
    }
    player_.assign(topic.size(), std::byte{0});
    std::memcpy(player_.data(), topic.data(), topic.size());
    const auto* begin = reinterpret_cast<const std::byte*>(&head.executed);
    player_.insert(player_.end(), begin, begin + sizeof head.executed);
    return player_;
  }

  std::vector<server::SaveRecord> save() const override {
    Bytes bytes(sizeof(WorldHead) + sizeof refusals_);
    const WorldHead head = this->head();
    std::memcpy(bytes.data(), &head, sizeof head);
    std::memcpy(bytes.data() + sizeof head, &refusals_, sizeof refusals_);
    return {{"state", std::move(bytes)}};
  }
  Result<bool> load(const std::vector<server::SaveRecord>& records) override {
    for (const server::SaveRecord& record : records) {
      executed = tokens_of(record.value);
      WorldHead head;
      std::memcpy(&head, record.value.data(), sizeof head);
      ticks_ = head.ticks;
      std::memcpy(&refusals_, record.value.data() + sizeof head, sizeof refusals_);
    }
    return !records.empty();
  }

  // What a world's snapshot, or a saved state, says was executed.
  static Tokens tokens_of(BytesView bytes) {
    WorldHead head;
    std::memcpy(&head, bytes.data(), sizeof head);
    Tokens tokens;
    static_assert(sizeof tokens == sizeof head.executed);
    std::memcpy(static_cast<void*>(&tokens), head.executed.data(), sizeof tokens);
    return tokens;
  }

  Tokens executed;
  Tokens* ever_executed = nullptr;  // also what a crash took back
  const Tokens* gone = nullptr;     // executed with a store that is lost: nobody knows of it, so never again
  bool is_moving = true;
  const char* violation = nullptr;
  std::size_t user_count() const { return users_.size(); }

 private:
  WorldHead head() const {
    WorldHead head;
    static_assert(std::is_trivially_copyable_v<Tokens> && sizeof executed == sizeof head.executed);
    std::memcpy(head.executed.data(), &executed, sizeof executed);
    head.ticks = ticks_;
    return head;
  }

  std::map<std::string, int> users_;
  std::uint64_t n_ticks_ = 0;
  std::uint64_t ticks_ = 0;  // in which it moved
  std::uint32_t refusals_ = 0;
  Bytes world_;
  std::size_t moved_ = sizeof(WorldHead);  // the byte that differs from the others
  Bytes player_;
};

}  // namespace libsync::sim
