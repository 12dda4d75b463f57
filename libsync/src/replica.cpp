#include "libsync/replica.h"

#include <utility>
#include <vector>

#include "libsync/patch_context.h"
#include "patch_reader.h"

namespace libsync {

struct Replica::State {
  Bytes bytes;
  Fingerprints fingerprints;
  PatchContext context;
  // Of the patch at hand; kept for its memory.
  codec::Undo undo;
  codec::Touched touched;

  Result<Digest> apply_in_place(OpenPatch& open);
  Result<Digest> apply_anew(const HeldBytes& held, OpenPatch& open);
};

Replica::Replica() : state_(std::make_unique<State>()) {}
Replica::Replica(const Snapshot& snapshot) : Replica() {
  state_->bytes.assign(snapshot.bytes().begin(), snapshot.bytes().end());
  state_->fingerprints = snapshot.fingerprints();
}
Replica::Replica(Replica&&) noexcept = default;
Replica& Replica::operator=(Replica&&) noexcept = default;
Replica::~Replica() = default;

BytesView Replica::bytes() const { return state_->bytes; }
Digest Replica::digest() const { return state_->fingerprints.digest(); }
SnapshotPtr Replica::snapshot() const { return Snapshot::copy_of(state_->bytes); }

Result<Digest> Replica::apply(BytesView patch, const Limits& limits) {
  State& state = *state_;
  const HeldBytes held{state.bytes, digest(),
                       [&] { return std::make_shared<const codec::Structure>(codec::find_structure(state.bytes)); }};
  Result<OpenPatch> open = open_patch(held, patch, limits, &state.context);
  if (!open) return open.error();
  Result<Digest> digest =
      open->header.kind == PatchKind::kInPlace ? state.apply_in_place(*open) : state.apply_anew(held, *open);
  if (digest && open->context != nullptr) state.context.hold(std::move(open->context), *digest);
  return digest;
}

Result<Digest> Replica::State::apply_in_place(OpenPatch& open) {
  undo.clear();
  touched.reset(bytes.size());
  const bool fits = codec::decode_in_place(*open.context, open.body, bytes.data(), touched, &undo);
  if (!fits) {
    undo.restore(bytes.data());
    return malformed_patch("changes that do not fit");
  }
  const std::vector<ByteRange> changed = touched.ranges();
  fingerprints.update(bytes, changed);
  if (fingerprints.digest() == open.header.digest) return open.header.digest;
  undo.restore(bytes.data());
  fingerprints.update(bytes, changed);
  return Error{ErrorCode::kDigestMismatch, "patch: the result is not the sender's"};
}

Result<Digest> Replica::State::apply_anew(const HeldBytes& held, OpenPatch& open) {
  Result<Bytes> target = decode_target(held, open);
  if (!target) return target.error();
  Fingerprints after = Fingerprints::of(*target, bytes, fingerprints);
  if (after.digest() != open.header.digest) {
    return Error{ErrorCode::kDigestMismatch, "patch: the result is not the sender's"};
  }
  bytes = std::move(*target);
  fingerprints = std::move(after);
  return open.header.digest;
}

}  // namespace libsync
