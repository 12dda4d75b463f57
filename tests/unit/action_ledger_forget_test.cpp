// What ActionLedger forgets, what it keeps of that, and what it takes from a store.
#include <doctest/doctest.h>

#include <set>

#include "libsync/action_ledger.h"
#include "unit/ledger_store.h"

namespace libsync {
namespace {

using test::instance_key;
using test::LedgerStore;
using test::of_age;
using test::pick;
using test::Random;
using test::text_of;

constexpr std::uint64_t kHorizonMs = 100'000;

Limits small_limits() {
  Limits limits;
  limits.max_instances_per_user = 3;
  limits.max_instances = 8;
  limits.instance_horizon = std::chrono::milliseconds(kHorizonMs);
  return limits;
}

}  // namespace

TEST_CASE("action ledger: forgets an instance that did not act for the horizon, also after a crash") {
  LedgerStore store(small_limits());
  const InstanceKey old = instance_key("alice", 1);
  const InstanceClaim claim = of_age(store.claim(), store.now_ms);
  store.act_once(old);
  store.now_ms += kHorizonMs + 1;
  CHECK(store.open_code(old, claim) == ErrorCode::kNone);  // nobody acted since: still there
  store.ledger->close(old);
  store.act_once(instance_key("bob", 1));
  CHECK(store.ledger->instance_count() == 1);
  CHECK(store.open_code(old, claim) == ErrorCode::kUnknownInstance);
  store.commit();
  store.crash();
  CHECK(store.ledger->instance_count() == 1);
  CHECK(store.open_code(old, claim) == ErrorCode::kUnknownInstance);
}

TEST_CASE("action ledger: a user's instance that was used least recently goes when there is one too many") {
  LedgerStore store(small_limits());
  const InstanceClaim claim = store.claim();
  for (std::uint64_t i = 1; i <= 3; ++i) store.act_once(instance_key("alice", i));
  REQUIRE(store.open(instance_key("alice", 1), claim));
  CHECK(store.act(instance_key("alice", 1), 2, "again") == "execute");
  store.ledger->close(instance_key("alice", 1));
  store.now_ms += 10;
  store.act_once(instance_key("alice", 4));
  CHECK(store.ledger->instance_count() == 3);
  CHECK(store.open_code(instance_key("alice", 2), claim) == ErrorCode::kUnknownInstance);
  CHECK(store.open_code(instance_key("alice", 1), claim) == ErrorCode::kNone);
  CHECK(store.open_code(instance_key("alice", 3), claim) == ErrorCode::kNone);
  // Others of the same age are not concerned.
  CHECK(store.open_code(instance_key("bob", 1), claim) == ErrorCode::kNone);
  store.commit();
  store.crash();
  CHECK(store.open_code(instance_key("alice", 2), claim) == ErrorCode::kUnknownInstance);
  CHECK(store.open_code(instance_key("bob", 1), claim) == ErrorCode::kNone);
}

TEST_CASE("action ledger: in all at most max_instances that are not connected are kept") {
  LedgerStore store(small_limits());
  for (std::uint64_t i = 1; i <= 40; ++i) {
    store.act_once(instance_key("user " + std::to_string(i), 1));
    ++store.now_ms;
    CHECK(store.ledger->instance_count() <= 8 + 1);
  }
  CHECK(store.ledger->instance_count() == 8);
  CHECK(store.open_code(instance_key("user 32", 1), of_age(store.claim(), store.now_ms - 9)) ==
        ErrorCode::kUnknownInstance);
  CHECK(store.open_code(instance_key("user 33", 1), of_age(store.claim(), store.now_ms - 8)) == ErrorCode::kNone);
  store.commit();
  CHECK(store.disk.size() == 9);
  store.crash();
  CHECK(store.ledger->instance_count() == 8);
}

TEST_CASE("action ledger: an instance that is connected is never forgotten") {
  LedgerStore store(small_limits());
  std::vector<InstanceKey> connected;
  for (std::uint64_t i = 1; i <= 12; ++i) connected.push_back(instance_key("alice", i));
  for (const InstanceKey& key : connected) {
    store.open_new(key);
    CHECK(store.act(key, 1, "a") == "execute");
  }
  store.now_ms += 3 * kHorizonMs;
  for (std::uint64_t i = 1; i <= 20; ++i) store.act_once(instance_key("user " + std::to_string(i), 1));
  for (const InstanceKey& key : connected) CHECK(store.act(key, 1, "a") == "repeat");
  for (const InstanceKey& key : connected) CHECK(store.act(key, 2, "b") == "execute");
}

TEST_CASE("action ledger: an instance that has not acted and is older than one forgotten is unknown") {
  LedgerStore store(small_limits());
  const InstanceClaim early = of_age(store.claim(), store.now_ms - 1);
  const InstanceClaim late = of_age(store.claim(), store.now_ms + 1);
  store.act_once(instance_key("alice", 1));
  store.now_ms += 2 * kHorizonMs;
  store.act_once(instance_key("alice", 2));  // forgets the first one
  CHECK(store.open_code(instance_key("alice", 3), early) == ErrorCode::kUnknownInstance);
  CHECK(store.open_code(instance_key("alice", 4), of_age(early, early.first_seen_ms + 1)) ==
        ErrorCode::kUnknownInstance);
  CHECK(store.open_code(instance_key("alice", 5), late) == ErrorCode::kNone);
  CHECK(store.open_code(instance_key("alice", 3), {}) == ErrorCode::kNone);  // says that it never had a Welcome
}

TEST_CASE("action ledger: a new instance is younger than what was forgotten, although the wall clock ran backwards") {
  LedgerStore store(small_limits());
  store.act_once(instance_key("alice", 1));
  const std::uint64_t forgotten_ms = store.now_ms;
  store.now_ms += 2 * kHorizonMs;
  store.act_once(instance_key("bob", 1));
  store.commit();
  store.crash();
  store.now_ms = forgotten_ms - 50'000;
  const InstanceKey key = instance_key("carol", 1);
  const InstanceState state = store.open(key, {}).value();
  CHECK(state.first_seen_ms > forgotten_ms);
  store.ledger->close(key);
  CHECK(store.open_code(key, of_age(store.claim(), state.first_seen_ms)) == ErrorCode::kNone);
}

TEST_CASE("action ledger: what is kept of a user's forgotten instances goes with the last of them") {
  LedgerStore store(small_limits());
  for (std::uint64_t i = 1; i <= 6; ++i) store.act_once(instance_key("alice", i));
  store.commit();
  CHECK(store.disk.contains("horizon/alice"));
  store.now_ms += 2 * kHorizonMs;
  store.act_once(instance_key("bob", 1));
  CHECK(store.ledger->instance_count() == 1);
  store.commit();
  CHECK_FALSE(store.disk.contains("horizon/alice"));
  CHECK(store.disk.size() == 2);  // bob's, and the ledger's own
  const InstanceClaim claim = of_age(store.claim(), store.now_ms - 2 * kHorizonMs);
  for (std::uint64_t i = 1; i <= 6; ++i) {
    CHECK(store.open_code(instance_key("alice", i), claim) == ErrorCode::kUnknownInstance);
  }
}

// --- From the store ----------------------------------------------------------------------------------------

TEST_CASE("action ledger: an empty store makes a new ledger, and its identity is the first thing to be stored") {
  LedgerStore store;
  REQUIRE(store.ledger->load({}));
  CHECK(store.ledger->id().high() == 1000);
  CHECK(store.ledger->has_changes());
  store.commit();
  CHECK_FALSE(store.ledger->has_changes());
  store.crash();
  CHECK(store.ledger->id().high() == 1000);
  CHECK_FALSE(store.ledger->has_changes());
}

TEST_CASE("action ledger: does not begin without the record of what it has forgotten") {
  LedgerStore store;
  store.act_once(instance_key("alice", 1));
  store.commit();
  store.disk.erase("horizon");
  ActionLedger ledger(store.limits, protocol::Id128(1, 2));
  const auto loaded = ledger.load(store.records());
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().code == ErrorCode::kMalformed);
}

