#include "libsync/snapshot_store.h"

#include <algorithm>
#include <utility>

#include "libsync/result.h"

namespace libsync {

void SnapshotStore::push(Version version, SnapshotPtr snapshot) {
  SYNC_ASSERT(entries_.empty() || version > entries_.back().version);
  size_bytes_ += snapshot->size_bytes();
  entries_.push_back({version, std::move(snapshot)});
  while (entries_.size() > 1 &&
         (entries_.size() > limits_.max_history_versions || size_bytes_ > limits_.max_history_bytes)) {
    size_bytes_ -= entries_.front().snapshot->size_bytes();
    entries_.pop_front();
  }
}

void SnapshotStore::clear() {
  entries_.clear();
  size_bytes_ = 0;
}

SnapshotPtr SnapshotStore::find(Version version) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), version,
                       [](const VersionedSnapshot& entry, Version wanted) { return entry.version < wanted; });
  return found != entries_.end() && found->version == version ? found->snapshot : nullptr;
}

SnapshotPtr SnapshotStore::latest() const { return entries_.empty() ? nullptr : entries_.back().snapshot; }

Version SnapshotStore::latest_version() const { return entries_.empty() ? Version{} : entries_.back().version; }

}  // namespace libsync
