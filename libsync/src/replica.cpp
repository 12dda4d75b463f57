#include "libsync/replica.h"

#include <bit>
#include <utility>
#include <vector>

#include "libsync/patch_context.h"
#include "patch_reader.h"

namespace libsync {

struct Replica::State {
  Bytes bytes;
  Fingerprints fingerprints;
  PatchContext context;
  // Of the patch at hand; kept for their memory.
  codec::Undo undo;
  std::vector<std::uint64_t> is_touched;  // a bit for each chunk
  std::vector<std::uint32_t> touched;     // the same, as indices

  void find_touched();
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
  undo.pieces.clear();
  undo.bytes.clear();
  const bool fits = codec::decode_in_place(*open.context, open.body, bytes.data(), &undo);
  if (fits) {
    find_touched();
    fingerprints.update(bytes, touched);
    if (fingerprints.digest() == open.header.digest) return open.header.digest;
  }
  undo.restore(bytes.data());
  if (!fits) return malformed_patch("changes that do not fit");
  fingerprints.update(bytes, touched);
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

// The chunks in which something was changed.
void Replica::State::find_touched() {
  const auto chunk_bits = static_cast<unsigned>(std::countr_zero(chunk_size_bytes(bytes.size())));
  is_touched.assign((bytes.size() >> chunk_bits) / 64 + 1, 0);
  for (const codec::Undo::Piece& piece : undo.pieces) {
    const std::size_t last = (piece.position + piece.size - 1) >> chunk_bits;
    for (std::size_t chunk = piece.position >> chunk_bits; chunk <= last; ++chunk)
      is_touched[chunk / 64] |= std::uint64_t{1} << (chunk % 64);
  }
  touched.clear();
  for (std::size_t word = 0; word < is_touched.size(); ++word) {
    for (std::uint64_t bits = is_touched[word]; bits != 0; bits &= bits - 1)
      touched.push_back(static_cast<std::uint32_t>(64 * word + static_cast<std::size_t>(std::countr_zero(bits))));
  }
}

}  // namespace libsync
