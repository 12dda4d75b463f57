// main.cpp: two states of a door, the patch between them, and the second state rebuilt from it.
#include <libsync/patch.h>

#include <algorithm>
#include <cstdio>

#include "door_bfbs_generated.h"
#include "door_generated.h"

namespace {

libsync::SnapshotPtr make_snapshot(bool open, unsigned visits) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(door::CreateDoorDirect(builder, "front", open, visits));
  return libsync::Snapshot::copy_of(std::as_bytes(std::span(builder.GetBufferPointer(), builder.GetSize())));
}

}  // namespace

int main() {
  const libsync::SnapshotPtr before = make_snapshot(true, 1);
  const libsync::SnapshotPtr after = make_snapshot(true, 2);
  libsync::Bytes patch;
  libsync::make_patch(*before, *after, patch);

  const auto rebuilt = libsync::apply_patch(*before, patch, libsync::Limits{});
  if (!rebuilt) {
    std::fprintf(stderr, "apply_patch: %s\n", rebuilt.error().detail.c_str());
    return 1;
  }
  const libsync::SnapshotPtr& state = rebuilt.value();
  if (!std::ranges::equal(state->bytes(), after->bytes()) ||
      flatbuffers::GetRoot<door::Door>(state->bytes().data())->visits() != 2) {
    std::fprintf(stderr, "the rebuilt state is not the one sent\n");
    return 1;
  }
  std::printf("%zu bytes of state, %zu bytes of patch, schema of %zu bytes\n", after->size_bytes(), patch.size(),
              door::DoorBinarySchema::size());
  return 0;
}
