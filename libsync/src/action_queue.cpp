#include "libsync/action_queue.h"

#include <algorithm>
#include <utility>

namespace libsync {
namespace {

constexpr Duration kMinRetry = std::chrono::milliseconds(50);

}  // namespace

void ActionQueue::restore(std::uint64_t base, Sequence confirmed, std::vector<Stored> actions, bool may_be_sent) {
  base_ = base;
  front_ = next_ = ActionId{base + confirmed.value + 1};
  durable_ = confirmed;
  for (Stored& stored : actions) {
    size_bytes_ += stored.payload.size();
    // One that is withdrawn was refused; whether the application heard of it before the process ended is not known.
    entries_.push_back({std::move(stored.payload), true, stored.is_withdrawn, false, false});
  }
  max_sent_ = ActionId{front_.value - 1 + (may_be_sent ? entries_.size() : 0)};
}

ActionQueue::Entry* ActionQueue::find(ActionId id) {
  if (id < front_ || id.value - front_.value >= entries_.size()) return nullptr;
  return &entries_[id.value - front_.value];
}

BytesView ActionQueue::payload(ActionId id) const {
  if (id < front_ || id.value - front_.value >= entries_.size()) return {};
  return entries_[id.value - front_.value].payload;
}

Result<ActionId> ActionQueue::add(Bytes payload) {
  if (entries_.size() >= bounds_.max_actions || size_bytes_ + payload.size() > bounds_.max_bytes) {
    return Error{ErrorCode::kTooManyActions, "too many actions wait already"};
  }
  size_bytes_ += payload.size();
  entries_.push_back({std::move(payload)});
  return ActionId{front_.value + entries_.size() - 1};
}

void ActionQueue::stored(ActionId id) {
  if (Entry* entry = find(id)) entry->is_stored = true;
}

void ActionQueue::withdraw(ActionId id) {
  Entry* entry = find(id);
  if (entry == nullptr) return;
  entry->is_stored = true;
  entry->is_withdrawn = entry->was_refused = true;
  size_bytes_ -= entry->payload.size();
  entry->payload.clear();
}

bool ActionQueue::begin(Sequence last) {
  const std::uint64_t n_known = front_.value - 1 - base_ + entries_.size();
  if (last < confirmed() || last < durable_ || last.value > n_known) return false;
  blocked_until_ = TimePoint::min();
  next_ = ActionId{base_ + last.value + 1};
  max_sent_ = std::max(max_sent_, ActionId{next_.value - 1});
  // What was answered and is not there any more went with a crash of the server, before it was durable.
  for (ActionId id = std::max(next_, front_); Entry* entry = find(id); ++id.value) entry->is_answered = false;
  return true;
}

ActionQueue::Taken ActionQueue::take_result(TimePoint now, const protocol::ActionResultT& result) {
  const ActionId id = id_of(Sequence{result.action_sequence});
  Entry* entry = find(id);
  if (entry == nullptr || id > max_sent_) return Taken::kNothing;
  if (result.status >= ActionStatus::kFailed) {
    if (result.code == ErrorCode::kActionConflict) return Taken::kConflict;
    if (entry->is_answered) return Taken::kNothing;
    next_ = std::min(next_, id);
    blocked_until_ =
        std::max(blocked_until_, now + std::max<Duration>(std::chrono::milliseconds(result.retry_after_ms), kMinRetry));
    return Taken::kAgain;
  }
  if (result.durable) durable_.value = std::max(durable_.value, result.action_sequence);
  const bool was_answered = std::exchange(entry->is_answered, true);
  if (was_answered || entry->was_refused) return Taken::kNothing;
  if (result.status == ActionStatus::kAccepted || entry->is_withdrawn) return Taken::kAnswered;
  withdraw(id);
  return Taken::kRefused;
}

bool ActionQueue::take_durable(Sequence sequence) {
  if (id_of(sequence) > max_sent_) return false;
  durable_ = std::max(durable_, sequence);
  return true;
}

std::vector<ActionId> ActionQueue::settle() {
  std::vector<ActionId> settled;
  while (!entries_.empty() && entries_.front().is_answered && front_ <= id_of(durable_)) {
    settled.push_back(front_);
    size_bytes_ -= entries_.front().payload.size();
    entries_.pop_front();
    ++front_.value;
  }
  next_ = std::max(next_, front_);
  return settled;
}

std::vector<ActionId> ActionQueue::renounce() {
  std::vector<ActionId> unknown;
  while (!entries_.empty() && front_ <= max_sent_) {
    // One that was refused, and that the application knows to be, stays refused.
    if (!entries_.front().is_withdrawn) unknown.push_back(front_);
    size_bytes_ -= entries_.front().payload.size();
    entries_.pop_front();
    ++front_.value;
  }
  base_ = front_.value - 1;
  next_ = front_;
  max_sent_ = ActionId{base_};
  durable_ = Sequence{};
  for (Entry& entry : entries_) entry.is_answered = false;
  return unknown;
}

bool ActionQueue::may_send(TimePoint now, std::uint32_t window) const {
  const std::uint64_t at = next_.value - front_.value;
  return at < entries_.size() && entries_[at].is_stored && at < window && now >= blocked_until_;
}

std::optional<ActionQueue::Outgoing> ActionQueue::next(TimePoint now, std::uint32_t window) {
  if (!may_send(now, window)) return std::nullopt;
  const Entry& entry = entries_[next_.value - front_.value];
  max_sent_ = std::max(max_sent_, next_);
  const Sequence sequence{next_.value - base_};
  ++next_.value;
  return Outgoing{sequence, entry.payload, entry.is_withdrawn};
}

TimePoint ActionQueue::next_at(TimePoint now, std::uint32_t window) const {
  if (now >= blocked_until_ || !may_send(blocked_until_, window)) return TimePoint::max();
  return blocked_until_;
}

}  // namespace libsync
