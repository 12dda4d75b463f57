#include "libsync/client.h"

#include <doctest/doctest.h>

#include "unit/client_pair.h"

namespace libsync {
namespace {

using test::ClientPair;
using namespace std::chrono_literals;
using Step = ClientPair::Step;
using States = std::vector<ConnectionState>;

// Started, with everything stored, and live for long enough to be stable.
struct Live : ClientPair {
  explicit Live(Limits bounds = {}, ClientConfig client_config = {}) : ClientPair(bounds, std::move(client_config)) {
    client->subscribe(now, "world");
    start();
    advance(6s);
    REQUIRE(client->state() == ConnectionState::kLive);
  }
};

States states_of(const ClientPair& pair) {
  States states;
  for (const StateChanged& changed : pair.saw<StateChanged>()) states.push_back(changed.state);
  return states;
}

std::vector<std::uint64_t> ended_of(const ClientPair& pair) {
  std::vector<std::uint64_t> ids;
  for (const ActionEnded& ended : pair.saw<ActionEnded>()) ids.push_back(ended.id.value);
  return ids;
}

// One thing after the other until the client wants to store that an action has ended.
void step_until_removal(ClientPair& pair) {
  const auto is_removal = [&] { return !pair.storing.empty() && !pair.storing.front().removed.empty(); };
  while (!is_removal() && !pair.possible().empty()) pair.make(pair.possible().front());
  REQUIRE(is_removal());
}

}  // namespace

// --- What is stored before what ----------------------------------------------------------------------------

TEST_CASE("client: stores who it is before the first connection, and that it is not new before the first action") {
  ClientPair pair;
  pair.client->subscribe(pair.now, "world");
  pair.stores = false;
  pair.act("one");
  pair.start();
  CHECK(pair.client->state() == ConnectionState::kConnecting);
  CHECK(pair.n_opens == 0);
  REQUIRE(pair.storing.size() == 2);
  CHECK(pair.storing[0].records.at(0).key == "identity");
  pair.finish_store(true);
  pair.poll();
  CHECK(pair.n_opens == 1);
  pair.finish_store(true);  // the action
  pair.settle();
  REQUIRE(pair.session != nullptr);
  CHECK(pair.session->is_live());
  REQUIRE(pair.storing.size() == 1);  // that a Welcome has come
  CHECK(pair.sent(protocol::Message::Action).empty());
  pair.finish_store(true);
  pair.settle();
  CHECK(pair.sent(protocol::Message::Action).size() == 1);
  CHECK(pair.game == std::vector<std::string>{"one"});
}

TEST_CASE("client: an action is sent when it is stored, and one that could not be stored is not executed") {
  Live pair;
  pair.stores = false;
  for (const char* payload : {"one", "two", "three"}) pair.act(payload);
  pair.advance(1s);
  CHECK(pair.sent(protocol::Message::Action).empty());
  pair.finish_store(true);
  pair.settle();
  CHECK(pair.game == std::vector<std::string>{"one"});
  pair.finish_store(false);
  pair.finish_store(true);
  pair.stores = true;
  pair.advance(2s);
  CHECK(pair.game == std::vector<std::string>{"one", "three"});
  CHECK(pair.saw<ActionStored>().size() == 2);
  REQUIRE(pair.saw<ActionLost>().size() == 1);
  CHECK(pair.saw<ActionLost>()[0].id == ActionId{2});
  CHECK(pair.saw<ActionLost>()[0].error.code == ErrorCode::kStoreUnavailable);
  CHECK(pair.client->queued_actions() == 0);
}

TEST_CASE("client: an action has ended when it is durable, and is confirmed when that is stored") {
  Live pair;
  pair.commits = false;
  pair.act("one");
  pair.advance(3s);
  REQUIRE(pair.saw<ActionAnswered>().size() == 1);
  CHECK(pair.saw<ActionAnswered>()[0].result.message == "one");
  CHECK(ended_of(pair).empty());
  CHECK(pair.client_disk.size() == 2);
  pair.commits = true;
  step_until_removal(pair);
  pair.stores = false;
  pair.advance(5s);
  CHECK(ended_of(pair).empty());
  CHECK(pair.ledger->find(pair.instance, Sequence{1}) != nullptr);
  pair.stores = true;
  pair.advance(2s);
  CHECK(pair.ledger->find(pair.instance, Sequence{1}) == nullptr);
  CHECK(pair.client_disk.size() == 1);
}

TEST_CASE("client: each attempt has a higher number than all before it, over all its processes") {
  ClientPair pair;
  for (int process = 0; process < 3; ++process) {
    pair.start();
    for (int i = 0; i < 70; ++i) {
      pair.settle();
      pair.cut();
      pair.client->wake(pair.now);
      pair.poll();
    }
    pair.crash_client(process % 2 == 0 ? 0 : 99);
  }
  REQUIRE(pair.hellos.size() > 200);
  for (std::size_t i = 1; i < pair.hellos.size(); ++i) CHECK(pair.hellos[i].attempt > pair.hellos[i - 1].attempt);
  CHECK(pair.saw<StateChanged>().empty());
}

TEST_CASE("client: resumes its session, in the same process and in the next") {
  Live pair;
  CHECK_FALSE(pair.hellos.back().resume);
  pair.cut();
  pair.advance(10s);
  REQUIRE(pair.hellos.back().resume);
  CHECK(pair.registry->session_count() == 1);
  pair.crash_client();
  pair.start();
  pair.settle();
  CHECK(pair.hellos.back().resume);
  CHECK_FALSE(pair.hellos.back().is_new);
  CHECK(pair.registry->session_count() == 1);
  CHECK(pair.registry->lingering_count() == 0);
}

TEST_CASE("client: records that cannot be read are as none") {
  Live pair;
  const protocol::Id128 before = pair.client->instance();
  for (std::size_t cut = 0; cut < pair.client_disk["identity"].size(); cut += 5) {
    Bytes& identity = pair.client_disk["identity"];
    identity.resize(identity.size() - 5);
    pair.crash_client();
    CHECK(pair.client->instance().low() != before.low());
    CHECK(pair.client->queued_actions() == 0);
  }
  pair.start();
  pair.settle();
  CHECK(pair.hellos.back().is_new);
  CHECK(pair.hellos.back().attempt == 1);
}

// --- Refused, lost, given up -------------------------------------------------------------------------------

TEST_CASE("client: an action that was refused is not executed after a crash that forgot the refusal") {
  Live pair;
  pair.commits = false;
  pair.act("no way");
  pair.act("two");
  pair.advance(1s);
  REQUIRE(pair.saw<ActionAnswered>().size() == 2);
  CHECK(pair.saw<ActionAnswered>()[1].result.status == ActionStatus::kRefused);  // told when that is stored
  pair.crash_client();                                                           // also the next process knows
  pair.crash_server();
  pair.commits = true;
  pair.start();
  pair.advance(5s);
  REQUIRE_FALSE(pair.sent(protocol::Message::Action).empty());
  CHECK(pair.sent(protocol::Message::Action)[0]->message.AsAction()->is_withdrawn);
  CHECK(pair.sent(protocol::Message::Action)[0]->message.AsAction()->payload.empty());
  CHECK(pair.game == std::vector<std::string>{"two"});
  CHECK(pair.saw<ActionAnswered>().size() == 2);  // of both, once more: the process before may not have said it
  CHECK(ended_of(pair) == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("client: a server that lost what was durable makes it a new instance with what it has not sent") {
  Limits limits;
  limits.max_actions_in_flight = 2;
  Live pair(limits);
  pair.answers = false;
  for (const char* payload : {"one", "two", "three", "four"}) pair.act(payload);
  pair.settle();
  CHECK(pair.game.size() == 2);
  const protocol::Id128 before = pair.client->instance();
  pair.server_disk.clear();
  pair.durable_game.clear();
  pair.answers = true;
  pair.crash_server();
  pair.advance(10s);
  REQUIRE(pair.saw<ActionLost>().size() == 2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    CHECK(pair.saw<ActionLost>()[i].id == ActionId{i + 1});
    CHECK(pair.saw<ActionLost>()[i].error.code == ErrorCode::kUnknownInstance);
  }
  CHECK(pair.client->instance().low() != before.low());
  CHECK(pair.client->state() == ConnectionState::kLive);
  CHECK(pair.game == std::vector<std::string>{"three", "four"});
  CHECK(ended_of(pair) == std::vector<std::uint64_t>{3, 4});
  // And so it is for the next process.
  const protocol::Id128 after = pair.client->instance();
  pair.crash_client();
  CHECK(pair.client->instance().low() == after.low());
  pair.start();
  pair.settle();
  pair.act("five");
  pair.advance(1s);
  CHECK(ended_of(pair) == std::vector<std::uint64_t>{5});
}

TEST_CASE("client: takes only as many actions, and as large ones, as it can send") {
  ClientConfig config;
  config.actions.max_actions = 2;
  Live pair({}, config);
  CHECK(pair.client->act(pair.now, Bytes(pair.limits.max_message_bytes)).error().code == ErrorCode::kMessageTooBig);
  pair.answers = false;
  pair.act("one");
  pair.act("two");
  CHECK(pair.client->act(pair.now, {}).error().code == ErrorCode::kTooManyActions);
}

TEST_CASE("client: a connection that was replaced ends it for good, until it is started again") {
  Live pair;
  pair.session->disconnect(pair.now, CloseCode::kReplaced, ErrorCode::kReplaced, "a newer one");
  pair.advance(60s);
  CHECK(pair.client->state() == ConnectionState::kFailed);
  CHECK(pair.saw<StateChanged>().back().error.code == ErrorCode::kReplaced);
  CHECK(pair.n_opens == 1);
  pair.client->wake(pair.now);
  pair.advance(60s);
  CHECK(pair.n_opens == 1);
  pair.start();
  pair.settle();
  CHECK(pair.client->state() == ConnectionState::kLive);
}

TEST_CASE("client: comes back without its session when that was revoked") {
  Live pair;
  pair.session->disconnect(pair.now, CloseCode::kStateInvalid, ErrorCode::kSessionRevoked, "stolen");
  pair.advance(20s);
  CHECK(pair.client->state() == ConnectionState::kLive);
  CHECK_FALSE(pair.hellos.back().resume);
  CHECK_FALSE(pair.hellos.back().is_new);
  CHECK(pair.saw<ActionLost>().empty());
}

// --- Connecting again --------------------------------------------------------------------------------------

TEST_CASE("client: idle, connecting, syncing, live, and back again when the connection is lost") {
  Live pair;
  using enum ConnectionState;
  CHECK(states_of(pair) == States{kConnecting, kSyncing, kLive});
  pair.cut();
  pair.advance(5s);
  CHECK(states_of(pair) == States{kConnecting, kSyncing, kLive, kReconnecting, kConnecting, kSyncing, kLive});
  REQUIRE(pair.client->held("world") != nullptr);
}

TEST_CASE("client: waits at random up to 0.5 s x 2^n and 20 s, and after a stable connection up to the window") {
  ClientConfig config;
  Live pair({}, config);
  Duration longest{};
  for (int round = 0; round < 200; ++round) {
    pair.cut();
    const Duration wait = pair.client_deadline - pair.now;
    CHECK(wait >= Duration::zero());
    CHECK(wait < pair.limits.reconnect_window);
    longest = std::max(longest, wait);
    pair.advance(10s);
    REQUIRE(pair.client->state() == ConnectionState::kLive);
  }
  CHECK(longest > pair.limits.reconnect_window * 9 / 10);

  pair.accepts = false;
  std::vector<Duration> longest_of(12);
  for (int round = 0; round < 100; ++round) {
    pair.client->suspend(pair.now);
    pair.start();
    for (std::size_t n = 1; n < longest_of.size(); ++n) {
      REQUIRE(pair.wants_open);
      pair.cut();
      const Duration wait = pair.client_deadline - pair.now;
      CHECK(wait < std::min<Duration>(20s, 500ms * (1 << n)));
      longest_of[n] = std::max(longest_of[n], wait);
      pair.advance(wait);
    }
  }
  for (std::size_t n = 1; n < longest_of.size(); ++n) {
    CHECK(longest_of[n] > std::min<Duration>(20s, 500ms * (1 << n)) * 8 / 10);
  }
}

TEST_CASE("client: never comes before the time that the server named") {
  Live pair;
  pair.session->disconnect(pair.now, CloseCode::kTooManySessions, ErrorCode::kTooManySessions, "later", 30s);
  pair.settle();
  CHECK(pair.client->state() == ConnectionState::kReconnecting);
  CHECK(pair.client_deadline >= pair.now + 30s);
  CHECK(pair.client_deadline < pair.now + 30s + pair.limits.reconnect_window);
}

TEST_CASE("client: gives up after max_retries failures in a row") {
  ClientConfig config;
  config.max_retries = 3;
  ClientPair pair({}, config);
  pair.accepts = false;
  pair.start();
  pair.settle();
  for (int n = 1; n <= 4; ++n) {
    REQUIRE(pair.wants_open);
    CHECK(pair.client->state() == ConnectionState::kConnecting);
    pair.cut();
    pair.advance(20s);
  }
  CHECK(pair.client->state() == ConnectionState::kFailed);
  CHECK(pair.n_opens == 4);
}

TEST_CASE("client: an attempt without an answer ends after the connect timeout") {
  ClientPair pair;
  pair.accepts = false;
  pair.start();
  pair.advance(20s - 1us);
  CHECK(pair.client->state() == ConnectionState::kConnecting);
  pair.advance(1us);
  CHECK(pair.client->state() == ConnectionState::kReconnecting);
  CHECK_FALSE(pair.wants_open);
  pair.advance(2s);
  CHECK(pair.wants_open);
}

TEST_CASE("client: a server that falls silent is left, and found again") {
  Live pair;
  const int before = pair.n_opens;
  pair.session.reset();  // without a close
  pair.server_deadline = TimePoint::max();
  pair.advance(25s);
  CHECK(pair.n_opens == before + 1);
  CHECK(pair.client->state() == ConnectionState::kLive);
}

TEST_CASE("client: goes when the server asks it to, at a random moment within the time") {
  bool is_early = false, is_late = false;
  Live pair;
  for (int round = 0; round < 30; ++round) {
    const int before = pair.n_opens;
    const TimePoint asked = pair.now;
    pair.session->go_away(pair.now, 10s, "maintenance");
    pair.settle();
    CHECK(pair.client->state() == ConnectionState::kLive);
    while (pair.n_opens == before && pair.now < asked + 11s) pair.advance(100ms);
    CHECK(pair.n_opens == before + 1);
    CHECK(pair.now - asked <= 10s + 100ms);
    is_early |= pair.now - asked < 4s;
    is_late |= pair.now - asked > 6s;
    pair.advance(6s);
    REQUIRE(pair.client->state() == ConnectionState::kLive);
    CHECK(pair.hellos.back().resume);
  }
  CHECK(is_early);
  CHECK(is_late);
}

TEST_CASE("client: asks for a token before the old one expires, and again before the next") {
  ClientPair pair;
  pair.token_expires_at = pair.now + 10min;
  pair.start();
  pair.advance(9min - 1s);
  CHECK(pair.saw<TokenNeeded>().empty());
  pair.advance(2s);
  CHECK(pair.saw<TokenNeeded>().size() == 1);
  pair.client->renew_token(pair.now, "bad");
  pair.advance(1s);
  REQUIRE(pair.saw<PeerError>().size() == 1);
  CHECK(pair.saw<PeerError>()[0].error.code == ErrorCode::kUnauthenticated);
  pair.client->renew_token(pair.now, "good");
  pair.advance(9min + 1s);
  CHECK(pair.saw<TokenNeeded>().size() == 2);
  CHECK(pair.n_opens == 1);
}

TEST_CASE("client: suspended it makes no connection until it is started, and keeps actions and session") {
  Live pair;
  pair.client->suspend(pair.now);
  pair.poll();
  CHECK(pair.client->state() == ConnectionState::kSuspended);
  CHECK(pair.session == nullptr);
  pair.act("one");
  pair.client->wake(pair.now);
  pair.advance(60s);
  CHECK(pair.n_opens == 1);
  pair.start();
  pair.advance(1s);
  CHECK(pair.client->state() == ConnectionState::kLive);
  CHECK(pair.hellos.back().resume);
  CHECK(pair.game == std::vector<std::string>{"one"});
}

TEST_CASE("client: stopped it says goodbye, and is idle until it is started") {
  Live pair;
  pair.client->stop(pair.now);
  pair.poll();
  CHECK(pair.client->state() == ConnectionState::kIdle);
  CHECK(pair.sent(protocol::Message::Disconnect).size() == 1);
  pair.client->wake(pair.now);
  pair.advance(60s);
  CHECK(pair.n_opens == 1);
  pair.start();
  pair.settle();
  CHECK(pair.client->state() == ConnectionState::kLive);
  CHECK_FALSE(pair.hellos.back().resume);
}

TEST_CASE("client: woken it waits no longer") {
  Live pair;
  pair.accepts = false;
  pair.cut();
  CHECK_FALSE(pair.wants_open);
  pair.client->wake(pair.now);
  pair.poll();
  CHECK(pair.wants_open);
  pair.accepts = true;
  pair.settle();
  CHECK(pair.client->state() == ConnectionState::kLive);
  pair.client->wake(pair.now);  // nothing to wake from
  pair.settle();
  CHECK(pair.n_opens == 2);
}

TEST_CASE("client: closes that may lead to another connection are those of section 6") {
  for (const int code : {0, 1000, 1001, 1006, 1012, 1013, 4000, 4001, 4004, 4005, 4007, 4499}) {
    CHECK(may_reconnect(static_cast<CloseCode>(code)));
  }
  for (const int code : {1002, 1003, 1007, 1009, 4500, 4501, 4504, 4505, 4999}) {
    CHECK_FALSE(may_reconnect(static_cast<CloseCode>(code)));
  }
}

}  // namespace libsync
