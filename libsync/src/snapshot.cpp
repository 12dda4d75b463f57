#include "libsync/snapshot.h"

#include <atomic>
#include <utility>

#include "codec/structure.h"
#include "libsync/result.h"

namespace libsync {

namespace {

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Snapshot::Snapshot(Bytes bytes) : bytes_(std::move(bytes)), number_(next_number()) {}

Snapshot::~Snapshot() = default;

const std::shared_ptr<const codec::Structure>& Snapshot::structure() const {
  std::call_once(structure_once_, [this] {
    structure_ = std::make_shared<const codec::Structure>(codec::find_structure(bytes()));
    structure_bytes_ = structure_->memory_bytes();
  });
  return structure_;
}

std::size_t Snapshot::memory_bytes() const {
  return sizeof *this + bytes_.capacity() + fingerprints_.chunks().size() * sizeof(std::uint64_t) * 65 / 64 +
         changed_.capacity() * sizeof(ByteRange) + structure_bytes_;
}

SnapshotPtr Snapshot::copy_of(BytesView bytes) { return take(Bytes(bytes.begin(), bytes.end())); }

SnapshotPtr Snapshot::take(Bytes bytes, const Snapshot* baseline) {
  std::shared_ptr<Snapshot> snapshot(new Snapshot(std::move(bytes)));
  if (baseline == nullptr) {
    snapshot->fingerprints_ = Fingerprints::of(snapshot->bytes_);
    return snapshot;
  }
  snapshot->fingerprints_ =
      Fingerprints::of(snapshot->bytes_, baseline->bytes(), baseline->fingerprints(), &snapshot->changed_);
  snapshot->baseline_number_ = baseline->number_;
  return snapshot;
}

SnapshotPtr Snapshot::take_changed(Bytes bytes, const Snapshot& baseline, std::vector<ByteRange> changed) {
  SYNC_ASSERT(bytes.size() == baseline.size_bytes());
  std::shared_ptr<Snapshot> snapshot(new Snapshot(std::move(bytes)));
  snapshot->fingerprints_ = baseline.fingerprints_;
  snapshot->fingerprints_.update(snapshot->bytes_, changed);
  snapshot->changed_ = std::move(changed);
  snapshot->baseline_number_ = baseline.number_;
  return snapshot;
}

const SnapshotPtr& Snapshot::empty() {
  static const SnapshotPtr snapshot = take({});
  return snapshot;
}

}  // namespace libsync
