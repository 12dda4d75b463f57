// saver.h: what the room keeps over a restart, and when. Used by the game thread alone.
//
// Every commit holds the game as it is at that moment and everything the ledger has to say, in one transaction: what an
// action did, its result and its place in the sequence are on disk together or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "libsync/action_ledger.h"
#include "libsync/result.h"
#include "saved_topic.h"
#include "store.h"

namespace libsync::server {

class Saver {
 public:
  // Runs a function on the game thread, later.
  using Post = std::function<void(std::function<void()>)>;
  using Done = std::function<void(bool durable)>;
  using MakeRecords = std::function<std::vector<SaveRecord>()>;
  using Committed = std::function<void(std::vector<ActionLedger::NowDurable>)>;

  // `make_records`: the game's records as they are now. `committed`: what became durable with a commit that ended,
  // before those who asked for it are told. Requires: `store` and `ledger` outlive the saver; what `post` was given has
  // run, or never will, when the saver goes.
  Saver(Store& store, ActionLedger& ledger, Post post, MakeRecords make_records, Committed committed)
      : store_(store),
        ledger_(ledger),
        post_(std::move(post)),
        make_records_(std::move(make_records)),
        committed_(std::move(committed)) {}
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  struct Loaded {
    std::vector<SaveRecord> game;              // without prefix
    std::map<std::string, SavedTopic> topics;  // by name; empty unless the last stop was clean
  };
  // Reads everything, the ledger too, and removes the mark of a clean stop, durably. Blocks; for the start.
  // Errors: kStoreUnavailable, kMalformed (the ledger's records).
  [[nodiscard]] Result<Loaded> load();

  // Saves the game and the ledger as they are now or will be a little later; `done` runs on the game thread. While one
  // save is under way, those who ask wait together for the next one, so a crowd costs two saves, not hundreds.
  void save(Done done);
  // Saves all that and the topics and the mark of a clean stop in one commit, after the one that is under way. The last
  // call.
  void save_clean(std::map<std::string, Bytes> topics, Done done);

  bool busy() const { return is_busy_; }

 private:
  struct Clean {
    std::map<std::string, Bytes> topics;
    Done done;
  };
  void commit(std::vector<SaveRecord> records, Done done);
  void commit_clean(const Clean& clean);

  Store& store_;
  ActionLedger& ledger_;
  Post post_;
  MakeRecords make_records_;
  Committed committed_;
  std::map<std::string, std::uint64_t> saved_;  // XXH3-64 of the game's records in the store, by key
  bool is_busy_ = false;
  std::vector<Done> waiting_;
  std::vector<Clean> clean_;  // at most one
};

}  // namespace libsync::server
