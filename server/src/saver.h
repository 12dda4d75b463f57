// saver.h: what the room keeps over a restart, and when. Used by the game thread alone.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

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

  // `make_records`: the game's records as they are now. Requires: `store` outlives the saver; what `post` was given
  // has run, or never will, when the saver goes.
  Saver(Store& store, Post post, MakeRecords make_records)
      : store_(store), post_(std::move(post)), make_records_(std::move(make_records)) {}
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  struct Loaded {
    std::vector<SaveRecord> game;              // without prefix
    std::map<std::string, SavedTopic> topics;  // by name; empty unless the last stop was clean
  };
  // Reads everything and removes the mark of a clean stop, durably. Blocks; for the start.
  // Errors: kStoreUnavailable.
  [[nodiscard]] Result<Loaded> load();

  // Saves the game as it is now or will be a little later; `done` runs on the game thread. While one save is under
  // way, those who ask wait together for the next one, so a crowd costs two saves, not hundreds.
  void save(Done done);
  // Saves the game, the topics and the mark of a clean stop in one commit.
  void save_clean(const std::map<std::string, Bytes>& topics, Done done);

  bool busy() const { return under_way_; }

 private:
  void commit(std::vector<SaveRecord> records, std::function<void(bool)> done);

  Store& store_;
  Post post_;
  MakeRecords make_records_;
  std::set<std::string> keys_;  // game/ keys in the store: those that the game dropped are removed
  bool under_way_ = false;
  std::vector<Done> waiting_;
};

}  // namespace libsync::server
