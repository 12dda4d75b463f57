// room.h: topics that tick together: one game, the versions of its topics, and who is told of them.
//
// Everything here runs on the game thread, one call at a time; room_thread.h is that thread. What the room has to say
// to a shard goes out in one order (messages.h), so a client is never told of a subscription before the shard has the
// topic's state, and misses no step after it.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "game.h"
#include "libsync/limits.h"
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
  // Saves of the room's own accord, in ticks; 0: none.
  std::uint64_t ticks_between_saves = 600;
};

class Room {
 public:
  using Deliver = std::function<void(std::uint32_t shard, std::vector<RoomMessage> messages)>;
  using MakeRandom = std::function<std::uint64_t()>;

  // Requires: game, store, limits and log outlive the room. `random`: for epochs.
  Room(Game& game, Store& store, const Limits& limits, Log& log, const RoomConfig& config, Deliver deliver,
       MakeRandom random, Saver::Post post);
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
  // Answers with an ActionAnswer, at once or after the next publish.
  void act(ConnectionRef from, const std::string& user, Sequence sequence, Bytes payload);

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
  struct Action {
    ConnectionRef from;
    std::string user;
    Sequence sequence;
    Bytes payload;
  };
  // An accepted action, waiting for the versions that show it.
  struct Accepted {
    ConnectionRef from;
    protocol::ActionResultT result;
    std::vector<std::string> visible_in;
  };

  void refresh_topics();
  void add_topic(const TopicSpec& spec);
  void retire(Entry& entry);
  void forget_retired();
  // Null if the game does not have it now.
  Entry* find(const std::string& name);
  void publish(Entry& entry);
  void publish_all();
  void execute(const Action& action);
  void save_for(ConnectionRef from, const std::string& user, protocol::ActionResultT result,
                std::vector<std::string> visible_in);
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
  Saver saver_;
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
  std::deque<Action> waiting_actions_;
  std::vector<Accepted> accepted_;
  std::vector<std::vector<RoomMessage>> outbox_;  // [n_shards]
  RoomStats stats_;
};

}  // namespace libsync::server
