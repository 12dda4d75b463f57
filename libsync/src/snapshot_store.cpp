#include "libsync/snapshot_store.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "libsync/result.h"

namespace libsync {

std::shared_ptr<const StepBack> StepBack::between(const Snapshot& newer, const Snapshot& older) {
  // Pieces that are closer than this are one.
  constexpr std::size_t kNear = 8;
  const std::size_t size = newer.size_bytes();
  if (size != older.size_bytes() || size == 0) return nullptr;
  const ByteRange whole{0, static_cast<std::uint32_t>(size)};
  const std::vector<ByteRange>* known = newer.changed_since(older);
  const std::span<const ByteRange> ranges = known != nullptr ? std::span(*known) : std::span(&whole, 1);
  const std::byte* a = newer.bytes().data();
  const std::byte* b = older.bytes().data();
  auto step = std::make_shared<StepBack>();
  for (const auto& [begin, end] : ranges) {
    for (std::size_t at = begin; at < end;) {
      if (end - at >= kNear && std::memcmp(a + at, b + at, kNear) == 0) {
        at += kNear;
        continue;
      }
      while (at < end && a[at] == b[at]) ++at;
      const std::size_t first = at;
      std::size_t last = at;  // one behind the last that differs
      for (; at < end && at < last + kNear; ++at) last = a[at] != b[at] ? at + 1 : last;
      if (last == first) continue;
      step->pieces_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last - first)});
      step->bytes_.insert(step->bytes_.end(), b + first, b + last);
    }
    if (step->memory_bytes() > size / 4) return nullptr;
  }
  step->pieces_.shrink_to_fit();
  step->bytes_.shrink_to_fit();
  return step;
}

void StepBack::apply(Bytes& bytes) const {
  const std::byte* from = bytes_.data();
  for (const Piece& piece : pieces_) {
    std::memcpy(bytes.data() + piece.position, from, piece.size);
    from += piece.size;
  }
}

std::size_t StepBack::memory_bytes() const {
  return sizeof *this + pieces_.capacity() * sizeof(Piece) + bytes_.capacity();
}

void SnapshotStore::push(Version version, SnapshotPtr snapshot, std::shared_ptr<const StepBack> step_back,
                         TimePoint published_at) {
  SYNC_ASSERT(entries_.empty() || version > entries_.back().version);
  if (!entries_.empty() && step_back != nullptr) entries_.back().step_back = std::move(step_back);
  const Digest digest = snapshot->digest();
  entries_.push_back({version, std::move(snapshot), nullptr, published_at, digest});
  release_whole();
  drop_oldest();
}

void SnapshotStore::push_older(const VersionedSnapshot& entry) {
  SYNC_ASSERT(entries_.empty() || entry.version > entries_.back().version);
  entries_.push_back(entry);
}

// Whole ones beyond the bound, oldest first, where there is a way back to them.
void SnapshotStore::release_whole() {
  std::size_t whole_bytes = 0;
  for (std::size_t i = entries_.size(); i-- > 0;) {
    VersionedSnapshot& entry = entries_[i];
    if (entry.snapshot == nullptr) continue;
    whole_bytes += entry.snapshot->memory_bytes();
    if (i + 1 < entries_.size() && entry.step_back != nullptr && whole_bytes > limits_.max_whole_history_bytes) {
      whole_bytes -= entry.snapshot->memory_bytes();
      entry.snapshot = nullptr;
    }
  }
}

void SnapshotStore::drop_oldest() {
  std::size_t bytes = memory_bytes();
  const TimePoint now = entries_.back().published_at;
  // Of unknown age is what was published without a time, and what another process saved.
  const auto is_old = [&](const VersionedSnapshot& entry) {
    return entry.published_at != TimePoint{} && now - entry.published_at > limits_.max_history_age;
  };
  while (entries_.size() > 1 && (entries_.size() > limits_.max_history_versions || bytes > limits_.max_history_bytes ||
                                 is_old(entries_.front()))) {
    bytes -= memory_of(entries_.front());
    entries_.pop_front();
  }
}

std::size_t SnapshotStore::memory_of(const VersionedSnapshot& entry) {
  return sizeof entry + (entry.snapshot != nullptr ? entry.snapshot->memory_bytes() : 0) +
         (entry.step_back != nullptr ? entry.step_back->memory_bytes() : 0);
}

std::size_t SnapshotStore::memory_bytes() const {
  std::size_t total = 0;
  for (const VersionedSnapshot& entry : entries_) total += memory_of(entry);
  return total;
}

void SnapshotStore::clear() { entries_.clear(); }

std::deque<VersionedSnapshot>::const_iterator SnapshotStore::entry_of(Version version) const {
  const auto found =
      std::lower_bound(entries_.begin(), entries_.end(), version,
                       [](const VersionedSnapshot& entry, Version wanted) { return entry.version < wanted; });
  return found != entries_.end() && found->version == version ? found : entries_.end();
}

std::optional<Digest> SnapshotStore::find_digest(Version version) const {
  const auto found = entry_of(version);
  return found != entries_.end() ? std::optional(found->digest) : std::nullopt;
}

SnapshotPtr SnapshotStore::find(Version version) const {
  const auto found = entry_of(version);
  if (found == entries_.end()) return nullptr;
  auto whole = found;
  while (whole->snapshot == nullptr) ++whole;  // ends at the latest, which is whole
  if (whole == found) return found->snapshot;
  Bytes bytes(whole->snapshot->bytes().begin(), whole->snapshot->bytes().end());
  for (auto entry = whole; entry != found;) (--entry)->step_back->apply(bytes);
  return Snapshot::take(std::move(bytes), whole->snapshot.get());
}

SnapshotPtr SnapshotStore::latest() const { return entries_.empty() ? nullptr : entries_.back().snapshot; }

Version SnapshotStore::latest_version() const { return entries_.empty() ? Version{} : entries_.back().version; }

}  // namespace libsync
