// ledger_store.h: an ActionLedger with the store it is loaded from after a crash, and short ways to call it.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "libsync/action_ledger.h"
#include "libsync/message.h"
#include "unit/support.h"

namespace libsync::test {

inline InstanceKey instance_key(std::string user, std::uint64_t number) {
  return {std::move(user), protocol::Id128(number, 77)};
}

inline InstanceClaim of_age(InstanceClaim claim, std::uint64_t first_seen_ms) {
  claim.first_seen_ms = first_seen_ms;
  return claim;
}

inline std::string text_of(const ExecutedAction& action) {
  return std::string(action.result.payload.begin(), action.result.payload.end());
}

struct LedgerStore {
  explicit LedgerStore(Limits bounds = {}) : limits(bounds) {
    ledger = std::make_unique<ActionLedger>(limits, protocol::Id128(1, next_id++));
  }

  // As an instance of this ledger that is not new.
  InstanceClaim claim(std::uint64_t confirmed = 0) const { return {false, ledger->id(), now_ms, Sequence{confirmed}}; }

  Result<InstanceState> open(const InstanceKey& key, const InstanceClaim& said) {
    return ledger->open(key, said, now_ms);
  }
  ErrorCode open_code(const InstanceKey& key, const InstanceClaim& said) {
    const Result<InstanceState> opened = open(key, said);
    return opened ? ErrorCode::kNone : opened.error().code;
  }
  void open_new(const InstanceKey& key) { REQUIRE(open(key, {})); }

  // "execute", "repeat", or the code of the error. What is to be executed answers "did <payload>".
  std::string act(const InstanceKey& key, std::uint64_t sequence, const std::string& payload) {
    return decide(key, sequence, payload, false);
  }
  std::string withdraw(const InstanceKey& key, std::uint64_t sequence) { return decide(key, sequence, "", true); }
  std::string decide(const InstanceKey& key, std::uint64_t sequence, const std::string& payload, bool withdrawn) {
    const auto verdict = ledger->decide(key, Sequence{sequence}, bytes_of(payload), withdrawn, now_ms);
    if (!verdict) return name_of(verdict.error().code);
    if (*verdict == ActionLedger::Verdict::kRepeat) return "repeat";
    ExecutedAction action;
    const std::string answer = "did " + payload;
    action.result.payload.assign(answer.begin(), answer.end());
    ledger->executed(key, Sequence{sequence}, bytes_of(payload), std::move(action), now_ms);
    return "execute";
  }

  void write(const ActionLedger::Changes& changes) {
    for (const std::string& key : changes.removed) disk.erase(key);
    for (const ActionLedger::Record& record : changes.records) disk[record.key] = record.value;
  }
  std::vector<ActionLedger::NowDurable> commit(bool succeeds = true) {
    const ActionLedger::Changes changes = ledger->take_changes();
    if (succeeds) write(changes);
    return ledger->committed(succeeds);
  }

  std::vector<ActionLedger::Record> records() const {
    std::vector<ActionLedger::Record> all;
    for (const auto& [key, value] : disk) all.push_back({key, value});
    return all;
  }
  // A new process, with what is on disk.
  void crash() {
    ledger = std::make_unique<ActionLedger>(limits, protocol::Id128(1, next_id++));
    REQUIRE(ledger->load(records()));
  }
  // Acts once with a new connection of the instance, which then ends.
  void act_once(const InstanceKey& key) {
    open_new(key);
    REQUIRE(act(key, 1, "a") == "execute");
    ledger->close(key);
  }

  Limits limits;
  std::unique_ptr<ActionLedger> ledger;
  std::map<std::string, Bytes> disk;
  std::uint64_t now_ms = 1'700'000'000'000;
  std::uint64_t next_id = 1000;
};

}  // namespace libsync::test
