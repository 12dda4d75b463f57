// action_ledger.h: which actions of which client instances were executed, and how they ended, so that each is executed
// once however often it arrives. The truth about actions; sessions and connections only carry it.
//
// An instance's actions have sequences 1, 2, 3 ... The next one is executed; one that was executed is answered with the
// result it had; nothing else happens. Results are kept until the client confirms them, which it does once they are
// durable.
//
// The ledger does no I/O. What is to be on disk comes from take_changes() and goes, in one transaction with what the
// actions changed in the game, into a store; committed() says that it is there. All in memory is bounded by Limits.
// Idea: the result of an operation is stored with its effect, under an id that the client chose (RIFL, Lee et al.,
// 2015).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "libsync/limits.h"
#include "libsync/protocol_generated.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// A client instance: the same 128 bits of two users are two instances.
struct InstanceKey {
  std::string user;
  protocol::Id128 instance;
  friend bool operator<(const InstanceKey& a, const InstanceKey& b) {
    return std::tuple(std::string_view(a.user), a.instance.high(), a.instance.low()) <
           std::tuple(std::string_view(b.user), b.instance.high(), b.instance.low());
  }
};

// What a Hello says of its instance's past.
struct InstanceClaim {
  bool is_new = true;
  protocol::Id128 ledger;           // that it knows; zero while it is new
  std::uint64_t first_seen_ms = 0;  // as the ledger said then
  Sequence confirmed;               // all actions up to it have ended, durably
};

// Where an instance stands, for Welcome.
struct InstanceState {
  Sequence last_action;  // executed
  Sequence durable;      // of these, up to here
  std::uint64_t first_seen_ms = 0;
};

// An executed action, until the client confirms it. Of `result`, visible_at and durable are the caller's to fill.
struct ExecutedAction {
  protocol::ActionResultT result;
  std::vector<std::string> visible_in;  // topics
  std::uint64_t payload_digest = 0;
};

class ActionLedger {
 public:
  // Bytes by key, for a store.
  struct Record {
    std::string key;
    Bytes value;
  };
  struct Changes {
    std::vector<Record> records;
    std::vector<std::string> removed;  // keys
  };
  // All actions of the instance up to this one are durable now.
  struct NowDurable {
    InstanceKey key;
    Sequence sequence;
  };
  enum class Verdict : std::uint8_t {
    kExecute,  // execute it, then call executed()
    kRepeat,   // it was executed: send find()'s result
  };

  // Requires: `limits` outlives the ledger. `fresh_id`: random; the ledger's own where load() finds no other.
  ActionLedger(const Limits& limits, protocol::Id128 fresh_id) : limits_(limits), id_(fresh_id) {}
  ActionLedger(const ActionLedger&) = delete;
  ActionLedger& operator=(const ActionLedger&) = delete;

  // What a store kept. Before anything else.
  // Errors: kMalformed (a record that this ledger cannot have written); the ledger must not be used then.
  [[nodiscard]] Result<bool> load(std::span<const Record> records);
  protocol::Id128 id() const { return id_; }

  // A connection of the instance begins. Once more replaces what was said before.
  // Errors: kUnknownInstance: it may have acted before, and what it did is not known any more. kMalformed: it claims
  // what cannot be.
  [[nodiscard]] Result<InstanceState> open(const InstanceKey& key, const InstanceClaim& claim, std::uint64_t now_ms);
  // Its connection ended. Nothing happens if it has none.
  void close(const InstanceKey& key);

  // What is to be done with an action that arrived. `withdrawn`: the client wants it no more; it takes its place in the
  // sequence as a refused one, unless it was executed. kRepeat where that is done.
  // Errors, with which nothing changes: kUnknownInstance (not open), kActionSequence (not the next one, or confirmed
  // before), kActionConflict (executed with another payload), kTooManyActions (results wait for the client),
  // kStoreUnavailable (a commit failed).
  [[nodiscard]] Result<Verdict> decide(const InstanceKey& key, Sequence sequence, BytesView payload, bool withdrawn,
                                       std::uint64_t now_ms);
  // The action was executed, with this result: kAccepted or kRefused. The same moment as decide(), nothing in between.
  // Requires: decide() said kExecute.
  void executed(const InstanceKey& key, Sequence sequence, BytesView payload, ExecutedAction action,
                std::uint64_t now_ms);
  // Null if it was not executed or is confirmed. Valid until the next call that is not const.
  const ExecutedAction* find(const InstanceKey& key, Sequence sequence) const;
  bool is_durable(const InstanceKey& key, Sequence sequence) const;
  // The client has the results up to here, and knows that they are durable. What is not durable stays.
  void confirm(const InstanceKey& key, Sequence sequence);

  // --- The store's side.
  bool has_changes() const { return !changed_.empty() || !removed_.empty() || horizons_changed_; }
  // Everything that is not yet in a commit. Requires: no commit is under way.
  Changes take_changes();
  // The commit with the last changes ended. If it failed they are changes again, and the ledger executes nothing new
  // until a commit succeeds: what cannot be made durable would be lost with the next start.
  std::vector<NowDurable> committed(bool succeeded);

  std::size_t instance_count() const { return instances_.size(); }
  std::size_t result_bytes() const { return result_bytes_; }

 private:
  struct Entry {
    std::uint64_t first_seen_ms = 0;
    std::uint64_t last_used_ms = 0;
    std::uint64_t use = 0;  // place in by_use_; 0: has not acted
    Sequence last;
    Sequence confirmed;
    Sequence committing;
    Sequence durable;
    std::deque<ExecutedAction> actions;  // of (confirmed, last]
    std::size_t result_bytes = 0;
    bool is_open = false;
  };
  using Entries = std::map<InstanceKey, Entry>;

  void touch(Entries::iterator at, std::uint64_t now_ms);
  void forget_unused(const std::string& user, std::uint64_t now_ms);
  void forget(Entries::iterator at);
  Result<bool> load_record(const Record& record);
  Result<bool> check_known(const InstanceKey& key, const InstanceClaim& claim) const;

  const Limits& limits_;
  protocol::Id128 id_;
  Entries instances_;
  std::map<std::uint64_t, InstanceKey> by_use_;  // those that acted, in the order of their last action
  std::uint64_t last_use_ = 0;
  // first_seen_ms of the latest instance forgotten: of users that have others, and of all other users.
  std::map<std::string, std::uint64_t> forgotten_of_;
  std::uint64_t forgotten_ms_ = 0;
  std::set<InstanceKey> changed_;
  std::set<std::string> removed_;           // keys of records
  std::set<std::string> changed_horizons_;  // users
  bool horizons_changed_ = true;            // the ledger's own, with its id
  std::vector<InstanceKey> committing_;
  std::vector<std::string> committing_removed_;
  std::vector<std::string> committing_horizons_;  // users; empty: the ledger's own
  std::size_t result_bytes_ = 0;
  bool is_failing_ = false;  // the last commit
};

}  // namespace libsync
