#include "room.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace libsync::server {
namespace {

// When an action that was not executed may be sent again.
constexpr Duration kRetryOverload = std::chrono::milliseconds(500);
constexpr Duration kRetryStore = std::chrono::seconds(2);

}  // namespace

Room::Room(Game& game, Store& store, const Limits& limits, Log& log, const RoomConfig& config, Deliver deliver,
           MakeRandom random, Saver::Post post, Clocks clocks)
    : game_(game),
      limits_(limits),
      log_(log),
      config_(config),
      deliver_(std::move(deliver)),
      random_(std::move(random)),
      clocks_(std::move(clocks)),
      ledger_(limits, protocol::Id128(random_(), random_())),
      saver_(
          store, ledger_, std::move(post), [&game] { return game.save(); },
          [this](const std::vector<ActionLedger::NowDurable>& all) {
            for (const ActionLedger::NowDurable& durable : all) {
              const Speaker* to = speaker(durable.key);
              if (to != nullptr) tell(to->connection.shard, DurableAnswer{to->connection.connection, durable.sequence});
            }
            flush();
          }),
      outbox_(config.n_shards) {}

Result<bool> Room::start() {
  Result<Saver::Loaded> loaded = saver_.load();
  if (!loaded) return loaded.error();
  // A game that cannot read its save must not run: its next save would replace it.
  Result<bool> taken = game_.load(loaded->game);
  if (!taken) return taken.error();
  saved_topics_ = std::move(loaded->topics);
  refresh_topics();
  log_.info(*taken ? "loaded " + std::to_string(loaded->game.size()) + " records, the last stop was " +
                         (saved_topics_.empty() ? "not clean: new epochs" : "clean: epochs go on")
                   : std::string("nothing saved yet: a new game"));
  return taken;
}

void Room::join(const std::string& user) {
  if (stopped_) return;
  ++stats_.users;
  game_.join(user);
  refresh_topics();
  flush();
}

void Room::leave(const std::string& user) {
  if (stopped_) return;
  --stats_.users;
  game_.leave(user);
  refresh_topics();
  flush();
}

// --- Topics ------------------------------------------------------------------------------------------------

void Room::refresh_topics() {
  ++round_;
  for (const TopicSpec& spec : game_.topics()) {
    const auto found = topics_.find(spec.name);
    if (found == topics_.end()) {
      add_topic(spec);
    } else {
      found->second->seen = round_;
      found->second->gone = false;
    }
  }
  for (auto& [name, entry] : topics_) {
    if (entry->seen != round_ && !entry->gone) retire(*entry);
  }
}

void Room::retire(Entry& entry) {
  entry.gone = true;
  for (std::uint32_t shard = 0; shard < config_.n_shards; ++shard) {
    if (entry.held[shard]) tell(shard, TopicRemoved{entry.topic.info().id, ErrorCode::kUnknownTopic});
    entry.held[shard] = false;
  }
  retired_.emplace_back(entry.topic.info().id, stats_.ticks);
}

void Room::forget_retired() {
  while (!retired_.empty()) {
    const TopicId topic = retired_.front().first;
    const std::uint64_t since = retired_.front().second;
    const bool full = retired_.size() > config_.max_retired_topics;
    if (!full && stats_.ticks - since < config_.ticks_until_forgotten) return;
    retired_.pop_front();
    const auto found = by_id_.find(topic.value);
    // It may have come back, or gone a second time since.
    const bool again =
        std::any_of(retired_.begin(), retired_.end(), [&](const auto& item) { return item.first == topic; });
    if (found == by_id_.end() || !found->second->gone || again) continue;
    const std::string name = found->second->topic.info().name;
    by_id_.erase(found);
    topics_.erase(name);
  }
}

Room::Entry* Room::find(const std::string& name) {
  const auto found = topics_.find(name);
  return found == topics_.end() || found->second->gone ? nullptr : found->second.get();
}