TEST_CASE("action ledger: takes no record under the key of another") {
  LedgerStore store(small_limits());
  for (std::uint64_t i = 1; i <= 5; ++i) store.act_once(instance_key("alice", i));
  store.act_once(instance_key("bob", 1));
  store.commit();
  REQUIRE(store.disk.contains("horizon/alice"));
  std::vector<ActionLedger::Record> extra = store.records();
  for (const auto& [key, value] : store.disk) {
    for (const ActionLedger::Record& other : extra) {
      if (other.key == key) continue;
      ActionLedger ledger(store.limits, protocol::Id128(1, 2));
      std::vector<ActionLedger::Record> swapped{{"horizon", store.disk["horizon"]}, {key, other.value}};
      const auto loaded = ledger.load(swapped);
      REQUIRE_FALSE(loaded);
      CHECK(loaded.error().code == ErrorCode::kMalformed);
    }
  }
}

TEST_CASE("action ledger: bent and cut records do no harm, and never become those of another instance") {
  LedgerStore store(small_limits());
  for (std::uint64_t i = 1; i <= 4; ++i) store.act_once(instance_key("alice", i));
  store.commit();
  const std::vector<ActionLedger::Record> good = store.records();
  REQUIRE(good.size() == 5);
  int n_accepted = 0;
  for (std::size_t r = 0; r < good.size(); ++r) {
    const auto load = [&](Bytes value) {
      std::vector<ActionLedger::Record> records = good;
      records[r].value = std::move(value);
      ActionLedger ledger(store.limits, protocol::Id128(1, 2));
      if (!ledger.load(records)) return;
      ++n_accepted;
      // A payload or a time may differ; who it is of, and how many there are, may not.
      CHECK(ledger.instance_count() == 3);
      for (std::uint64_t i = 2; i <= 4; ++i) {
        const InstanceClaim claim{false, ledger.id(), store.now_ms, Sequence{}};
        const auto opened = ledger.open(instance_key("alice", i), claim, store.now_ms);
        REQUIRE(opened);
        CHECK(opened->last_action.value >= 1);
        (void)ledger.decide(instance_key("alice", i), Sequence{1}, {}, false, store.now_ms);
      }
    };
    for (std::size_t i = 0; i < good[r].value.size(); ++i) {
      for (const unsigned mask : {1u, 16u, 128u, 255u}) {
        Bytes bent = good[r].value;
        bent[i] ^= static_cast<std::byte>(mask);
        load(std::move(bent));
      }
      load(Bytes(good[r].value.begin(), good[r].value.begin() + static_cast<std::ptrdiff_t>(i)));
    }
  }
  CHECK(n_accepted > 0);
}

