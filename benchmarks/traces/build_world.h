// build_world.h: a World as a finished FlatBuffer.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include "model.h"

namespace libsync::traces {

// Clears `builder` and builds everything anew, as a server does that keeps its state in its own structures: the tables,
// their children first, then the vectors of them, then the root. Default settings: fields that hold their default are
// left out. The bytes are valid until the next use of `builder`.
void build_world(const World& world, flatbuffers::FlatBufferBuilder& builder);

}  // namespace libsync::traces
