// snapshot_store.h: the last versions of one topic, kept as baselines within a bound of count and bytes.
#pragma once

#include <cstddef>
#include <deque>

#include "libsync/limits.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

// A snapshot and its number.
struct VersionedSnapshot {
  Version version;
  SnapshotPtr snapshot;
};

class SnapshotStore {
 public:
  // Requires: `limits` outlives the store.
  explicit SnapshotStore(const Limits& limits) : limits_(limits) {}
  SnapshotStore(const SnapshotStore&) = delete;
  SnapshotStore& operator=(const SnapshotStore&) = delete;

  // Adds the next version and drops the oldest beyond the bounds; the latest always stays.
  // Requires: `version` is higher than every version held.
  void push(Version version, SnapshotPtr snapshot);
  void clear();

  // Null if the version was never here or is gone.
  SnapshotPtr find(Version version) const;
  // Null while empty.
  SnapshotPtr latest() const;
  // Zero while empty.
  Version latest_version() const;

  // Ascending versions.
  const std::deque<VersionedSnapshot>& versions() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  // Sum of the snapshots' sizes; fingerprints not counted.
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  const Limits& limits_;
  std::deque<VersionedSnapshot> entries_;
  std::size_t size_bytes_ = 0;
};

}  // namespace libsync
