#include "libsync/topic.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libsync/patch.h"

namespace libsync {

Topic::Topic(TopicInfo info, const Limits& limits)
    : limits_(limits),
      info_(std::make_shared<const TopicInfo>(std::move(info))),
      store_(limits),
      is_awaited_(std::make_shared<std::atomic<bool>>(false)) {}

Topic::Topic(TopicInfo info, const Limits& limits, Version version, Bytes snapshot) : Topic(std::move(info), limits) {
  store_.push(version, Snapshot::take(std::move(snapshot)));
}

Result<std::optional<TopicUpdate>> Topic::publish(BytesView snapshot, TimePoint now) {
  if (snapshot.size() > limits_.max_snapshot_bytes) {
    return Error{ErrorCode::kSnapshotTooBig, "topic " + info_->name + ": snapshot above the limit"};
  }
  const SnapshotPtr current = store_.latest();
  if (current != nullptr && snapshot.size() == current->size_bytes() &&
      std::equal(snapshot.begin(), snapshot.end(), current->bytes().begin())) {
    return std::optional<TopicUpdate>();
  }
  SnapshotPtr next = Snapshot::take(Bytes(snapshot.begin(), snapshot.end()), current.get());
  TopicUpdate update;
  update.topic = info_;
  update.version = Version{store_.latest_version().value + 1};
  update.snapshot = next;
  update.is_awaited = is_awaited_;
  update.published_at = now;
  if (current != nullptr) {
    auto patch = std::make_shared<Bytes>();
    // Beginning anew costs all receivers; those who came late wait a little for each other.
    if (n_in_context_ >= limits_.min_patches_per_context && is_awaited_->exchange(false)) context_.close();
    update.continues = context_.is_at(*current);
    n_in_context_ = update.continues ? n_in_context_ + 1 : 0;
    make_patch(*current, *next, *patch, limits_.patch_format, &context_);
    update.base_version = store_.latest_version();
    update.patch = std::move(patch);
    update.step_back = StepBack::between(*next, *current);
  }
  store_.push(update.version, std::move(next), update.step_back, now);
  return std::optional<TopicUpdate>(std::move(update));
}

TopicUpdate Topic::current() const {
  SYNC_ASSERT(store_.size() > 0);
  TopicUpdate update;
  update.topic = info_;
  update.version = store_.latest_version();
  update.snapshot = store_.latest();
  update.is_awaited = is_awaited_;
  update.published_at = store_.versions().back().published_at;
  update.history.assign(store_.versions().begin(), store_.versions().end() - 1);
  return update;
}

Position Topic::position() const {
  const SnapshotPtr current = store_.latest();
  return {info_->epoch, store_.latest_version(), current != nullptr ? current->digest() : Digest{}};
}

}  // namespace libsync
