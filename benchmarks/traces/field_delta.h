// field_delta.h: what a hand-written encoder, which knows the game, would send from one state to another.
//
// All fields of the game are numbered: root, bodies, players, research, events, chat, cubes; within them entity after
// entity, each component of a position being a field. Its message:
//   changed field    varint of the numbers skipped since the last changed one, then the field at its full width;
//                    a string or a vector of scalars or structs is one field, its length (varint) and all its bytes
//   removed entity   varint of the entities skipped since the last removed one
//   created entity   varint of the entities skipped since the last created one, then all its fields at full width
//   order            of the entities that stayed, per position that another one holds now: varint of the positions
//                    skipped since the last such, varint of the old position of the one that holds it
// Changes over several ticks are merged: what changed twice is sent once, what came and went is not sent. There is no
// header, no checksum, no count of the four lists: all of that would be extra.
#pragma once

#include <cstdint>

#include "model.h"

namespace libsync::traces {

struct FieldDelta {
  std::uint64_t bytes = 0;
  // The same message, but of a changed field only the bytes that differ, without saying which: no encoder can do it,
  // it shows how much of a field changes.
  std::uint64_t differing_bytes = 0;
};

// Requires: ids are unique within each vector, cubes are as many.
FieldDelta field_delta(const World& before, const World& after);

}  // namespace libsync::traces
