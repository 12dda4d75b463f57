#include "libsync/action_ledger.h"

#include <doctest/doctest.h>

#include "unit/ledger_store.h"

namespace libsync {
namespace {

using test::bytes_of;
using test::instance_key;
using test::LedgerStore;
using test::of_age;
using test::text_of;

const InstanceKey kAlice = instance_key("alice", 1);

}  // namespace

// --- The order of actions ----------------------------------------------------------------------------------

TEST_CASE("action ledger: executes each action once, in order, and answers a repeat with the result it had") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  CHECK(store.act(kAlice, 2, "b") == "execute");
  CHECK(store.act(kAlice, 1, "a") == "repeat");
  CHECK(store.act(kAlice, 2, "b") == "repeat");
  REQUIRE(store.ledger->find(kAlice, Sequence{1}) != nullptr);
  CHECK(text_of(*store.ledger->find(kAlice, Sequence{1})) == "did a");
  CHECK(store.ledger->find(kAlice, Sequence{2})->result.action_sequence == 2);
  CHECK(store.ledger->find(kAlice, Sequence{0}) == nullptr);
  CHECK(store.ledger->find(kAlice, Sequence{3}) == nullptr);
}

TEST_CASE("action ledger: refuses gaps, sequence zero and another payload, and nothing changes") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 0, "a") == "kActionSequence");
  CHECK(store.act(kAlice, 2, "a") == "kActionSequence");
  CHECK(store.act(kAlice, UINT64_MAX, "a") == "kActionSequence");
  CHECK(store.act(kAlice, 1, "a") == "execute");
  store.commit();
  CHECK(store.act(kAlice, 1, "b") == "kActionConflict");
  CHECK(store.act(kAlice, 1, "") == "kActionConflict");
  CHECK(store.act(kAlice, 3, "c") == "kActionSequence");
  CHECK_FALSE(store.ledger->has_changes());
  CHECK(store.act(kAlice, 2, "b") == "execute");
}

TEST_CASE("action ledger: an instance without a connection acts in vain") {
  LedgerStore store;
  CHECK(store.act(kAlice, 1, "a") == "kUnknownInstance");
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  store.ledger->close(kAlice);
  store.ledger->close(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "kUnknownInstance");
  CHECK(store.act(kAlice, 2, "b") == "kUnknownInstance");
}

TEST_CASE("action ledger: the same instance of two users is two instances") {
  LedgerStore store;
  const InstanceKey bob = instance_key("bob", 1);
  store.open_new(kAlice);
  store.open_new(bob);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  CHECK(store.act(bob, 1, "b") == "execute");
  CHECK(store.act(bob, 1, "b") == "repeat");
  CHECK(text_of(*store.ledger->find(bob, Sequence{1})) == "did b");
  CHECK(text_of(*store.ledger->find(kAlice, Sequence{1})) == "did a");
}

TEST_CASE("action ledger: a withdrawn action takes its place as a refused one, unless it was executed") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  CHECK(store.withdraw(kAlice, 1) == "repeat");
  CHECK(store.ledger->find(kAlice, Sequence{1})->result.status == ActionStatus::kAccepted);
  CHECK(store.withdraw(kAlice, 3) == "kActionSequence");
  CHECK(store.withdraw(kAlice, 2) == "repeat");
  const ExecutedAction* withdrawn = store.ledger->find(kAlice, Sequence{2});
  REQUIRE(withdrawn != nullptr);
  CHECK(withdrawn->result.status == ActionStatus::kRefused);
  CHECK(withdrawn->result.code == ErrorCode::kActionRefused);
  CHECK(withdrawn->result.action_sequence == 2);
  CHECK(store.withdraw(kAlice, 2) == "repeat");
  CHECK(store.act(kAlice, 3, "c") == "execute");

  store.commit();  // and is as durable as any
  store.crash();
  REQUIRE(store.open(kAlice, store.claim()).value().last_action == Sequence{3});
  CHECK(store.ledger->find(kAlice, Sequence{2})->result.status == ActionStatus::kRefused);
}

// --- Bounds ------------------------------------------------------------------------------------------------

TEST_CASE("action ledger: at most max_actions_in_flight results wait, and confirming makes room") {
  Limits limits;
  limits.max_actions_in_flight = 3;
  LedgerStore store(limits);
  store.open_new(kAlice);
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(store.act(kAlice, i, "a") == "execute");
  CHECK(store.act(kAlice, 4, "a") == "kTooManyActions");
  CHECK(store.withdraw(kAlice, 4) == "kTooManyActions");
  CHECK(store.act(kAlice, 3, "a") == "repeat");
  store.ledger->confirm(kAlice, Sequence{1});  // not durable yet
  CHECK(store.act(kAlice, 4, "a") == "kTooManyActions");
  store.commit();
  store.ledger->confirm(kAlice, Sequence{1});
  CHECK(store.act(kAlice, 4, "a") == "execute");
  CHECK(store.act(kAlice, 5, "a") == "kTooManyActions");
}

