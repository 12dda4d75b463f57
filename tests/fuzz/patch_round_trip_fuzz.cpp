// Any pair of snapshots: the patch leads from one to the other byte for byte and stays within its bound.
// Input: two bytes n, n baseline bytes, then the target.
#include <algorithm>
#include <cstdlib>

#include "libsync/patch.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  if (size < 2) return 0;
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::size_t baseline_size = std::min<std::size_t>(data[0] + 256u * data[1], size - 2);
  const SnapshotPtr baseline = Snapshot::copy_of(BytesView(bytes + 2, baseline_size));
  const SnapshotPtr target = Snapshot::copy_of(BytesView(bytes + 2 + baseline_size, size - 2 - baseline_size));
  Bytes patch;
  make_patch(*baseline, *target, patch);
  if (patch.size() > target->size_bytes() + kPatchOverheadBytes) std::abort();
  const Result<SnapshotPtr> applied = apply_patch(*baseline, patch, Limits{});
  if (!applied || !std::ranges::equal((*applied)->bytes(), target->bytes())) std::abort();
  return 0;
}
