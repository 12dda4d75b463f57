// saved_state.h: the records that outlive the process. "world": a GameState whose motions are relative to the parents,
// because those are what is integrated; a restarted universe then goes on bit for bit. "player/<sub>": a SavedPlayer.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "game/bodies.h"
#include "game/player.h"
#include "game/snapshots.h"
#include "libsync/result.h"
#include "store.h"

namespace libsync::server {

inline constexpr const char* kWorldKey = "world";
inline constexpr const char* kPlayerPrefix = "player/";

SaveRecord encode_world(const Bodies& bodies, const GameTime& time);
SaveRecord encode_player(const Player::Saved& player, std::uint32_t bodies_created);

struct SavedUniverse {
  GameTime time;
  Bodies bodies;
  std::map<std::string, Player::Saved, std::less<>> players;  // by user
};

// Checks that the records could have come from a game that kept its rules: verified buffers, ids ascending, parents
// older than their bodies (so no cycles), finite numbers, research with its prerequisites, nothing from the future.
// Errors: kMalformed, naming the record.
Result<SavedUniverse> decode_saved(const std::vector<SaveRecord>& records, std::size_t max_bodies);

}  // namespace libsync::server
