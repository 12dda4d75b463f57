// universe.h: the reference game: celestial bodies that everybody sees, resources and research of each player.
// Topics: `world` for all, `player/<sub>` for that user alone. State and actions: schemas/world.fbs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "game.h"
#include "game/bodies.h"
#include "game/roster.h"
#include "game/snapshots.h"

namespace libsync::server {

struct UniverseOptions {
  std::uint64_t seed = 1;                 // of the bodies at the start
  std::size_t body_count = 1000;          // at the start, at least 1
  std::uint32_t tick_ms = 100;            // game time per tick; up to 100 the innermost orbits are stable
  std::size_t max_bodies = 5000;          // creation beyond it is refused
  std::size_t max_players = 100'000;      // known ones; beyond it who has been away longest is forgotten
  std::uint32_t save_interval_ms = 1000;  // game time between two saves of one player; sooner is refused
};

class Universe final : public Game {
 public:
  explicit Universe(const UniverseOptions& options = {});

  std::span<const std::byte> schema() const override;
  // `world`, and `player/<sub>` for each user who is here.
  std::vector<TopicSpec> topics() const override;
  bool may_subscribe(std::string_view user, std::string_view topic) const override;

  void join(const std::string& user) override;
  void leave(const std::string& user) override;
  ActionOutcome on_action(const std::string& user, BytesView payload) override;
  void on_saved(const std::string& user, bool durable) override;

  // Cost: about 30 ns per body; a player costs something only when his research ends.
  void tick() override;

  // `world` changes with every tick. A player's topic changes only when something happened to the player: amounts are
  // true at its time_ms, clients add rate times the time since then.
  BytesView snapshot(std::string_view topic) override;

  // A record of a player who did nothing since the last save is the same, byte for byte.
  std::vector<SaveRecord> save() const override;
  // True: taken over; false: there were no records, the universe stays new. The same snapshots follow as before save().
  // Errors: kMalformed.
  Result<bool> load(const std::vector<SaveRecord>& records) override;

 private:
  Roster::Entry& known(const std::string& user);
  ActionOutcome ask_for_save(Roster::Entry& entry);

  UniverseOptions options_;
  GameTime time_;
  Bodies bodies_;
  Roster roster_;
  flatbuffers::FlatBufferBuilder world_builder_;
  flatbuffers::FlatBufferBuilder player_builder_;
  bool world_built_ = false;
};

}  // namespace libsync::server