// --- Against a model ---------------------------------------------------------------------------------------

namespace {

// A client that keeps the rules: it is not new once it had a Welcome, and claims what it was told.
struct HonestClient {
  InstanceKey key;
  InstanceClaim claim;
  std::uint64_t durable = 0;  // as it was told
  bool is_open = false;
};

struct Model {
  explicit Model(std::uint64_t seed) : store(small_limits()), random(seed) {
    for (int i = 0; i < 30; ++i) renew(clients.emplace_back(), "user " + std::to_string(i % 6));
  }

  void renew(HonestClient& client, std::string user) {
    client = {};
    client.key = instance_key(std::move(user), ++n_instances);
  }

  void open(HonestClient& client) {
    const auto opened = store.open(client.key, client.claim);
    if (!opened) {
      ++n_unknown;
      REQUIRE(opened.error().code == ErrorCode::kUnknownInstance);
      return renew(client, client.key.user);
    }
    if (!client.claim.is_new) ++n_known;
    client.is_open = true;
    CHECK(opened->durable <= opened->last_action);
    CHECK(opened->last_action.value == last[client.key]);
    if (client.claim.is_new) client.claim.first_seen_ms = opened->first_seen_ms;
    CHECK(client.claim.first_seen_ms == opened->first_seen_ms);
    client.claim.is_new = false;
    client.claim.ledger = store.ledger->id();
    client.durable = std::max(client.durable, opened->durable.value);
  }

