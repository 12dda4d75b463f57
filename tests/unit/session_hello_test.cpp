// Sessions: Hello and Welcome, silence, acks, expiry.
#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/patch.h"
#include "libsync/session.h"
#include "unit/session_fixture.h"

namespace libsync {

using test::Connection;
using test::disconnect_code;
using test::holds;
using test::inject;
using test::kTick;
using test::Live;
using test::state;
using test::World;
using namespace std::chrono_literals;

TEST_CASE("session: silence is asked about after 9 s and ends the connection after 18 s, on both sides") {
  Live live;
  live.world.advance(60s);  // heartbeats keep an idle connection alive
  CHECK(!live.connection.server->is_closed());
  CHECK(live.connection.client->is_live());
  const TimePoint silent_since = live.world.now;
  // A black hole: each side hears nothing more.
  ServerSession& server = *live.connection.server;
  ClientSession& client = *live.connection.client;
  TimePoint server_closed = TimePoint::max();
  TimePoint client_closed = TimePoint::max();
  for (TimePoint now = silent_since; now < silent_since + 30s; now += 10ms) {
    server.handle_timeout(now);
    client.handle_timeout(now);
    while (!std::holds_alternative<Deadline>(server.poll_output(now))) {
    }
    while (!std::holds_alternative<Deadline>(client.poll_output(now))) {
    }
    if (server.is_closed()) server_closed = std::min(server_closed, now);
    if (client.is_closed()) client_closed = std::min(client_closed, now);
  }
  CHECK(server_closed <= silent_since + 18s);
  CHECK(client_closed <= silent_since + 18s);
  CHECK(server_closed > silent_since + 9s - 1ms);
}

TEST_CASE("session: a client that never says Hello is closed after 5 s") {
  World world;
  ServerSession session(world.broadcaster, world.limits, {}, world.now);
  CHECK(std::get<Deadline>(session.poll_output(world.now)).at == world.now + 5s);
  session.handle_timeout(world.now + 5s);
  CHECK(session.is_closed());
}

TEST_CASE("session: an expired token ends an open connection after its grace") {
  World world;
  ServerSessionConfig config;
  config.token_expires_at = world.now + 60s;
  Connection& connection = world.connect(config);
  world.advance(84s);
  CHECK(connection.client->is_live());
  world.advance(2s);
  CHECK(disconnect_code(connection) == ErrorCode::kTokenExpired);
  REQUIRE(connection.server_close.has_value());
  CHECK(connection.server_close->close_code == CloseCode::kTokenExpired);
}

TEST_CASE("session: acks follow a change within a second, and one of what was never sent ends the connection") {
  Live live;
  live.world.advance(3s);
  const auto ack_of = [](std::uint64_t version) {
    protocol::AckT ack;
    ack.versions.push_back(std::make_unique<protocol::TopicVersionT>());
    ack.versions[0]->topic = 1;
    ack.versions[0]->epoch = 7;
    ack.versions[0]->version = version;
    return ack;
  };
  inject(live.world, live.connection, 4, ack_of(1));
  live.world.settle();
  CHECK(!live.connection.server->is_closed());
  inject(live.world, live.connection, 5, ack_of(2));
  live.world.settle();
  CHECK(disconnect_code(live.connection) == ErrorCode::kAckOfUnsent);
  CHECK(live.connection.server_close->close_code == CloseCode::kProtocolError);
}

TEST_CASE("session: versions and schemas that do not fit are told and closed for good") {
  World world;
  world.publish(0, state(1));
  SUBCASE("protocol") {
    ServerSession session(world.broadcaster, world.limits, {}, world.now);
    protocol::HelloT hello;
    hello.protocol_min = 2;
    hello.protocol_max = 9;
    session.handle_frame(world.now, *encode_message(Sequence{1}, std::move(hello)));
    CHECK(session.is_closed());
    CHECK(std::get<ErrorReported>(std::get<ServerEvent>(session.poll_output(world.now))).error.code ==
          ErrorCode::kVersionUnsupported);
  }
  SUBCASE("schema") {
    ServerSessionConfig server_config;
    server_config.schema_fingerprints = {1, 2};
    ClientSessionConfig client_config;
    client_config.schema_fingerprint = 3;
    Connection& connection = world.connect(server_config, client_config);
    world.settle();
    CHECK(disconnect_code(connection) == ErrorCode::kSchemaMismatch);
    CHECK(connection.server_close->close_code == CloseCode::kSchemaMismatch);
  }
  SUBCASE("an older schema that the server accepts") {
    ServerSessionConfig server_config;
    server_config.schema_fingerprints = {1, 3};
    Connection& connection = world.connect(server_config);
    world.settle();
    CHECK(connection.client->is_live());
  }
}

TEST_CASE("session: nothing is taken from a client before the application welcomes it, but a goodbye") {
  World world;
  world.auto_answer = false;
  Connection& connection = world.connect();
  world.settle();
  REQUIRE(connection.server_saw<HelloReceived>().size() == 1);
  CHECK(!connection.server->is_live());
  CHECK(connection.client_saw<Welcomed>().empty());
  SUBCASE("a subscription ends it") {
    protocol::SubscribeT subscribe;
    subscribe.topics.push_back(std::make_unique<protocol::TopicRequestT>());
    subscribe.topics[0]->name = "world";
    inject(world, connection, 2, std::move(subscribe));
    world.settle();
    CHECK(disconnect_code(connection) == ErrorCode::kUnexpectedMessage);
  }
  SUBCASE("a goodbye ends it as every goodbye") {
    connection.client->disconnect(world.now);
    world.settle();
    REQUIRE(connection.server_close.has_value());
    CHECK(connection.server_close->close_code == CloseCode::kNormal);
    connection.server->welcome(world.now, {});  // too late: nothing happens
    CHECK(!connection.server->is_live());
  }
  SUBCASE("an application that never does loses the client, which says nothing meanwhile") {
    world.advance(18s);
    CHECK(connection.server->is_closed());
  }
}

TEST_CASE("session: Hello and Welcome say what both sides know of each other") {
  World world;
  world.publish(0, state(1));
  world.welcome.session = protocol::Id128(1, 2);
  world.welcome.outcome = protocol::SessionOutcome::kResumed;
  world.welcome.secret = {5, 6, 7};
  world.welcome.ledger = protocol::Id128(3, 4);
  world.welcome.first_seen_ms = 77;
  world.welcome.last_action = Sequence{9};
  world.welcome.durable = Sequence{8};
  ClientSessionConfig config;
  config.instance = protocol::Id128(10, 11);
  config.is_new = false;
  config.attempt = 12;
  config.ledger = protocol::Id128(13, 14);
  config.first_seen_ms = 15;
  config.confirmed = Sequence{7};
  config.resume = SessionSecret{protocol::Id128(16, 17), {18}};
  Connection& connection = world.connect({}, config);
  world.settle();
  REQUIRE(connection.server_saw<HelloReceived>().size() == 1);
  const protocol::HelloT& hello = connection.server_saw<HelloReceived>()[0]->hello;
  CHECK(hello.instance->high() == 11);
  CHECK(!hello.is_new);
  CHECK(hello.attempt == 12);
  CHECK(hello.ledger->low() == 13);
  CHECK(hello.first_seen_ms == 15);
  CHECK(hello.confirmed_action == 7);
  REQUIRE(hello.resume != nullptr);
  CHECK(hello.resume->session->high() == 17);
  CHECK(hello.resume->secret == std::vector<std::uint8_t>{18});
  REQUIRE(connection.client_saw<Welcomed>().size() == 1);
  const protocol::WelcomeT& welcome = connection.client_saw<Welcomed>()[0]->welcome;
  CHECK(welcome.session->low() == 1);
  CHECK(welcome.outcome == protocol::SessionOutcome::kResumed);
  CHECK(welcome.secret == std::vector<std::uint8_t>{5, 6, 7});
  CHECK(welcome.ledger->high() == 4);
  CHECK(welcome.first_seen_ms == 77);
  CHECK(welcome.last_action_sequence == 9);
  REQUIRE(connection.client_saw<ActionsNowDurable>().size() == 1);
  CHECK(connection.client_saw<ActionsNowDurable>()[0]->sequence.value == 8);
}

TEST_CASE("session: the application hears once that the client has its Welcome") {
  Live live;
  CHECK(live.connection.server_saw<WelcomeConfirmed>().size() == 1);
  Connection& silent = live.world.connect();
  live.world.settle();
  CHECK(silent.client->is_live());
  CHECK(silent.server_saw<WelcomeConfirmed>().empty());
}

TEST_CASE("session: a token that is renewed in time keeps the connection, one that is refused does not") {
  World world;
  ServerSessionConfig config;
  config.token_expires_at = world.now + 60s;
  Connection& connection = world.connect(config);
  world.settle();
  connection.client->renew_token(world.now, "new token");
  world.settle();
  REQUIRE(connection.server_saw<TokenOffered>().size() == 1);
  CHECK(connection.server_saw<TokenOffered>()[0]->token == "new token");
  SUBCASE("renewed") {
    connection.server->renew_token(world.now, world.now + 200s);
    world.settle();
    REQUIRE(connection.client_saw<TokenRenewed>().size() == 1);
    CHECK(connection.client_saw<TokenRenewed>()[0]->expires_in == 200s);
    world.advance(224s);
    CHECK(connection.client->is_live());
    world.advance(2s);
    CHECK(disconnect_code(connection) == ErrorCode::kTokenExpired);
  }
  SUBCASE("refused") {
    connection.server->refuse_token(world.now, "of another user");
    world.settle();
    REQUIRE(connection.client_saw<PeerError>().size() == 1);
    CHECK(connection.client_saw<PeerError>()[0]->error.code == ErrorCode::kUnauthenticated);
    world.advance(86s);
    CHECK(disconnect_code(connection) == ErrorCode::kTokenExpired);
  }
}

TEST_CASE("session: the client is asked to go before it is sent away") {
  Live live;
  live.connection.server->go_away(live.world.now, 30s, "maintenance");
  live.world.settle();
  REQUIRE(live.connection.client_saw<GoingAway>().size() == 1);
  CHECK(live.connection.client_saw<GoingAway>()[0]->within == 30s);
  CHECK(live.connection.client->is_live());
}

}  // namespace libsync
