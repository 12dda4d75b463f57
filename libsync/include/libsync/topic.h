// topic.h: one independently versioned state: its name, class and priority, its current snapshot and history.
// Lives where the state is made (the game thread). What it publishes is immutable and goes to every shard.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libsync/limits.h"
#include "libsync/patch_context.h"
#include "libsync/result.h"
#include "libsync/snapshot.h"
#include "libsync/snapshot_store.h"
#include "libsync/types.h"

namespace libsync {

// Strict order when bytes are short: a player's own state before what is near before the rest.
enum class TopicClass : std::uint8_t { kOwn, kNear, kBulk };

struct TopicInfo {
  TopicId id;
  std::string name;  // "world", "player/alice"
  Epoch epoch;
  TopicClass topic_class = TopicClass::kBulk;
  std::uint8_t priority = 128;  // relative weight within the class
};

// One step of a topic. Everything in it is shared and immutable, so that it may be posted to any thread.
struct TopicUpdate {
  std::shared_ptr<const TopicInfo> topic;
  Version version;
  SnapshotPtr snapshot;
  std::shared_ptr<const StepBack> step_back;  // to the version before; null: that one is kept whole
  TimePoint published_at;
  // The patch from the previous version, encoded once for all. Null for the first version of an epoch.
  Version base_version;
  SharedBytes patch;
  // `patch` continues the topic's context: only for those who have had every patch since one that did not.
  bool continues = false;
  // To be set by any thread: someone who keeps pace is not in the context and waits for a patch that begins one.
  std::shared_ptr<std::atomic<bool>> is_awaited;
  // For a shard that meets the topic for the first time: the versions before this one that are still in history,
  // ascending, so that a returning client finds its baseline wherever its connection lands.
  std::vector<VersionedSnapshot> history;
};

class Topic {
 public:
  // Requires: `limits` outlives the topic.
  Topic(TopicInfo info, const Limits& limits);
  // Continues an epoch that was saved after its last version had been published.
  Topic(TopicInfo info, const Limits& limits, Version version, Bytes snapshot);

  // Takes the topic's state as it is now. Nothing if the bytes did not change; otherwise the next version. `now`: for
  // the age of history; whoever leaves it out has it bounded by count and bytes alone.
  // Errors: kSnapshotTooBig; the topic stays as it was.
  [[nodiscard]] Result<std::optional<TopicUpdate>> publish(BytesView snapshot, TimePoint now = {});

  // The current version as an update without a patch and with history, for a shard that meets the topic for the first
  // time. Snapshots are shared, not copied.
  // Requires: position().version is not zero.
  TopicUpdate current() const;

  const TopicInfo& info() const { return *info_; }
  // What a client that is up to date holds. Version zero before the first publish.
  Position position() const;
  // Null before the first publish.
  SnapshotPtr snapshot() const { return store_.latest(); }

 private:
  const Limits& limits_;
  std::shared_ptr<const TopicInfo> info_;
  SnapshotStore store_;
  PatchContext context_;
  std::uint32_t n_in_context_ = 0;  // patches since it began
  std::shared_ptr<std::atomic<bool>> is_awaited_;
};

}  // namespace libsync