  void act(HonestClient& client) {
    const std::uint64_t sequence = pick(random, client.claim.confirmed.value + 1, last[client.key] + 1);
    // Under one sequence a client sends the same payload always.
    const std::string outcome = store.act(client.key, sequence, "payload " + std::to_string(sequence));
    if (outcome == "execute") {
      CHECK(sequence == last[client.key] + 1);
      const bool was_durable = durable.contains({client.key, sequence});
      CHECK_FALSE(was_durable);
      last[client.key] = sequence;
    } else if (outcome == "repeat") {
      CHECK(sequence <= last[client.key]);
      CHECK(text_of(*store.ledger->find(client.key, Sequence{sequence})) == "did payload " + std::to_string(sequence));
    } else {
      CHECK(outcome == (is_failing ? "kStoreUnavailable" : "kTooManyActions"));
    }
  }

  void begin_commit() {
    if (commit) return;
    commit = store.ledger->take_changes();
    committing_last = last;
  }
  void write_commit() {
    store.write(*commit);
    disk_last = committing_last;
    for (const auto& [key, sequence] : disk_last) {
      for (std::uint64_t i = sequence; i > 0 && durable.insert({key, i}).second; --i) {
      }
    }
  }
  void end_commit() {
    if (!commit) return;
    is_failing = pick(random, 0, 3) == 0;
    if (is_failing) {
      CHECK(store.ledger->committed(false).empty());
      CHECK((store.ledger->has_changes() || commit->records.empty()));
      return commit.reset();
    }
    write_commit();
    for (const auto& [key, sequence] : store.ledger->committed(true)) {
      for (HonestClient& client : clients) {
        if (!(client.key < key) && !(key < client.key) && client.is_open) client.durable = sequence.value;
      }
    }
    commit.reset();
  }
  void crash() {
    if (commit && pick(random, 0, 1) == 0) write_commit();
    commit.reset();
    is_failing = false;
    store.crash();
    last = disk_last;
    for (HonestClient& client : clients) client.is_open = false;
  }

  void step() {
    HonestClient& client = clients[pick(random, 0, clients.size() - 1)];
    switch (pick(random, 0, 19)) {
      case 0: return crash();
      case 1:
      case 2:
      case 3: return begin_commit();
      case 4:
      case 5:
      case 6: return end_commit();
      case 7: store.now_ms += pick(random, 0, kHorizonMs / 2); return;
      case 8: store.now_ms -= pick(random, 0, kHorizonMs / 4); return;
      case 9:
      case 10:
        client.claim.confirmed.value = client.durable;
        if (client.is_open) store.ledger->confirm(client.key, client.claim.confirmed);
        return;
      case 11:
      case 12:
      case 13:
        if (client.is_open) store.ledger->close(client.key);
        client.is_open = false;
        return;
      default: client.is_open ? act(client) : open(client);
    }
  }

  LedgerStore store;
  Random random;
  std::vector<HonestClient> clients;
  std::uint64_t n_instances = 0;
  std::map<InstanceKey, std::uint64_t> last, committing_last, disk_last;
  std::set<std::pair<InstanceKey, std::uint64_t>> durable;
  std::optional<ActionLedger::Changes> commit;
  bool is_failing = false;
  int n_known = 0, n_unknown = 0;
};

}  // namespace

TEST_CASE("action ledger: whatever fails or is forgotten, no action that was durable is executed again") {
  int n_known = 0, n_unknown = 0;
  std::size_t n_durable = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    Model model(seed);
    for (int i = 0; i < 1500; ++i) {
      model.step();
      REQUIRE(model.store.ledger->instance_count() <= 8 + model.clients.size());
    }
    n_known += model.n_known;
    n_unknown += model.n_unknown;
    n_durable += model.durable.size();
  }
  CHECK(n_known > 10000);
  CHECK(n_unknown > 1000);
  CHECK(n_durable > 1000);
}

}  // namespace libsync
