// sim_store.h: a Store on a simulated disk. A commit is durable when its time has come, in order; a crash loses those
// that were not, but for a prefix of them that may have got there without anybody having heard of it.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "event_queue.h"
#include "sim_random.h"
#include "store.h"

namespace libsync::sim {

// What survives a crash of the server.
using DiskRecords = std::map<std::string, Bytes>;

class SimStore final : public server::Store {
 public:
  // Requires: all outlive the store, and the store every event it added; so it is kept until the end of a schedule.
  SimStore(EventQueue& events, Random& random, DiskRecords& disk) : events_(events), random_(random), disk_(disk) {}

  Result<std::vector<server::SaveRecord>> load(const std::string& prefix) override {
    std::vector<server::SaveRecord> found;
    for (auto at = disk_.lower_bound(prefix); at != disk_.end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, at->second});
    }
    return found;
  }

  void commit(std::vector<server::SaveRecord> records, std::vector<std::string> removed, Done done) override {
    pending_.push_back({std::move(records), std::move(removed), std::move(done)});
    if (is_starting) return finish();  // whoever starts waits for it
    events_.after(random_.pick(Duration(500), Duration(30'000)), [this] {
      if (!is_crashed_) finish();
    });
  }

  void crash() {
    is_crashed_ = true;
    const std::uint64_t n_written = random_.pick(0, pending_.size());
    for (std::uint64_t i = 0; i < n_written; ++i) write(pending_[i]);
    pending_.clear();
  }

  bool is_starting = true;
  bool is_failing = false;

 private:
  struct Commit {
    std::vector<server::SaveRecord> records;
    std::vector<std::string> removed;
    Done done;
  };
  void write(Commit& commit) {
    for (const std::string& key : commit.removed) disk_.erase(key);
    for (server::SaveRecord& record : commit.records) disk_[record.key] = std::move(record.value);
  }
  void finish() {
    Commit commit = std::move(pending_.front());
    pending_.pop_front();
    if (is_failing) return commit.done(Error{ErrorCode::kStoreUnavailable, "the disk is full"});
    write(commit);
    commit.done(true);
  }

  EventQueue& events_;
  Random& random_;
  DiskRecords& disk_;
  std::deque<Commit> pending_;
  bool is_crashed_ = false;
};

}  // namespace libsync::sim