TEST_CASE("action ledger: results beyond max_result_bytes keep the next action from being executed") {
  Limits limits;
  limits.max_result_bytes = 1000;
  LedgerStore store(limits);
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, std::string(500, 'a')) == "execute");
  CHECK(store.act(kAlice, 2, std::string(900, 'b')) == "execute");  // the last one may go beyond
  CHECK(store.act(kAlice, 3, "c") == "kTooManyActions");
  CHECK(store.ledger->result_bytes() > 1400);
  store.commit();
  store.ledger->confirm(kAlice, Sequence{2});
  CHECK(store.ledger->result_bytes() == 0);
  CHECK(store.act(kAlice, 3, "c") == "execute");
}

TEST_CASE("action ledger: result bytes are the same after a restart, and zero when all is confirmed or forgotten") {
  Limits limits;
  limits.max_instances_per_user = 1;
  LedgerStore store(limits);
  store.open_new(kAlice);
  for (std::uint64_t i = 1; i <= 5; ++i) CHECK(store.act(kAlice, i, std::string(i * 10, 'x')) == "execute");
  store.commit();
  const std::size_t bytes = store.ledger->result_bytes();
  store.crash();
  CHECK(store.ledger->result_bytes() == bytes);
  REQUIRE(store.open(kAlice, store.claim(2)));
  CHECK(store.ledger->result_bytes() < bytes);
  store.ledger->close(kAlice);

  const InstanceKey other = instance_key("alice", 2);
  store.open_new(other);
  CHECK(store.act(other, 1, "") == "execute");  // forgets the first one
  CHECK(store.ledger->instance_count() == 1);
  store.commit();
  store.ledger->confirm(other, Sequence{1});
  CHECK(store.ledger->result_bytes() == 0);
}

TEST_CASE("action ledger: an instance that has not acted is gone with its connection") {
  LedgerStore store;
  for (std::uint64_t i = 0; i < 100; ++i) {
    store.open_new(instance_key("alice", i));
    store.ledger->close(instance_key("alice", i));
  }
  CHECK(store.ledger->instance_count() == 0);
  store.commit();
  CHECK(store.disk.size() == 1);  // the ledger's own
}

// --- What is durable ---------------------------------------------------------------------------------------

TEST_CASE("action ledger: an action is durable when the commit that took it has succeeded, not before") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  const ActionLedger::Changes changes = store.ledger->take_changes();
  CHECK(changes.records.size() == 2);  // the instance, and the new ledger's own
  CHECK_FALSE(store.ledger->has_changes());
  CHECK(store.act(kAlice, 2, "b") == "execute");  // while the commit is under way
  CHECK(store.ledger->has_changes());
  CHECK_FALSE(store.ledger->is_durable(kAlice, Sequence{1}));
  const auto now_durable = store.ledger->committed(true);
  REQUIRE(now_durable.size() == 1);
  CHECK(now_durable[0].key.user == "alice");
  CHECK(now_durable[0].sequence == Sequence{1});
  CHECK(store.ledger->is_durable(kAlice, Sequence{1}));
  CHECK_FALSE(store.ledger->is_durable(kAlice, Sequence{2}));
  const auto later = store.commit();
  REQUIRE(later.size() == 1);
  CHECK(later[0].sequence == Sequence{2});
  CHECK_FALSE(store.ledger->has_changes());
  CHECK(store.commit().empty());
}

TEST_CASE("action ledger: only what is durable can be confirmed, and is then no repeat any more") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  store.commit();
  CHECK(store.act(kAlice, 2, "b") == "execute");
  store.ledger->confirm(kAlice, Sequence{2});
  CHECK(store.ledger->find(kAlice, Sequence{1}) == nullptr);
  CHECK(store.ledger->find(kAlice, Sequence{2}) != nullptr);
  CHECK(store.act(kAlice, 1, "a") == "kActionSequence");
  CHECK(store.act(kAlice, 2, "b") == "repeat");
  store.ledger->confirm(kAlice, Sequence{0});
  store.ledger->confirm(instance_key("nobody", 1), Sequence{1});
  CHECK(store.ledger->find(kAlice, Sequence{2}) != nullptr);
}

TEST_CASE("action ledger: after a commit that failed nothing new is executed until one succeeds") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  store.commit();
  CHECK(store.act(kAlice, 2, "b") == "execute");
  CHECK(store.commit(false).empty());
  CHECK_FALSE(store.ledger->is_durable(kAlice, Sequence{2}));
  CHECK(store.act(kAlice, 1, "a") == "repeat");
  CHECK(store.act(kAlice, 2, "b") == "repeat");
  CHECK(store.act(kAlice, 3, "c") == "kStoreUnavailable");
  CHECK(store.withdraw(kAlice, 3) == "kStoreUnavailable");

  REQUIRE(store.ledger->has_changes());
  CHECK(store.commit(false).empty());
  const auto now_durable = store.commit();  // has what the others had
  REQUIRE(now_durable.size() == 1);
  CHECK(now_durable[0].sequence == Sequence{2});
  CHECK(store.act(kAlice, 3, "c") == "execute");
  store.crash();
  CHECK(store.open(kAlice, store.claim()).value().last_action == Sequence{2});
}

