#include "libsync/broadcaster.h"

#include <algorithm>
#include <utility>

#include "libsync/patch.h"
#include "libsync/server_session.h"

namespace libsync {
namespace {

EncodedUpdate encode(const UpdateHeader& header, BytesView body, const Limits& limits) {
  EncodedUpdate update{header, encode_state_frames(header, body, limits), 0, false};
  for (const SharedBytes& frame : update.frames) update.size_bytes += frame->size();
  return update;
}

}  // namespace

void Broadcaster::publish(const TopicUpdate& update) {
  Entry& entry = topics_.try_emplace(update.topic->id.value, limits_).first->second;
  const bool same_epoch = entry.info != nullptr && entry.info->epoch == update.topic->epoch;
  const Version held = entry.store.latest_version();
  // The current state at first sight may arrive twice, when two sessions ask for the same topic.
  if (same_epoch && update.version <= held) return;
  const bool follows = same_epoch && update.patch != nullptr && update.base_version == held;
  if (!same_epoch) entry.store.clear();
  entry.info = update.topic;
  for (const VersionedSnapshot& older : update.history) {
    if (older.version > entry.store.latest_version()) entry.store.push_older(older);
  }
  // A way back is from the version that follows, whichever that is here.
  entry.store.push(update.version, update.snapshot, update.base_version == held ? update.step_back : nullptr,
                   update.published_at);
  entry.patches.clear();
  if (!same_epoch || !may_reuse_full(entry)) {
    entry.full = nullptr;
    entry.fulls.clear();
  }
  entry.chunk_diffs.clear();
  entry.in_context.reset();
  entry.continues = update.continues;
  entry.is_awaited = update.is_awaited;
  entry.patch = follows ? update.patch : nullptr;
  entry.patch_base = update.base_version;
  // Whoever is served last waits for all the others' sends; everybody takes that turn.
  const std::size_t count = entry.subscribers.size();
  for (std::size_t i = 0; i < count; ++i) mark_ready(entry.subscribers[(rotation_ + i) % count]);
  ++rotation_;
}

void Broadcaster::remove(TopicId topic, ErrorCode code) {
  const auto found = topics_.find(topic.value);
  if (found == topics_.end()) return;
  // Ending the topic makes a session leave the list, so it is walked as a copy.
  const std::vector<ServerSession*> subscribers = found->second.subscribers;
  for (ServerSession* session : subscribers) session->end_topic(topic, code);
  topics_.erase(found);
}

const TopicInfo* Broadcaster::info(TopicId topic) const {
  const auto found = topics_.find(topic.value);
  return found == topics_.end() ? nullptr : found->second.info.get();
}

Position Broadcaster::position(TopicId topic) const {
  const Entry& found = entry(topic);
  return {found.info->epoch, found.store.latest_version(), found.store.latest()->digest()};
}

FullReason Broadcaster::check_baseline(TopicId topic, const Position& have) const {
  const Entry& found = entry(topic);
  if (have.version.value == 0) return FullReason::kFirst;
  if (have.epoch != found.info->epoch) return FullReason::kEpochChanged;
  const std::optional<Digest> digest = found.store.find_digest(have.version);
  if (!digest) return FullReason::kBaselineGone;
  return *digest == have.digest ? FullReason::kNone : FullReason::kDigestMismatch;
}

const EncodedUpdate& Broadcaster::update_from(TopicId topic, Version base, FullReason reason, bool is_in_context) {
  Entry& found = entry(topic);
  if (reason != FullReason::kNone) return full_update(found, reason);
  const SnapshotPtr target = found.store.latest();
  UpdateHeader header;
  header.topic = topic;
  header.version = found.store.latest_version();
  header.kind = UpdateKind::kPatch;
  header.base_version = base;
  const bool keeps_pace = found.patch != nullptr && found.patch_base == base;
  if (keeps_pace && (is_in_context || !found.continues)) {
    if (found.patch->size() >= target->size_bytes()) return full_update(found, FullReason::kSmaller);
    if (found.in_context) {
      ++stats_.cache_hits;
    } else {
      found.in_context = encode(header, *found.patch, limits_);
      found.in_context->is_in_context = true;
    }
    return *found.in_context;
  }
  if (keeps_pace && found.is_awaited != nullptr) found.is_awaited->store(true);
  const auto cached = found.patches.find(base.value);
  if (cached != found.patches.end()) {
    ++stats_.cache_hits;
    return cached->second;
  }
  const SnapshotPtr baseline = found.store.find(base);
  if (baseline == nullptr) return full_update(found, FullReason::kBaselineGone);
  Bytes patch;
  make_patch(*baseline, *target, patch, limits_.patch_format);
  ++stats_.patches_encoded;
  if (patch.size() >= target->size_bytes()) return full_update(found, FullReason::kSmaller);
  return found.patches.emplace(base.value, encode(header, patch, limits_)).first->second;
}

const EncodedUpdate& Broadcaster::full_update(Entry& entry, FullReason reason) {
  // Nobody is taken back to a version before one that was held.
  const bool may_be_older =
      reason == FullReason::kFirst || reason == FullReason::kEpochChanged || reason == FullReason::kBaselineGone;
  if (!may_be_older && entry.full_version != entry.store.latest_version()) {
    entry.full = nullptr;
    entry.fulls.clear();
  }
  const auto cached = entry.fulls.find(reason);
  if (cached != entry.fulls.end()) {
    ++stats_.cache_hits;
    return cached->second;
  }
  if (entry.full == nullptr) {
    const Snapshot& snapshot = *entry.store.latest();
    const bool is_packed = snapshot.size_bytes() <= limits_.max_packed_bytes;
    auto body = std::make_shared<Bytes>();
    make_patch(*Snapshot::empty(), snapshot, *body, is_packed ? limits_.patch_format : std::uint8_t{1});
    entry.full = std::move(body);
    entry.full_version = entry.store.latest_version();
    ++stats_.fulls_encoded;
  }
  UpdateHeader header;
  header.topic = entry.info->id;
  header.version = entry.full_version;
  header.kind = UpdateKind::kFull;
  header.reason = reason;
  return entry.fulls.emplace(reason, encode(header, *entry.full, limits_)).first->second;
}

// Called with the next version in the store.
bool Broadcaster::may_reuse_full(const Entry& entry) const {
  // Smaller ones are made sooner than a patch that goes on from them.
  constexpr std::size_t kWorthReusing = 16u << 10;
  if (entry.full == nullptr || entry.full->size() < kWorthReusing) return false;
  const std::uint64_t age = entry.store.latest_version().value - entry.full_version.value;
  return age <= limits_.max_full_reuse_versions && entry.store.find_digest(entry.full_version).has_value();
}

bool Broadcaster::may_diff_chunks(TopicId topic) const { return snapshot_bytes(topic) >= limits_.min_chunk_diff_bytes; }

const EncodedUpdate& Broadcaster::update_from_chunks(TimePoint now, TopicId topic, const HeldChunks& held,
                                                     FullReason reason) {
  constexpr std::size_t kMaxCached = 4;
  Entry& found = entry(topic);
  const auto cached = std::find_if(found.chunk_diffs.begin(), found.chunk_diffs.end(),
                                   [&](const ChunkDiff& diff) { return diff.reason == reason && diff.held == held; });
  if (cached != found.chunk_diffs.end()) {
    ++stats_.cache_hits;
    return cached->update;
  }
  const Snapshot& target = *found.store.latest();
  if (!chunk_diff_bytes_) {
    const auto rate = static_cast<double>(std::max<std::size_t>(limits_.chunk_diff_bytes_per_second, 1));
    chunk_diff_bytes_.emplace(rate, rate, now);
  }
  if (!chunk_diff_bytes_->take(now, static_cast<double>(target.size_bytes()))) return full_update(found, reason);
  Bytes body;
  make_chunk_diff(held, target, body);
  ++stats_.chunk_diffs_encoded;
  // A full state may be compressed to half of its size, and many can share it.
  if (body.size() > target.size_bytes() / 2) return full_update(found, reason);
  UpdateHeader header;
  header.topic = topic;
  header.version = found.store.latest_version();
  header.kind = UpdateKind::kChunkDiff;
  header.reason = reason;
  if (found.chunk_diffs.size() == kMaxCached) found.chunk_diffs.pop_front();
  found.chunk_diffs.push_back({held, reason, encode(header, body, limits_)});
  return found.chunk_diffs.back().update;
}

ServerSession* Broadcaster::next_ready() {
  if (ready_.empty()) return nullptr;
  ServerSession* session = ready_.front();
  ready_.pop_front();
  session->in_ready_list_ = false;
  return session;
}

std::size_t Broadcaster::history_bytes() const {
  std::size_t total = 0;
  for (const auto& [id, entry] : topics_) total += entry.store.memory_bytes();
  return total;
}

void Broadcaster::add_subscriber(TopicId topic, ServerSession* session) { entry(topic).subscribers.push_back(session); }

void Broadcaster::remove_subscriber(TopicId topic, ServerSession* session) {
  const auto found = topics_.find(topic.value);
  if (found == topics_.end()) return;
  std::vector<ServerSession*>& subscribers = found->second.subscribers;
  const auto at = std::find(subscribers.begin(), subscribers.end(), session);
  if (at == subscribers.end()) return;
  *at = subscribers.back();
  subscribers.pop_back();
}

void Broadcaster::mark_ready(ServerSession* session) {
  if (session->in_ready_list_) return;
  session->in_ready_list_ = true;
  ready_.push_back(session);
}

void Broadcaster::forget(ServerSession* session) {
  if (session->in_ready_list_) std::erase(ready_, session);
}

Broadcaster::Entry& Broadcaster::entry(TopicId topic) {
  const auto found = topics_.find(topic.value);
  SYNC_ASSERT(found != topics_.end());
  return found->second;
}

const Broadcaster::Entry& Broadcaster::entry(TopicId topic) const {
  const auto found = topics_.find(topic.value);
  SYNC_ASSERT(found != topics_.end());
  return found->second;
}

}  // namespace libsync
