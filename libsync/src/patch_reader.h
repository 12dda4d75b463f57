// patch_reader.h: what apply_patch() and Replica have in common: a patch's fixed part checked against what is held.
#pragma once

#include <functional>
#include <memory>

#include "codec/codec.h"
#include "libsync/patch.h"

namespace libsync {

// A state that patches may be made for.
struct HeldBytes {
  BytesView bytes;
  Digest digest;
  std::function<std::shared_ptr<const codec::Structure>()> structure;
};

// A patch that may be decoded.
struct OpenPatch {
  PatchHeader header;
  std::size_t target_size = 0;
  BytesView body;
  std::unique_ptr<codec::Context> context;  // at the baseline; null for kBytes and kWhole
};

// Closes `context` if there is one: whoever succeeds with the patch gives it back.
// Errors: as apply_patch(), but for what the body says.
Result<OpenPatch> open_patch(const HeldBytes& held, BytesView patch, const Limits& limits, PatchContext* context);

// The target of all but kInPlace. Errors: kMalformed.
Result<Bytes> decode_target(const HeldBytes& held, OpenPatch& patch);

Error malformed_patch(const char* detail);

}  // namespace libsync
