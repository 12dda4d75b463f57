// Any bytes as a patch against any baseline: a typed error or a snapshot with the announced digest, never more.
// Input: one byte n, n baseline bytes, then the patch. The digest is made right where it can be, of ops and of what
// comes from nothing, or nothing of these would pass.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "codec/codec.h"
#include "libsync/patch.h"
#include "unit/model_patch.h"

namespace {

using namespace libsync;

// What a patch says of a target within the limit, the digest left aside; nothing if it is no such patch, or malformed.
std::optional<Bytes> target_of(const Bytes& baseline, const Bytes& patch, const Limits& limits) {
  const Result<PatchHeader> header = read_patch_header(patch);
  if (!header || header->kind != PatchKind::kWhole) {
    return test::model_apply(baseline, patch, limits.max_snapshot_bytes);
  }
  if (*header->target_size_bytes > limits.max_snapshot_bytes) return std::nullopt;
  Bytes target(*header->target_size_bytes);
  const BytesView stream = BytesView(patch).subspan(header->body_offset);
  if (!codec::decode_whole(*header->excerpt_size_bytes, stream, target)) return std::nullopt;
  return target;
}

// Where the digest is.
std::size_t digest_offset(const Bytes& patch, const PatchHeader& header) {
  if (header.kind != PatchKind::kWhole) return header.body_offset - 8;
  std::size_t at = 1;
  while ((patch[at] & std::byte{0x80}) != std::byte{0}) ++at;
  return at + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t baseline_size = std::min<std::size_t>(data[0], size - 1);
  const Bytes baseline(bytes + 1, bytes + 1 + baseline_size);
  Bytes patch(bytes + 1 + baseline_size, bytes + size);
  Limits limits;
  limits.max_snapshot_bytes = 1 << 16;
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  const std::optional<Bytes> model = target_of(baseline, patch, limits);
  if (const Result<PatchHeader> header = read_patch_header(patch); header && model) {
    const std::uint64_t digest = digest_of(*model).value;
    std::memcpy(patch.data() + digest_offset(patch, *header), &digest, 8);
  }
  const Result<SnapshotPtr> applied = apply_patch(*held, patch, limits);
  const bool is_modelled = !patch.empty() && (patch[0] == std::byte{0} || patch[0] == std::byte{1});
  if (is_modelled && applied.has_value() != model.has_value()) std::abort();
  if (is_modelled && applied &&
      !std::equal(model->begin(), model->end(), (*applied)->bytes().begin(), (*applied)->bytes().end())) {
    std::abort();
  }
  if (!std::equal(baseline.begin(), baseline.end(), held->bytes().begin(), held->bytes().end())) std::abort();
  return 0;
}
