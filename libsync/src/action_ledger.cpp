#include "libsync/action_ledger.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "libsync/fingerprint.h"
#include "libsync/ledger_generated.h"

namespace libsync {
namespace {

constexpr std::string_view kInstancePrefix = "instance/";
constexpr std::string_view kHorizonKey = "horizon";
constexpr std::string_view kHorizonPrefix = "horizon/";
// What an executed action costs in memory and on disk beside its result.
constexpr std::size_t kActionBytes = 64;

std::string hex(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(16, '0');
  for (std::size_t i = 16; i-- > 0; value >>= 4) text[i] = kDigits[value & 15];
  return text;
}

std::string record_key(const InstanceKey& key) {
  return std::string(kInstancePrefix) + hex(key.instance.high()) + hex(key.instance.low()) + "/" + key.user;
}
std::string horizon_key(const std::string& user) {
  return user.empty() ? std::string(kHorizonKey) : std::string(kHorizonPrefix) + user;
}

bool is_same(const protocol::Id128& a, const protocol::Id128& b) { return a.low() == b.low() && a.high() == b.high(); }

std::size_t size_of(const ExecutedAction& action) {
  std::size_t size = kActionBytes + action.result.message.size() + action.result.payload.size();
  for (const std::string& topic : action.visible_in) size += topic.size();
  return size;
}

template <typename ContentT>
Bytes encode(ContentT content) {
  ledger::RecordT record;
  record.content.Set(std::move(content));
  flatbuffers::FlatBufferBuilder builder;
  ledger::FinishRecordBuffer(builder, ledger::Record::Pack(builder, &record));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return Bytes(begin, begin + builder.GetSize());
}

Error unknown(const char* why) { return Error{ErrorCode::kUnknownInstance, why}; }
Error unusable(const ActionLedger::Record& record, const char* why) {
  return Error{ErrorCode::kMalformed, "ledger record \"" + record.key + "\": " + why};
}

}  // namespace

// --- An instance -------------------------------------------------------------------------------------------

Result<bool> ActionLedger::check_known(const InstanceKey& key, const InstanceClaim& claim) const {
  const auto at = instances_.find(key);
  const Sequence last = at == instances_.end() ? Sequence{} : at->second.last;
  if (claim.is_new) {
    if (last.value != 0) return unknown("an instance that has acted says that it is new");
    return true;
  }
  if (!is_same(claim.ledger, id_)) return unknown("the instance knows another ledger than this one");
  const Sequence durable = at == instances_.end() ? Sequence{} : at->second.durable;
  if (claim.confirmed > durable) return unknown("actions that were durable are not known any more");
  if (at != instances_.end()) return true;
  const auto of_user = forgotten_of_.find(key.user);
  if (claim.first_seen_ms <= forgotten_ms_ ||
      (of_user != forgotten_of_.end() && claim.first_seen_ms <= of_user->second)) {
    return unknown("the instance may have been forgotten");
  }
  return true;  // nothing of its age was ever forgotten, so it has not acted
}

Result<InstanceState> ActionLedger::open(const InstanceKey& key, const InstanceClaim& claim, std::uint64_t now_ms) {
  const Result<bool> is_known = check_known(key, claim);
  if (!is_known) return is_known.error();
  const auto [at, is_added] = instances_.try_emplace(key);
  Entry& entry = at->second;
  if (is_added) {
    // Never one of those that were forgotten, however the wall clock went.
    const auto of_user = forgotten_of_.find(key.user);
    const std::uint64_t forgotten = std::max(forgotten_ms_, of_user == forgotten_of_.end() ? 0 : of_user->second);
    entry.first_seen_ms = claim.is_new ? std::max(now_ms, forgotten + 1) : claim.first_seen_ms;
  }
  entry.is_open = true;
  confirm(key, claim.confirmed);
  return InstanceState{entry.last, entry.durable, entry.first_seen_ms};
}

void ActionLedger::close(const InstanceKey& key) {
  const auto at = instances_.find(key);
  if (at == instances_.end()) return;
  at->second.is_open = false;
  if (at->second.use == 0) instances_.erase(at);  // has not acted: there is nothing to know
}

// --- Actions -----------------------------------------------------------------------------------------------

Result<ActionLedger::Verdict> ActionLedger::decide(const InstanceKey& key, Sequence sequence, BytesView payload,
                                                   bool withdrawn, std::uint64_t now_ms) {
  const auto at = instances_.find(key);
  if (at == instances_.end() || !at->second.is_open) return unknown("the instance has no connection");
  const Entry& entry = at->second;
  if (sequence <= entry.confirmed) return Error{ErrorCode::kActionSequence, "the action has ended, as was confirmed"};
  if (sequence <= entry.last) {
    const ExecutedAction& executed = entry.actions[sequence.value - entry.confirmed.value - 1];
    if (!withdrawn && executed.payload_digest != xxh3_64(payload)) {
      return Error{ErrorCode::kActionConflict, "the sequence was used for another action"};
    }
    return Verdict::kRepeat;
  }
  if (sequence.value != entry.last.value + 1) {
    return Error{ErrorCode::kActionSequence,
                 "action " + std::to_string(sequence.value) + " after " + std::to_string(entry.last.value)};
  }
  if (is_failing_) return Error{ErrorCode::kStoreUnavailable, "nothing can be made durable"};
  if (entry.actions.size() >= limits_.max_actions_in_flight || entry.result_bytes >= limits_.max_result_bytes) {
    return Error{ErrorCode::kTooManyActions, "results wait to be confirmed"};
  }
  if (!withdrawn) return Verdict::kExecute;
  ExecutedAction refused;
  refused.result.status = ActionStatus::kRefused;
  refused.result.code = ErrorCode::kActionRefused;
  refused.result.message = "withdrawn by the client";
  executed(key, sequence, payload, std::move(refused), now_ms);
  return Verdict::kRepeat;
}

void ActionLedger::executed(const InstanceKey& key, Sequence sequence, BytesView payload, ExecutedAction action,
                            std::uint64_t now_ms) {
  const auto at = instances_.find(key);
  SYNC_ASSERT(at != instances_.end() && sequence.value == at->second.last.value + 1);
  SYNC_ASSERT(action.result.status != ActionStatus::kFailed);
  Entry& entry = at->second;
  action.result.action_sequence = sequence.value;
  action.payload_digest = xxh3_64(payload);
  const std::size_t size = size_of(action);
  entry.last = sequence;
  entry.result_bytes += size;
  result_bytes_ += size;
  entry.actions.push_back(std::move(action));
  changed_.insert(key);
  removed_.erase(record_key(key));
  touch(at, now_ms);
  forget_unused(key.user, now_ms);
}

const ExecutedAction* ActionLedger::find(const InstanceKey& key, Sequence sequence) const {
  const auto at = instances_.find(key);
  if (at == instances_.end()) return nullptr;
  const Entry& entry = at->second;
  if (sequence <= entry.confirmed || sequence > entry.last) return nullptr;
  return &entry.actions[sequence.value - entry.confirmed.value - 1];
}

bool ActionLedger::is_durable(const InstanceKey& key, Sequence sequence) const {
  const auto at = instances_.find(key);
  return at != instances_.end() && sequence <= at->second.durable;
}

void ActionLedger::confirm(const InstanceKey& key, Sequence sequence) {
  const auto at = instances_.find(key);
  if (at == instances_.end()) return;
  Entry& entry = at->second;
  // Not written for its own sake: a result that comes back from the store is dropped by the next Hello.
  while (entry.confirmed < std::min(sequence, entry.durable)) {
    const std::size_t size = size_of(entry.actions.front());
    entry.result_bytes -= size;
    result_bytes_ -= size;
    entry.actions.pop_front();
    ++entry.confirmed.value;
  }
}

// --- Forgetting --------------------------------------------------------------------------------------------

void ActionLedger::touch(Entries::iterator at, std::uint64_t now_ms) {
  Entry& entry = at->second;
  if (entry.use != 0) by_use_.erase(entry.use);
  entry.use = ++last_use_;
  entry.last_used_ms = now_ms;
  by_use_.emplace(entry.use, at->first);
}

void ActionLedger::forget_unused(const std::string& user, std::uint64_t now_ms) {
  const auto horizon_ms = static_cast<std::uint64_t>(limits_.instance_horizon.count() / 1000);
  // Whoever is connected is in use; connections have bounds of their own.
  for (std::size_t n = by_use_.size(); n > 0; --n) {
    const auto at = instances_.find(by_use_.begin()->second);
    const bool is_old = at->second.last_used_ms + horizon_ms < now_ms;
    if (!is_old && by_use_.size() <= limits_.max_instances) break;
    if (at->second.is_open) {
      touch(at, now_ms);
    } else {
      forget(at);
    }
  }
  std::size_t n_of_user = 0;
  auto oldest = instances_.end();
  for (auto at = instances_.lower_bound({user, {}}); at != instances_.end() && at->first.user == user; ++at) {
    if (at->second.use == 0) continue;
    ++n_of_user;
    if (!at->second.is_open && (oldest == instances_.end() || at->second.use < oldest->second.use)) oldest = at;
  }
  if (n_of_user > limits_.max_instances_per_user && oldest != instances_.end()) forget(oldest);
}

void ActionLedger::forget(Entries::iterator at) {
  const InstanceKey key = at->first;
  const std::uint64_t first_seen_ms = at->second.first_seen_ms;
  result_bytes_ -= at->second.result_bytes;
  by_use_.erase(at->second.use);
  instances_.erase(at);
  changed_.erase(key);
  removed_.insert(record_key(key));

  std::uint64_t& of_user = forgotten_of_[key.user];
  of_user = std::max(of_user, first_seen_ms);
  const auto other = instances_.lower_bound({key.user, {}});
  if (other != instances_.end() && other->first.user == key.user) {
    changed_horizons_.insert(key.user);
    removed_.erase(horizon_key(key.user));
    return;
  }
  // The user's last one: what is kept of him alone would be kept for ever.
  forgotten_ms_ = std::max(forgotten_ms_, of_user);
  horizons_changed_ = true;
  forgotten_of_.erase(key.user);
  changed_horizons_.erase(key.user);
  removed_.insert(horizon_key(key.user));
}

// --- The store's side --------------------------------------------------------------------------------------

ActionLedger::Changes ActionLedger::take_changes() {
  SYNC_ASSERT(committing_.empty() && committing_removed_.empty() && committing_horizons_.empty());
  Changes changes;
  for (const InstanceKey& key : changed_) {
    Entry& entry = instances_.find(key)->second;
    ledger::InstanceT stored;
    stored.user = key.user;
    stored.instance = std::make_unique<protocol::Id128>(key.instance);
    stored.first_seen_ms = entry.first_seen_ms;
    stored.last_used_ms = entry.last_used_ms;
    stored.last_action = entry.last.value;
    stored.confirmed_action = entry.confirmed.value;
    for (const ExecutedAction& action : entry.actions) {
      auto result = std::make_unique<ledger::StoredResultT>();
      result->action_sequence = action.result.action_sequence;
      result->payload_digest = action.payload_digest;
      result->status = action.result.status;
      result->code = action.result.code;
      result->message = action.result.message;
      result->payload = action.result.payload;
      result->visible_in = action.visible_in;
      stored.results.push_back(std::move(result));
    }
    changes.records.push_back({record_key(key), encode(std::move(stored))});
    entry.committing = entry.last;
    committing_.push_back(key);
  }
  const auto add_horizon = [&](const std::string& user, std::uint64_t forgotten_ms) {
    ledger::HorizonT horizon;
    if (user.empty()) horizon.ledger = std::make_unique<protocol::Id128>(id_);
    horizon.user = user;
    horizon.forgotten_ms = forgotten_ms;
    committing_horizons_.push_back(user);
    changes.records.push_back({horizon_key(user), encode(std::move(horizon))});
  };
  if (horizons_changed_) add_horizon({}, forgotten_ms_);
  for (const std::string& user : changed_horizons_) add_horizon(user, forgotten_of_[user]);
  changes.removed.assign(removed_.begin(), removed_.end());
  committing_removed_ = changes.removed;
  changed_.clear();
  changed_horizons_.clear();
  horizons_changed_ = false;
  removed_.clear();
  return changes;
}

std::vector<ActionLedger::NowDurable> ActionLedger::committed(bool succeeded) {
  std::vector<NowDurable> now_durable;
  is_failing_ = !succeeded;
  const std::vector<std::string> removed = std::exchange(committing_removed_, {});
  const std::vector<std::string> horizons = std::exchange(committing_horizons_, {});
  for (const InstanceKey& key : std::exchange(committing_, {})) {
    const auto at = instances_.find(key);
    if (at == instances_.end()) continue;  // forgotten meanwhile
    if (!succeeded) {
      changed_.insert(key);
    } else if (at->second.durable < at->second.committing) {
      at->second.durable = at->second.committing;
      now_durable.push_back({key, at->second.durable});
    }
  }
  if (succeeded) return now_durable;
  removed_.insert(removed.begin(), removed.end());
  for (const InstanceKey& key : changed_) removed_.erase(record_key(key));  // those that have come again since
  for (const std::string& user : horizons) {
    if (user.empty()) horizons_changed_ = true;
    if (forgotten_of_.contains(user)) changed_horizons_.insert(user);
  }
  for (const std::string& user : changed_horizons_) removed_.erase(horizon_key(user));
  return now_durable;
}

Result<bool> ActionLedger::load_record(const Record& record) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(record.value.data());
  if (record.value.size() < 8 || !ledger::RecordBufferHasIdentifier(data)) return unusable(record, "not a record");
  // A table for each result, and those around them.
  flatbuffers::Verifier verifier(data, record.value.size(), 8, 8 + limits_.max_actions_in_flight);
  if (!ledger::VerifyRecordBuffer(verifier)) return unusable(record, "not a record, or too many results");
  const ledger::Record& root = *ledger::GetRecord(data);
  if (const ledger::Horizon* horizon = root.content_as_Horizon()) {
    if (horizon->ledger() != nullptr) {
      if (record.key != kHorizonKey) return unusable(record, "the ledger's own under another key");
      id_ = *horizon->ledger();
      forgotten_ms_ = horizon->forgotten_ms();
      horizons_changed_ = false;
      return true;
    }
    const std::string user = horizon->user() == nullptr ? std::string() : horizon->user()->str();
    if (user.empty() || record.key != horizon_key(user)) return unusable(record, "the user is another one");
    forgotten_of_[user] = horizon->forgotten_ms();
    return true;
  }
  const ledger::Instance* stored = root.content_as_Instance();
  if (stored == nullptr) return unusable(record, "unknown content");
  const InstanceKey key{stored->user()->str(), *stored->instance()};
  if (record.key != record_key(key)) return unusable(record, "the instance is another one");
  Entry entry;
  entry.first_seen_ms = stored->first_seen_ms();
  entry.last_used_ms = stored->last_used_ms();
  entry.last.value = stored->last_action();
  entry.confirmed.value = stored->confirmed_action();
  entry.committing = entry.durable = entry.last;
  const std::size_t n = stored->results() == nullptr ? 0 : stored->results()->size();
  if (entry.last.value == 0 || entry.confirmed > entry.last || entry.last.value - entry.confirmed.value != n) {
    return unusable(record, "not all results, or too many");
  }
  for (std::size_t i = 0; i < n; ++i) {
    const ledger::StoredResult& result = *stored->results()->Get(static_cast<flatbuffers::uoffset_t>(i));
    if (result.action_sequence() != entry.confirmed.value + 1 + i || result.status() >= ActionStatus::kFailed) {
      return unusable(record, "a result that cannot be");
    }
    ExecutedAction action;
    action.result.action_sequence = result.action_sequence();
    action.result.status = result.status();
    action.result.code = result.code();
    if (result.message() != nullptr) action.result.message = result.message()->str();
    if (result.payload() != nullptr) action.result.payload.assign(result.payload()->begin(), result.payload()->end());
    if (result.visible_in() != nullptr) {
      for (const auto* topic : *result.visible_in()) action.visible_in.push_back(topic->str());
    }
    action.payload_digest = result.payload_digest();
    entry.result_bytes += size_of(action);
    entry.actions.push_back(std::move(action));
  }
  result_bytes_ += entry.result_bytes;
  instances_.emplace(key, std::move(entry));
  return true;
}

Result<bool> ActionLedger::load(std::span<const Record> records) {
  for (const Record& record : records) {
    Result<bool> loaded = load_record(record);
    if (!loaded) return loaded;
  }
  // Instances under a horizon that was lost would be executed again.
  if (horizons_changed_ && !records.empty()) {
    return Error{ErrorCode::kMalformed, "ledger: the record \"horizon\" is missing"};
  }
  std::vector<Entries::iterator> by_time;
  for (auto at = instances_.begin(); at != instances_.end(); ++at) by_time.push_back(at);
  std::stable_sort(by_time.begin(), by_time.end(),
                   [](const auto& a, const auto& b) { return a->second.last_used_ms < b->second.last_used_ms; });
  for (const Entries::iterator& at : by_time) touch(at, at->second.last_used_ms);
  return true;
}

}  // namespace libsync
