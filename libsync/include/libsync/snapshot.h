// snapshot.h: the immutable bytes of one topic at one version, with their fingerprints.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "libsync/fingerprint.h"
#include "libsync/types.h"

namespace libsync {

namespace codec {
struct Structure;
}

class Snapshot;
// Snapshots are shared between history, shards and sessions; none of them can change one.
using SnapshotPtr = std::shared_ptr<const Snapshot>;

class Snapshot {
 public:
  // Copies `bytes`. Cost: one copy, one pass of XXH3.
  static SnapshotPtr copy_of(BytesView bytes);
  // Takes `bytes` over. With a `baseline`, chunks that did not change are compared instead of hashed.
  static SnapshotPtr take(Bytes bytes, const Snapshot* baseline = nullptr);
  // The same where it is known which bytes may differ; nothing else is looked at.
  // Requires: the same size, `changed` ascending.
  static SnapshotPtr take_changed(Bytes bytes, const Snapshot& baseline, std::vector<ByteRange> changed);
  // The snapshot of no bytes, baseline of every full update.
  static const SnapshotPtr& empty();

  // Aligned for FlatBuffers (16 bytes); valid as long as the snapshot.
  BytesView bytes() const { return bytes_; }
  std::size_t size_bytes() const { return bytes_.size(); }
  const Fingerprints& fingerprints() const { return fingerprints_; }
  Digest digest() const { return fingerprints_.digest(); }
  // What it takes, with fingerprints and, once found, its structure.
  std::size_t memory_bytes() const;
  // Where it may differ from `baseline`, which has the same size and with which it was taken; ascending. Null of
  // others.
  const std::vector<ByteRange>* changed_since(const Snapshot& baseline) const {
    return baseline_number_ == baseline.number_ && bytes_.size() == baseline.size_bytes() ? &changed_ : nullptr;
  }
  // What patches need to know of the bytes. Found at the first call, then kept; any thread.
  const std::shared_ptr<const codec::Structure>& structure() const;

  ~Snapshot();

 private:
  explicit Snapshot(Bytes bytes);

  Bytes bytes_;
  Fingerprints fingerprints_;
  std::uint64_t number_;  // of this object; never of another
  std::uint64_t baseline_number_ = 0;
  std::vector<ByteRange> changed_;
  mutable std::once_flag structure_once_;
  mutable std::shared_ptr<const codec::Structure> structure_;
  mutable std::atomic<std::size_t> structure_bytes_{0};
};

}  // namespace libsync
