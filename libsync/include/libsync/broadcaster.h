// broadcaster.h: one topic to many sessions; each (baseline, target) pair is encoded once.
// One broadcaster per shard, used by that shard's thread alone. It holds what the topics published here: shared,
// immutable snapshots. Sessions ask for frames when their socket can take them, so state is never queued.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "libsync/frame.h"
#include "libsync/held_chunks.h"
#include "libsync/limits.h"
#include "libsync/snapshot_store.h"
#include "libsync/token_bucket.h"
#include "libsync/topic.h"

namespace libsync {

class ServerSession;

// The frames of one update and what they say.
struct EncodedUpdate {
  UpdateHeader header;
  std::vector<SharedBytes> frames;
  std::size_t size_bytes = 0;  // of all frames
  bool is_in_context = false;  // whoever has it is in the topic's context
};

// What became of the encoding work, for metrics.
struct BroadcastStats {
  std::uint64_t patches_encoded = 0;  // here, beyond those that came with a TopicUpdate
  std::uint64_t fulls_encoded = 0;
  std::uint64_t chunk_diffs_encoded = 0;
  std::uint64_t cache_hits = 0;
};

class Broadcaster {
 public:
  // Requires: `limits` outlives the broadcaster; the broadcaster outlives its sessions.
  explicit Broadcaster(const Limits& limits) : limits_(limits) {}
  Broadcaster(const Broadcaster&) = delete;
  Broadcaster& operator=(const Broadcaster&) = delete;

  // Takes a step of a topic, or a topic's current state at first sight, and marks its subscribers ready.
  // A step of a new epoch restarts the topic's history here; one that does not follow the last (some were not needed
  // here) goes on without its patch.
  void publish(const TopicUpdate& update);
  // Forgets a topic. Its subscribers get Unsubscribed(code).
  void remove(TopicId topic, ErrorCode code);

  bool has(TopicId topic) const { return topics_.contains(topic.value); }
  // Null if unknown here. Valid until remove() or the next publish() of the topic.
  const TopicInfo* info(TopicId topic) const;
  // Requires: has(topic).
  Position position(TopicId topic) const;
  // Whether a client that holds `have` can be brought up to date by a patch, and if not, why.
  // kNone: yes. Requires: has(topic).
  FullReason check_baseline(TopicId topic, const Position& have) const;

  // The update from `base` to the current version. kNone as `reason` asks for a patch; where the baseline is gone or
  // the patch would not be smaller, the answer is full and says why. A full one that was made for others may lead to a
  // version shortly before the current one: the next call goes on from there. Valid until the next publish().
  // `is_in_context`: the client is in the topic's context at `base`, see EncodedUpdate.
  // Requires: has(topic); base is below the current version.
  const EncodedUpdate& update_from(TopicId topic, Version base, FullReason reason, bool is_in_context);

  // Whether it is worth asking a client for the chunks of what it holds. Requires: has(topic).
  bool may_diff_chunks(TopicId topic) const;
  // The update from a snapshot with these chunks to the current version: a chunk diff, or full where that would not be
  // smaller or is too much work now. Valid until the next publish() or call. Requires: has(topic), held.is_valid().
  const EncodedUpdate& update_from_chunks(TimePoint now, TopicId topic, const HeldChunks& held, FullReason reason);

  // The next session that has something to send, or null. One at a time, because serving one may end another.
  // The order rotates, so that nobody is always the last to be served.
  ServerSession* next_ready();

  const BroadcastStats& stats() const { return stats_; }
  // Size of the current snapshot. Requires: has(topic).
  std::size_t snapshot_bytes(TopicId topic) const { return entry(topic).store.latest()->size_bytes(); }
  std::size_t history_bytes() const;

 private:
  friend class ServerSession;

  // Clients that were left behind together hold the same.
  struct ChunkDiff {
    HeldChunks held;
    FullReason reason;
    EncodedUpdate update;
  };
  struct Entry {
    explicit Entry(const Limits& limits) : store(limits) {}
    std::shared_ptr<const TopicInfo> info;
    SnapshotStore store;
    Version patch_base;  // of `patch`, which came with the update
    SharedBytes patch;
    bool continues = false;  // it is for those in the context
    std::shared_ptr<std::atomic<bool>> is_awaited;
    std::map<std::uint64_t, EncodedUpdate> patches;  // by base version
    std::optional<EncodedUpdate> in_context;         // the patch that came with the update
    SharedBytes full;                                // the patch from nothing to `full_version`, once it was asked for
    Version full_version;
    std::map<FullReason, EncodedUpdate> fulls;  // by reason; the body is `full`
    std::deque<ChunkDiff> chunk_diffs;          // the last ones
    std::vector<ServerSession*> subscribers;
  };

  // For sessions: interest, and readiness outside of publish (a slot in the rate opened, a resync).
  void add_subscriber(TopicId topic, ServerSession* session);
  void remove_subscriber(TopicId topic, ServerSession* session);
  void mark_ready(ServerSession* session);
  void forget(ServerSession* session);

  Entry& entry(TopicId topic);
  const Entry& entry(TopicId topic) const;
  const EncodedUpdate& full_update(Entry& entry, FullReason reason);
  bool may_reuse_full(const Entry& entry) const;

  const Limits& limits_;
  std::unordered_map<std::uint32_t, Entry> topics_;
  std::deque<ServerSession*> ready_;
  std::size_t rotation_ = 0;
  std::optional<TokenBucket> chunk_diff_bytes_;  // from the first one on
  BroadcastStats stats_;
};

}  // namespace libsync
