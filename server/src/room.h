// room.h: topics that tick together: one game, the versions of its topics, and who is told of them.
//
// Everything here runs on the game thread, one call at a time; room_thread.h is that thread. What the room has to say
// to a shard goes out in one order (messages.h), so a client is never told of a subscription before the shard has the
// topic's state, and misses no step after it.
//
// What actions do is decided by the ledger (libsync/action_ledger.h): an instance's actions are executed in their
// order, each once. A connection speaks for its instance from open_instance() until close_instance() or the
// open_instance() of a newer one; what others send for it is dropped, and what is to be said goes to the one that
// speaks.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "clock.h"
#include "game.h"
#include "libsync/action_ledger.h"
#include "libsync/limits.h"
#include "libsync/server_session.h"
#include "libsync/topic.h"
#include "log.h"
#include "messages.h"
#include "saver.h"
#include "stats.h"

namespace libsync::server {

struct RoomConfig {
  std::uint32_t n_shards = 1;
  // Actions executed between two ticks; the next ones wait for the next tick.
  std::size_t max_actions_per_tick = 1024;
  // Actions that wait; one more is answered with kFailed, kRateLimited.
  std::size_t max_waiting_actions = 8192;
  // How long, in ticks, a topic that is gone is kept with its history, and how many at most.
  std::uint64_t ticks_until_forgotten = 1200;
  std::size_t max_retired_topics = 1000;
  // Saves of the room's own accord, in ticks; 0: none. What actions did is saved with the tick that follows them.
  std::uint64_t ticks_between_saves = 600;
  // After a save that failed: ticks until the next one.
  std::uint64_t ticks_after_failure = 10;
};

class Room {
 public:
  using Deliver = std::function<void(std::uint32_t shard, std::vector<RoomMessage> messages)>;
  using MakeRandom = std::function<std::uint64_t()>;

  // Requires: game, store, limits and log outlive the room. `random`: for epochs and the ledger's identity.
  Room(Game& game, Store& store, const Limits& limits, Log& log, const RoomConfig& config, Deliver deliver,
       MakeRandom random, Saver::Post post, Clocks clocks = {});
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  // Loads what was saved. Blocks; before anything else.
  // Errors: kStoreUnavailable, or what the game says of records that it cannot use.
  [[nodiscard]] Result<bool> start();

  // The user's first session began; the last one ended.
  void join(const std::string& user);
  void leave(const std::string& user);

  // Answers with a SubscriptionAnswer, preceded by the topic's state where the shard does not have it.
  void subscribe(ConnectionRef from, const std::string& user, const std::string& name);
  // A subscription that was granted has ended. Requires: once for each.
  void release(std::uint32_t shard, TopicId topic);
  // A connection begins to speak for its client instance; `attempt` as in its Hello. Answers with an InstanceAnswer,
  // then the results that the client has not confirmed. No answer where a newer connection speaks already.
  void open_instance(ConnectionRef from, const InstanceKey& key, std::uint64_t attempt, const InstanceClaim& claim);
  // Nothing happens if another connection speaks for it.
  void close_instance(ConnectionRef from, const InstanceKey& key);
  // Answers with an ActionAnswer, at once or after the next publish, and later with a DurableAnswer.
  void act(ConnectionRef from, const InstanceKey& key, ActionReceived action);
  // The client needs the results up to here no more.
  void confirm_actions(ConnectionRef from, const InstanceKey& key, Sequence sequence);

  // One step of the game, then everything that changed is published.
  void tick();
  // `n` steps were left out because the process did not get to run.
  void count_skipped(std::uint64_t n) { stats_.ticks_skipped += n; }

  // Saves the game and the epochs; from now on nothing happens here any more. `done`: whether it is on disk.
  void stop(Saver::Done done);

  // Tick times are counted anew after each question.
  RoomStats take_stats();

 private:
  struct Entry {
    Entry(TopicInfo info, const Limits& limits) : topic(std::move(info), limits) {}
    Entry(TopicInfo info, const Limits& limits, SavedTopic saved)
        : topic(std::move(info), limits, saved.version, std::move(saved.snapshot)) {}

    Topic topic;
    std::vector<std::uint32_t> subscriptions;  // [n_shards], granted and not yet released
    std::vector<bool> held;                    // [n_shards], the shard has the topic and is told of its steps
    std::uint64_t seen = 0;                    // round of refresh_topics() that saw it last
    bool gone = false;                         // the game no longer has it; kept for those who come back soon
    bool asked_for = false;                    // publish it although nobody is subscribed: a result names it
    bool too_big = false;                      // said so in the log
    TopicStats stats;
  };
  // A client instance that is connected.
  struct Speaker {
    ConnectionRef connection;
    std::uint64_t attempt = 0;
  };
  struct Action {
    ConnectionRef from;
    InstanceKey key;
    ActionReceived received;
  };
  // An accepted action whose result waits for the versions that show it.
  struct Unanswered {
    InstanceKey key;
    Sequence sequence;
  };

  void refresh_topics();
  void add_topic(const TopicSpec& spec);
  void retire(Entry& entry);
  void forget_retired();
  // Null if the game does not have it now.
  Entry* find(const std::string& name);
  void publish(Entry& entry);
  void publish_all();
  const Speaker* speaker(const InstanceKey& key) const;
  void execute(const Action& action);
  void answer(const InstanceKey& key, Sequence sequence);
  // Sends the result of an executed action now, or when there is a version that shows it.
  void answer_in_time(const InstanceKey& key, Sequence sequence);
  void answer_failed(ConnectionRef to, Sequence sequence, const Error& error, Duration retry_after);
  void save_for(const InstanceKey& key, Sequence sequence);
  void save_changes();
  void answer_accepted();
  void refuse_subscription(ConnectionRef from, const std::string& name, ErrorCode code, const std::string& message);
  void tell(std::uint32_t shard, RoomMessage message) { outbox_[shard].push_back(std::move(message)); }
  void flush();

  Game& game_;
  const Limits& limits_;
  Log& log_;
  const RoomConfig config_;
  Deliver deliver_;
  MakeRandom random_;
  const Clocks clocks_;
  ActionLedger ledger_;
  Saver saver_;
  std::uint64_t next_save_ = 0;  // tick, after one that failed
  bool stopped_ = false;

  std::unordered_map<std::string, std::unique_ptr<Entry>> topics_;
  std::unordered_map<std::uint32_t, Entry*> by_id_;
  // Topics that are gone, in the order in which they went, and the tick of it. A user who reloads the page finds the
  // epoch and the history that he left.
  std::deque<std::pair<TopicId, std::uint64_t>> retired_;
  std::map<std::string, SavedTopic> saved_topics_;  // of the last run, until the topic is there again
  std::uint32_t last_id_ = 0;
  std::uint64_t round_ = 0;

  std::size_t actions_this_tick_ = 0;
  std::map<InstanceKey, Speaker> speakers_;
  std::deque<Action> waiting_actions_;
  std::vector<Unanswered> accepted_;
  std::set<std::pair<InstanceKey, Sequence>> saving_;  // answered when they are on disk
  std::vector<std::vector<RoomMessage>> outbox_;       // [n_shards]
  RoomStats stats_;
};

}  // namespace libsync::server