void Room::add_topic(const TopicSpec& spec) {
  TopicInfo info;
  info.id.value = ++last_id_;
  info.name = spec.name;
  info.topic_class = spec.topic_class;
  info.priority = spec.priority;
  std::unique_ptr<Entry> entry;
  auto saved = saved_topics_.extract(spec.name);
  if (!saved.empty() && saved.mapped().snapshot.size() <= limits_.max_snapshot_bytes) {
    info.epoch = saved.mapped().epoch;
    entry = std::make_unique<Entry>(std::move(info), limits_, std::move(saved.mapped()));
  } else {
    while (info.epoch.value == 0) info.epoch.value = random_();
    entry = std::make_unique<Entry>(std::move(info), limits_);
  }
  entry->subscriptions.resize(config_.n_shards);
  entry->held.resize(config_.n_shards);
  entry->seen = round_;
  entry->stats.name = spec.name;
  by_id_[last_id_] = entry.get();
  topics_.emplace(spec.name, std::move(entry));
}

void Room::publish(Entry& entry) {
  Result<std::optional<TopicUpdate>> published =
      entry.topic.publish(game_.snapshot(entry.topic.info().name), clocks_.steady());
  if (!published) {
    if (!std::exchange(entry.too_big, true)) {
      log_.error("topic " + entry.topic.info().name + " stands still: " + published.error().detail,
                 published.error().code);
    }
    return;
  }
  entry.too_big = false;
  if (!published->has_value()) return;
  const TopicUpdate& update = **published;
  ++entry.stats.updates;
  entry.stats.patch_bytes_total += update.patch ? update.patch->size() : 0;
  entry.stats.full_bytes_total += update.snapshot->size_bytes();
  for (std::uint32_t shard = 0; shard < config_.n_shards; ++shard) {
    if (entry.held[shard]) tell(shard, update);
  }
}

// A topic that nobody looks at costs nothing; it is published when somebody comes, as a step from what was seen last.
void Room::publish_all() {
  for (auto& [name, entry] : topics_) {
    const bool watched = std::find(entry->held.begin(), entry->held.end(), true) != entry->held.end();
    if (!entry->gone && (watched || entry->asked_for)) publish(*entry);
    entry->asked_for = false;
  }
}

void Room::refuse_subscription(ConnectionRef from, const std::string& name, ErrorCode code,
                               const std::string& message) {
  tell(from.shard, SubscriptionAnswer{from.connection, name, std::nullopt, code, message});
  flush();
}

void Room::subscribe(ConnectionRef from, const std::string& user, const std::string& name) {
  if (stopped_) return;
  if (!game_.may_subscribe(user, name)) {
    return refuse_subscription(from, name, ErrorCode::kForbiddenTopic, "not yours to see");
  }
  Entry* entry = find(name);
  if (entry == nullptr) return refuse_subscription(from, name, ErrorCode::kUnknownTopic, "no such topic");
  if (!entry->held[from.shard]) {
    publish(*entry);  // the shards that have it were told at the last tick; the bytes are the same or a step further
    if (entry->topic.position().version == Version{}) {
      return refuse_subscription(from, name, ErrorCode::kSnapshotTooBig, "the topic has no state");
    }
    // No hole: what the shard gets here is the version before the next one that publish() tells it of.
    tell(from.shard, entry->topic.current());
    entry->held[from.shard] = true;
  }
  ++entry->subscriptions[from.shard];
  ++stats_.subscriptions;
  tell(from.shard, SubscriptionAnswer{from.connection, name, entry->topic.info().id, ErrorCode::kNone, {}});
  flush();
}

void Room::release(std::uint32_t shard, TopicId topic) {
  if (stopped_) return;
  --stats_.subscriptions;
  const auto found = by_id_.find(topic.value);
  if (found == by_id_.end()) return;  // forgotten meanwhile
  Entry& entry = *found->second;
  SYNC_ASSERT(entry.subscriptions[shard] > 0);
  --entry.subscriptions[shard];
  if (entry.subscriptions[shard] == 0 && entry.held[shard]) {
    entry.held[shard] = false;
    tell(shard, TopicRemoved{topic, ErrorCode::kNone});
  }
  flush();
}

// --- Actions -----------------------------------------------------------------------------------------------

const Room::Speaker* Room::speaker(const InstanceKey& key) const {
  const auto found = speakers_.find(key);
  return found == speakers_.end() ? nullptr : &found->second;
}

