// Any bytes as a patch against any baseline: a typed error or a snapshot with the announced digest, never more.
// Input: one byte n, n baseline bytes, then the patch. The digest is made right where it can be, or nothing would pass.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "libsync/patch.h"
#include "unit/model_patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  if (size == 0) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t baseline_size = std::min<std::size_t>(data[0], size - 1);
  const Bytes baseline(bytes + 1, bytes + 1 + baseline_size);
  Bytes patch(bytes + 1 + baseline_size, bytes + size);
  Limits limits;
  limits.max_snapshot_bytes = 1 << 16;
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  const std::optional<Bytes> model = test::model_apply(baseline, patch, limits.max_snapshot_bytes);
  if (const Result<PatchHeader> header = read_patch_header(patch); header && model) {
    const std::uint64_t digest = digest_of(*model).value;
    std::memcpy(patch.data() + header->body_offset - 8, &digest, 8);
  }
  const Result<SnapshotPtr> applied = apply_patch(*held, patch, limits);
  const bool is_modelled = !patch.empty() && patch[0] == std::byte{1};
  if (is_modelled && applied.has_value() != model.has_value()) std::abort();
  if (is_modelled && applied &&
      !std::equal(model->begin(), model->end(), (*applied)->bytes().begin(), (*applied)->bytes().end())) {
    std::abort();
  }
  if (!std::equal(baseline.begin(), baseline.end(), held->bytes().begin(), held->bytes().end())) std::abort();
  return 0;
}
