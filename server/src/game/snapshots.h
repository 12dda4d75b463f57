// snapshots.h: the game's state as finished FlatBuffers of schemas/world.fbs. The same state gives the same bytes, and
// what did not change keeps its place: every field is written even where it has its default value, so that no value
// moves what comes after it, and everything is built in one fixed order.
#pragma once

#include <cstdint>

#include "game/bodies.h"
#include "game/player.h"
#include "libsync/types.h"

namespace libsync::server {

struct GameTime {
  std::uint64_t tick = 0;
  std::uint64_t time_ms = 0;  // game time since the universe began
  bool operator==(const GameTime&) const = default;
};

// Which motion of a body is written.
enum class Frame : std::uint8_t {
  kAbsolute,          // what clients see
  kRelativeToParent,  // what is integrated: the absolute one is derived from it, so this one is saved
};

// Clears `builder` and builds a GameState in it. About 56 bytes per body without a name.
void build_world(flatbuffers::FlatBufferBuilder& builder, const Bodies& bodies, const GameTime& time, Frame frame);
// Clears `builder` and builds a Player in it.
void build_player(flatbuffers::FlatBufferBuilder& builder, const Player& player);

// What a builder finished; valid until it is used again.
inline BytesView view_of(const flatbuffers::FlatBufferBuilder& builder) {
  return {reinterpret_cast<const std::byte*>(builder.GetBufferPointer()), builder.GetSize()};
}

}  // namespace libsync::server
