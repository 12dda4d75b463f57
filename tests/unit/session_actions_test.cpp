// Sessions carry actions, results and confirmations; they do not judge them. See action_ledger_test.cpp.
#include <doctest/doctest.h>

#include "libsync/session.h"
#include "unit/session_fixture.h"

namespace libsync {

using test::disconnect_code;
using test::inject;
using test::Live;
using namespace std::chrono_literals;

TEST_CASE("session: each action is answered once, in order") {
  Live live;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    REQUIRE(live.connection.client->act(live.world.now, Sequence{i}, Bytes(4)).has_value());
  }
  live.world.settle();
  CHECK(live.connection.server_saw<ActionReceived>().size() == 20);
  const auto results = live.connection.client_saw<ActionFinished>();
  REQUIRE(results.size() == 20);
  for (std::size_t i = 0; i < 20; ++i) CHECK(results[i]->result.action_sequence == i + 1);
}

TEST_CASE("session: an action above the rate is not given to the application, and may come again") {
  Limits limits;
  limits.messages_per_second = 10;
  limits.messages_burst = 5;
  Live live(limits);
  for (std::uint64_t i = 1; i <= 20; ++i) {
    protocol::ActionT action;
    action.action_sequence = i;
    inject(live.world, live.connection, 2 + i, std::move(action));
  }
  live.world.settle();
  CHECK(live.connection.server_saw<ActionReceived>().size() == 3);  // Hello and Subscribe took the other two
  std::size_t n_failed = 0;
  for (const ActionFinished* finished : live.connection.client_saw<ActionFinished>()) {
    if (finished->result.status != ActionStatus::kFailed) continue;
    ++n_failed;
    CHECK(finished->result.code == ErrorCode::kRateLimited);
    CHECK(finished->result.retry_after_ms > 0);
    CHECK(finished->result.retry_after_ms <= 101);
  }
  CHECK(n_failed == 17);
}

TEST_CASE("session: a withdrawn action, and what the server says of all, arrive as they were said") {
  Live live;
  REQUIRE(live.connection.client->act(live.world.now, Sequence{1}, Bytes(4), true).has_value());
  live.world.settle();
  REQUIRE(live.connection.server_saw<ActionReceived>().size() == 1);
  CHECK(live.connection.server_saw<ActionReceived>()[0]->is_withdrawn);
  live.connection.server->confirm_durable(live.world.now, Sequence{1});
  live.world.settle();
  REQUIRE(live.connection.client_saw<ActionsNowDurable>().size() == 1);
  CHECK(live.connection.client_saw<ActionsNowDurable>()[0]->sequence.value == 1);
}

TEST_CASE("session: a confirmation leaves with the next action, or within a second, or when many wait") {
  Limits limits;
  limits.max_actions_in_flight = 4;
  Live live(limits);
  const auto confirmed = [&] {
    const auto seen = live.connection.server_saw<ActionsConfirmed>();
    return seen.empty() ? 0 : seen.back()->sequence.value;
  };
  live.connection.server->confirm_durable(live.world.now, Sequence{10});
  live.world.advance(2s);
  live.connection.client->confirm_actions(live.world.now, Sequence{1});
  live.world.settle();
  CHECK(confirmed() == 0);
  live.world.advance(1s);
  CHECK(confirmed() == 1);
  live.connection.client->confirm_actions(live.world.now, Sequence{2});
  REQUIRE(live.connection.client->act(live.world.now, Sequence{11}, {}).has_value());
  live.world.settle();
  CHECK(confirmed() == 2);
  live.connection.client->confirm_actions(live.world.now, Sequence{4});
  live.world.settle();
  CHECK(confirmed() == 4);
  live.world.advance(5s);  // an ack that has nothing to say is not sent
  CHECK(live.connection.server_saw<ActionsConfirmed>().size() == 3);
}

TEST_CASE("session: confirming what was not said to be durable ends the connection") {
  Live live;
  live.connection.server->confirm_durable(live.world.now, Sequence{3});
  live.world.settle();
  SUBCASE("with an ack") {
    protocol::AckT ack;
    ack.confirmed_action = 4;
    inject(live.world, live.connection, 3, std::move(ack));
  }
  SUBCASE("with an action") {
    protocol::ActionT action;
    action.action_sequence = 4;
    action.confirmed_action = 4;
    inject(live.world, live.connection, 3, std::move(action));
  }
  live.world.settle();
  CHECK(disconnect_code(live.connection) == ErrorCode::kAckOfUnsent);
  CHECK(live.connection.server_saw<ActionReceived>().empty());
}

TEST_CASE("session: an action that the server's limit does not allow is not sent") {
  Limits limits;
  limits.max_message_bytes = 1000;
  Live live(limits);
  const auto too_big = live.connection.client->act(live.world.now, Sequence{1}, Bytes(1000));
  REQUIRE(!too_big.has_value());
  CHECK(too_big.error().code == ErrorCode::kMessageTooBig);
  CHECK(live.connection.client->act(live.world.now, Sequence{1}, Bytes(800)).has_value());
  live.world.settle();
  CHECK(live.connection.client_saw<ActionFinished>().size() == 1);
}

}  // namespace libsync