void Room::open_instance(ConnectionRef from, const InstanceKey& key, std::uint64_t attempt,
                         const InstanceClaim& claim) {
  if (stopped_) return;
  // From another shard, a connection that was replaced meanwhile: it has been told, or will be.
  if (const Speaker* newer = speaker(key); newer != nullptr && newer->attempt > attempt) return;
  InstanceAnswer answer_to{from.connection, ledger_.id(), ledger_.open(key, claim, clocks_.wall_ms())};
  const Result<InstanceState> state = answer_to.state;
  tell(from.shard, std::move(answer_to));
  if (state) {
    speakers_[key] = {from, attempt};
    for (Sequence sequence = state->last_action; ledger_.find(key, sequence) != nullptr; --sequence.value) {
      answer_in_time(key, sequence);
    }
  }
  flush();
}

void Room::close_instance(ConnectionRef from, const InstanceKey& key) {
  const Speaker* found = speaker(key);
  if (found == nullptr || found->connection != from) return;
  speakers_.erase(key);
  ledger_.close(key);
}

void Room::confirm_actions(ConnectionRef from, const InstanceKey& key, Sequence sequence) {
  const Speaker* found = speaker(key);
  if (found != nullptr && found->connection == from) ledger_.confirm(key, sequence);
}

void Room::act(ConnectionRef from, const InstanceKey& key, ActionReceived received) {
  if (stopped_) return;
  Action action{from, key, std::move(received)};
  // Waiting ones keep their turn: an action never overtakes an earlier one of the same player.
  if (waiting_actions_.empty() && actions_this_tick_ < config_.max_actions_per_tick) {
    execute(action);
  } else if (waiting_actions_.size() < config_.max_waiting_actions) {
    waiting_actions_.push_back(std::move(action));
  } else {
    answer_failed(from, action.received.sequence,
                  Error{ErrorCode::kRateLimited, "the server has more actions than it can execute"}, kRetryOverload);
  }
  flush();
}

void Room::execute(const Action& action) {
  const auto& [from, key, received] = action;
  const Speaker* found = speaker(key);
  if (found == nullptr || found->connection != from) return;  // of a connection that was replaced
  ++actions_this_tick_;
  const std::uint64_t now_ms = clocks_.wall_ms();
  const Result<ActionLedger::Verdict> verdict =
      ledger_.decide(key, received.sequence, received.payload, received.is_withdrawn, now_ms);
  if (!verdict) {
    const bool is_store = verdict.error().code == ErrorCode::kStoreUnavailable;
    return answer_failed(from, received.sequence, verdict.error(), is_store ? kRetryStore : kRetryOverload);
  }
  bool wants_save = false;
  if (*verdict == ActionLedger::Verdict::kExecute) {
    ++stats_.actions;
    ActionOutcome outcome = game_.on_action(key.user, received.payload);
    SYNC_ASSERT(outcome.status != ActionStatus::kFailed);
    ExecutedAction executed;
    executed.result.status = outcome.status;
    executed.result.code = outcome.code;
    executed.result.message = std::move(outcome.message);
    const auto* payload = reinterpret_cast<const std::uint8_t*>(outcome.payload.data());
    executed.result.payload.assign(payload, payload + outcome.payload.size());
    executed.visible_in = std::move(outcome.visible_in);
    ledger_.executed(key, received.sequence, received.payload, std::move(executed), now_ms);
    wants_save = outcome.status == ActionStatus::kAccepted && outcome.wants_save;
  }
  if (wants_save) return save_for(key, received.sequence);
  answer_in_time(key, received.sequence);
}

void Room::answer_in_time(const InstanceKey& key, Sequence sequence) {
  if (saving_.contains({key, sequence})) return;
  if (ledger_.find(key, sequence)->result.status == ActionStatus::kAccepted) {
    accepted_.push_back({key, sequence});
  } else {
    answer(key, sequence);
  }
}

void Room::answer_failed(ConnectionRef to, Sequence sequence, const Error& error, Duration retry_after) {
  protocol::ActionResultT result;
  result.action_sequence = sequence.value;
  result.status = ActionStatus::kFailed;
  result.code = error.code;
  result.message = error.detail;
  result.retry_after_ms = static_cast<std::uint32_t>(retry_after / std::chrono::milliseconds(1));
  tell(to.shard, ActionAnswer{to.connection, std::move(result)});
}