TEST_CASE("action ledger: what is forgotten while a commit fails is forgotten on disk with the next") {
  Limits limits;
  limits.max_instances_per_user = 1;
  LedgerStore store(limits);
  const InstanceKey second = instance_key("alice", 2);
  store.act_once(kAlice);
  store.commit();
  const InstanceClaim claim = store.claim();
  store.act_once(second);  // forgets the first
  store.commit(false);
  CHECK(store.disk.size() == 2);
  store.commit();
  CHECK(store.disk.size() == 3);
  store.crash();
  CHECK(store.ledger->instance_count() == 1);
  CHECK(store.open_code(kAlice, claim) == ErrorCode::kUnknownInstance);
  CHECK(store.open(second, claim).value().last_action == Sequence{1});
}

TEST_CASE("action ledger: a crash forgets what was not durable and keeps every part of the rest") {
  LedgerStore store;
  store.open_new(kAlice);
  const protocol::Id128 id = store.ledger->id();
  CHECK(store.act(kAlice, 1, "a") == "execute");
  REQUIRE(store.ledger->decide(kAlice, Sequence{2}, bytes_of("b"), false, store.now_ms).value() ==
          ActionLedger::Verdict::kExecute);
  ExecutedAction refused;
  refused.result.status = ActionStatus::kRefused;
  refused.result.code = ErrorCode::kActionMalformed;
  refused.result.message = "no such thing";
  refused.result.payload = {1, 2, 3};
  refused.visible_in = {"world", "player/alice"};
  store.ledger->executed(kAlice, Sequence{2}, bytes_of("b"), std::move(refused), store.now_ms);
  store.commit();
  CHECK(store.act(kAlice, 3, "c") == "execute");

  store.crash();
  CHECK(store.ledger->id().low() == id.low());
  CHECK(store.ledger->id().high() == id.high());
  const InstanceState state = store.open(kAlice, store.claim()).value();
  CHECK(state.last_action == Sequence{2});
  CHECK(state.durable == Sequence{2});
  CHECK(store.act(kAlice, 2, "b") == "repeat");
  CHECK(store.act(kAlice, 2, "x") == "kActionConflict");
  const ExecutedAction* loaded = store.ledger->find(kAlice, Sequence{2});
  REQUIRE(loaded != nullptr);
  CHECK(loaded->result.status == ActionStatus::kRefused);
  CHECK(loaded->result.code == ErrorCode::kActionMalformed);
  CHECK(loaded->result.message == "no such thing");
  CHECK(loaded->result.payload == std::vector<std::uint8_t>{1, 2, 3});
  CHECK(loaded->visible_in == std::vector<std::string>{"world", "player/alice"});
  CHECK(store.act(kAlice, 3, "another c") == "execute");  // the first one never was
}

// --- Claims ------------------------------------------------------------------------------------------------

TEST_CASE("action ledger: a new instance begins at nothing, and one that has acted is not new") {
  LedgerStore store;
  const InstanceState state = store.open(kAlice, {}).value();
  CHECK(state.last_action == Sequence{});
  CHECK(state.durable == Sequence{});
  CHECK(state.first_seen_ms == store.now_ms);
  store.now_ms += 1000;
  CHECK(store.open(kAlice, {}).value().first_seen_ms == state.first_seen_ms);  // its Welcome was lost
  CHECK(store.act(kAlice, 1, "a") == "execute");
  CHECK(store.open_code(kAlice, {}) == ErrorCode::kUnknownInstance);
  CHECK(store.act(kAlice, 2, "b") == "execute");  // the connection that is there goes on
}

TEST_CASE("action ledger: a claim that confirms more than is durable is of a past that was lost") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  store.commit();
  CHECK(store.act(kAlice, 2, "b") == "execute");
  CHECK(store.open_code(kAlice, store.claim(2)) == ErrorCode::kUnknownInstance);
  CHECK(store.open_code(kAlice, store.claim(1)) == ErrorCode::kNone);
  CHECK(store.open_code(instance_key("alice", 9), store.claim(1)) == ErrorCode::kUnknownInstance);
}

TEST_CASE("action ledger: a claim on another ledger is unknown, whatever it says") {
  LedgerStore store;
  store.open_new(kAlice);
  CHECK(store.act(kAlice, 1, "a") == "execute");
  InstanceClaim other = store.claim();
  other.ledger = protocol::Id128(7, 8);
  CHECK(store.open_code(kAlice, other) == ErrorCode::kUnknownInstance);
  other.ledger = {};
  CHECK(store.open_code(kAlice, other) == ErrorCode::kUnknownInstance);
}

TEST_CASE(
    "action ledger: an instance that is not new and has not acted goes on where nothing of its age is forgotten") {
  LedgerStore store;
  const std::uint64_t first_seen_ms = store.open(kAlice, {}).value().first_seen_ms;
  store.ledger->close(kAlice);
  store.now_ms += 5000;
  const InstanceState again = store.open(kAlice, of_age(store.claim(), first_seen_ms)).value();
  CHECK(again.last_action == Sequence{});
  CHECK(again.first_seen_ms == first_seen_ms);
  CHECK(store.act(kAlice, 1, "a") == "execute");
}

}  // namespace libsync
