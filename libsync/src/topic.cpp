#include "libsync/topic.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "libsync/patch.h"

namespace libsync {

Topic::Topic(TopicInfo info, const Limits& limits)
    : limits_(limits), info_(std::make_shared<const TopicInfo>(std::move(info))) {}

Topic::Topic(TopicInfo info, const Limits& limits, Version version, Bytes snapshot) : Topic(std::move(info), limits) {
  version_ = version;
  snapshot_ = Snapshot::take(std::move(snapshot));
}

Result<std::optional<TopicUpdate>> Topic::publish(BytesView snapshot) {
  if (snapshot.size() > limits_.max_snapshot_bytes) {
    return Error{ErrorCode::kSnapshotTooBig, "topic " + info_->name + ": snapshot above the limit"};
  }
  if (snapshot_ != nullptr && snapshot.size() == snapshot_->size_bytes() &&
      std::equal(snapshot.begin(), snapshot.end(), snapshot_->bytes().begin())) {
    return std::optional<TopicUpdate>();
  }
  SnapshotPtr next = Snapshot::take(Bytes(snapshot.begin(), snapshot.end()), snapshot_.get());
  TopicUpdate update;
  update.topic = info_;
  update.version = Version{version_.value + 1};
  update.snapshot = next;
  if (snapshot_ != nullptr) {
    auto patch = std::make_shared<Bytes>();
    make_patch(*snapshot_, *next, *patch);
    update.base_version = version_;
    update.patch = std::move(patch);
  }
  version_ = update.version;
  snapshot_ = std::move(next);
  return std::optional<TopicUpdate>(std::move(update));
}

TopicUpdate Topic::current() const {
  SYNC_ASSERT(snapshot_ != nullptr);
  TopicUpdate update;
  update.topic = info_;
  update.version = version_;
  update.snapshot = snapshot_;
  return update;
}

Position Topic::position() const {
  return {info_->epoch, version_, snapshot_ != nullptr ? snapshot_->digest() : Digest{}};
}

}  // namespace libsync
