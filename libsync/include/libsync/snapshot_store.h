// snapshot_store.h: the last versions of one topic, kept as baselines within bounds of count, bytes and age.
// The newest are whole; older ones are kept as the way back to them, where little changed in between.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "libsync/limits.h"
#include "libsync/snapshot.h"
#include "libsync/types.h"

namespace libsync {

// The way from a snapshot back to the one before it, of the same size: the bytes that were changed. Immutable, shared.
class StepBack {
 public:
  // Null where it would take more than a quarter of the snapshot. Cost: what changed, if `newer` was taken with `older`
  // as its baseline, else one comparison of the two.
  static std::shared_ptr<const StepBack> between(const Snapshot& newer, const Snapshot& older);

  // Requires: `bytes` are the newer snapshot's.
  void apply(Bytes& bytes) const;
  std::size_t memory_bytes() const;

 private:
  struct Piece {
    std::uint32_t position;
    std::uint32_t size;
  };
  std::vector<Piece> pieces_;
  Bytes bytes_;
};

// A version of a topic in history.
struct VersionedSnapshot {
  Version version;
  SnapshotPtr snapshot;                       // null: only the way to it is kept
  std::shared_ptr<const StepBack> step_back;  // from the next version to this one; null: unknown, or there is no next
  TimePoint published_at;
  Digest digest;
};

class SnapshotStore {
 public:
  // Requires: `limits` outlives the store.
  explicit SnapshotStore(const Limits& limits) : limits_(limits) {}
  SnapshotStore(const SnapshotStore&) = delete;
  SnapshotStore& operator=(const SnapshotStore&) = delete;

  // Adds the next version and drops the oldest beyond the bounds; the latest always stays. `step_back`: from it to the
  // version before, if that is the latest here; null: that one stays whole.
  // Requires: `version` is higher than every version held.
  void push(Version version, SnapshotPtr snapshot, std::shared_ptr<const StepBack> step_back = nullptr,
            TimePoint published_at = {});
  // The same for an entry of another store, older ones first: with the way from what follows it, or whole.
  void push_older(const VersionedSnapshot& entry);
  void clear();

  // Nothing if the version was never here or is gone. Makes no snapshot, so that asking is cheap.
  std::optional<Digest> find_digest(Version version) const;
  // Null if the version was never here or is gone. Cost: nothing for the newest; for others a copy of the snapshot.
  SnapshotPtr find(Version version) const;
  // Null while empty.
  SnapshotPtr latest() const;
  // Zero while empty.
  Version latest_version() const;

  // Ascending versions.
  const std::deque<VersionedSnapshot>& versions() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  // What all versions together take: whole snapshots with fingerprints and what was found in them, and ways back.
  std::size_t memory_bytes() const;

 private:
  std::deque<VersionedSnapshot>::const_iterator entry_of(Version version) const;
  static std::size_t memory_of(const VersionedSnapshot& entry);
  void release_whole();
  void drop_oldest();

  const Limits& limits_;
  std::deque<VersionedSnapshot> entries_;
};

}  // namespace libsync