// To whoever speaks for the instance now, which may be another connection than the one that sent the action.
void Room::answer(const InstanceKey& key, Sequence sequence) {
  const Speaker* to = speaker(key);
  const ExecutedAction* executed = ledger_.find(key, sequence);
  if (to == nullptr || executed == nullptr) return;
  protocol::ActionResultT result = executed->result;
  result.durable = ledger_.is_durable(key, sequence);
  for (const std::string& name : executed->visible_in) {
    const Entry* entry = find(name);
    if (entry == nullptr) continue;
    const Topic& topic = entry->topic;
    auto version = std::make_unique<protocol::TopicVersionT>();
    version->topic = topic.info().id.value;
    version->epoch = topic.position().epoch.value;
    version->version = topic.position().version.value;
    result.visible_at.push_back(std::move(version));
  }
  tell(to->connection.shard, ActionAnswer{to->connection.connection, std::move(result)});
}

void Room::answer_accepted() {
  for (const Unanswered& one : std::exchange(accepted_, {})) answer(one.key, one.sequence);
}

// The player wants to know when it is on disk, and nothing before.
void Room::save_for(const InstanceKey& key, Sequence sequence) {
  saving_.emplace(key, sequence);
  saver_.save([this, key, sequence](bool durable) {
    saving_.erase({key, sequence});
    game_.on_saved(key.user, durable);
    if (stopped_) return;
    if (durable) {
      accepted_.push_back({key, sequence});
      return;
    }
    // It is executed, and answered when a later save succeeds and it is sent again.
    log_.error("a save failed", ErrorCode::kStoreUnavailable);
    const Speaker* to = speaker(key);
    if (to == nullptr) return;
    answer_failed(to->connection, sequence, Error{ErrorCode::kStoreUnavailable, "the save did not reach the disk"},
                  kRetryStore);
    flush();
  });
}

void Room::save_changes() {
  saver_.save([this](bool durable) {
    if (durable) return;
    log_.error("a save failed", ErrorCode::kStoreUnavailable);
    next_save_ = stats_.ticks + config_.ticks_after_failure;
  });
}

// --- Time --------------------------------------------------------------------------------------------------

void Room::tick() {
  if (stopped_) return;
  const TimePoint started = clocks_.steady();
  ++stats_.ticks;
  actions_this_tick_ = 0;
  while (!waiting_actions_.empty() && actions_this_tick_ < config_.max_actions_per_tick) {
    execute(waiting_actions_.front());
    waiting_actions_.pop_front();
  }
  game_.tick();
  refresh_topics();
  forget_retired();
  for (const Unanswered& one : accepted_) {
    const ExecutedAction* executed = ledger_.find(one.key, one.sequence);
    if (executed == nullptr) continue;
    for (const std::string& name : executed->visible_in) {
      if (Entry* entry = find(name)) entry->asked_for = true;
    }
  }
  publish_all();
  answer_accepted();
  flush();
  const bool is_time = config_.ticks_between_saves > 0 && stats_.ticks % config_.ticks_between_saves == 0;
  if ((is_time || ledger_.has_changes()) && !saver_.busy() && stats_.ticks >= next_save_) save_changes();
  const Duration taken = clocks_.steady() - started;
  stats_.tick_us_max = std::max(stats_.tick_us_max, static_cast<std::uint64_t>(taken.count()));
}

void Room::stop(Saver::Done done) {
  stopped_ = true;
  std::map<std::string, Bytes> topics;
  for (const auto& [name, entry] : topics_) {
    const Position position = entry->topic.position();
    if (position.version == Version{}) continue;
    topics[name] = encode_saved_topic(position.epoch, position.version, entry->topic.snapshot()->bytes());
  }
  saver_.save_clean(std::move(topics), std::move(done));
}

RoomStats Room::take_stats() {
  RoomStats stats = stats_;
  stats_.tick_us_max = 0;
  for (const auto& [name, entry] : topics_) {
    if (entry->gone) continue;
    TopicStats topic = entry->stats;
    topic.position = entry->topic.position();
    topic.snapshot_bytes = entry->topic.snapshot() ? entry->topic.snapshot()->size_bytes() : 0;
    for (const std::uint32_t n : entry->subscriptions) topic.subscriptions += n;
    stats.topics.push_back(std::move(topic));
  }
  return stats;
}

void Room::flush() {
  for (std::uint32_t shard = 0; shard < config_.n_shards; ++shard) {
    if (!outbox_[shard].empty()) deliver_(shard, std::exchange(outbox_[shard], {}));
  }
}

}  // namespace libsync::server
