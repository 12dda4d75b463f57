// patch_vectors.h: how a vector of a patch is made, and the groups of them.
#pragma once

#include <string>
#include <vector>

#include "byte_writer.h"
#include "libsync/message.h"
#include "libsync/patch.h"
#include "unit/support.h"
#include "vectors.h"

namespace libsync::vectors {

// "after": the name of the vector before this one, if the patch comes with the context that its patch left.
inline Object patch_object(const std::string& name, BytesView baseline, BytesView patch, const std::string& after = "",
                           PatchContext* context = nullptr) {
  const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, Limits{}, context);
  return {{"name", name},
          {"after", after},
          {"baseline", test::to_hex(baseline)},
          {"patch", test::to_hex(patch)},
          {"error", applied ? "" : name_of(applied.error().code)},
          {"target", applied ? test::to_hex((*applied)->bytes()) : ""},
          {"digest", applied ? test::to_hex64((*applied)->digest().value) : ""}};
}

inline Object made_patch(const std::string& name, const Bytes& baseline, const Bytes& target) {
  Bytes patch;
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
  return patch_object(name, baseline, patch);
}

// A patch written op by op; its header says what `target` is.
inline Object hand_patch(const std::string& name, const Bytes& baseline, const Bytes& target, const Bytes& ops) {
  Bytes patch;
  ByteWriter writer(patch);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kBytes));
  writer.varint(baseline.size());
  writer.varint(target.size());
  writer.u64(digest_of(target).value);
  writer.bytes(ops);
  return patch_object(name, baseline, patch);
}

// Everything that the kinds for FlatBuffers can say, in worlds of a few hundred bytes.
void add_structured(std::vector<Object>& objects);
// States that nobody holds.
void add_whole(std::vector<Object>& objects);
// Worlds that go on for some steps.
void add_chains(std::vector<Object>& objects);
// Those of scripts.txt, which says what its lines are.
void add_scripts(std::vector<Object>& objects, const std::string& path);
// Schemas drawn at random, and bytes that no builder writes.
void add_odd(std::vector<Object>& objects);

}  // namespace libsync::vectors
