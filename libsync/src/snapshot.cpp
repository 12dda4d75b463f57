#include "libsync/snapshot.h"

#include <utility>

#include "codec/structure.h"

namespace libsync {

Snapshot::Snapshot(Bytes bytes, Fingerprints fingerprints)
    : bytes_(std::move(bytes)), fingerprints_(std::move(fingerprints)) {}

Snapshot::~Snapshot() = default;

const std::shared_ptr<const codec::Structure>& Snapshot::structure() const {
  std::call_once(structure_once_,
                 [this] { structure_ = std::make_shared<const codec::Structure>(codec::find_structure(bytes())); });
  return structure_;
}

SnapshotPtr Snapshot::copy_of(BytesView bytes) { return take(Bytes(bytes.begin(), bytes.end())); }

SnapshotPtr Snapshot::take(Bytes bytes, const Snapshot* baseline) {
  Fingerprints fingerprints = baseline != nullptr ? Fingerprints::of(bytes, baseline->bytes(), baseline->fingerprints())
                                                  : Fingerprints::of(bytes);
  return SnapshotPtr(new Snapshot(std::move(bytes), std::move(fingerprints)));
}

const SnapshotPtr& Snapshot::empty() {
  static const SnapshotPtr snapshot = take({});
  return snapshot;
}

}  // namespace libsync
