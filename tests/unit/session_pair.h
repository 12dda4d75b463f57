// session_pair.h: a topic, a broadcaster and pairs of real sessions joined by perfect pipes, in virtual time.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libsync/broadcaster.h"
#include "libsync/session.h"
#include "libsync/topic.h"
#include "unit/support.h"

namespace libsync::test {

inline constexpr Duration kTick = std::chrono::milliseconds(100);

// One client and the server's end for it. What each side sent waits in a queue until it is delivered.
struct Connection {
  Connection(Broadcaster& broadcaster, const Limits& limits, TimePoint now, ServerSessionConfig server_config = {},
             ClientSessionConfig client_config = {})
      : server(std::make_unique<ServerSession>(broadcaster, limits, std::move(server_config), now)),
        client(std::make_unique<ClientSession>(limits, std::move(client_config), now)) {}

  std::unique_ptr<ServerSession> server;
  std::unique_ptr<ClientSession> client;
  std::deque<SharedBytes> to_server;
  std::deque<SharedBytes> to_client;
  std::vector<ServerEvent> server_events;
  std::vector<ClientEvent> client_events;
  std::optional<CloseConnection> server_close;
  std::optional<CloseConnection> client_close;
  TimePoint server_deadline = TimePoint::max();
  TimePoint client_deadline = TimePoint::max();
  bool client_reads = true;  // false: what the server sends stays unwritten, as behind a full socket

  template <typename EventT, typename Events>
  static std::vector<const EventT*> all(const Events& events) {
    std::vector<const EventT*> found;
    for (const auto& event : events) {
      if (const auto* match = std::get_if<EventT>(&event)) found.push_back(match);
    }
    return found;
  }
  template <typename EventT>
  std::vector<const EventT*> client_saw() const {
    return all<EventT>(client_events);
  }
  template <typename EventT>
  std::vector<const EventT*> server_saw() const {
    return all<EventT>(server_events);
  }
};

// The shell of both sides: accepts every subscription to a topic that exists, answers actions by `answer`.
class World {
 public:
  explicit World(Limits bounds = {}) : limits(bounds), broadcaster(limits) {
    topics.push_back(std::make_unique<Topic>(TopicInfo{TopicId{1}, "world", Epoch{7}}, limits));
    topics.push_back(std::make_unique<Topic>(TopicInfo{TopicId{2}, "player/alice", Epoch{8}}, limits));
  }

  Connection& connect(ServerSessionConfig server_config = {}, ClientSessionConfig client_config = {}) {
    connections.push_back(
        std::make_unique<Connection>(broadcaster, limits, now, std::move(server_config), std::move(client_config)));
    return *connections.back();
  }

  // Publishes and hands the update to the broadcaster, as the game thread does.
  void publish(std::size_t topic, BytesView snapshot) {
    const auto update = topics[topic]->publish(snapshot);
    if (update && *update) broadcaster.publish(**update);
  }

  // Moves messages and events until nothing moves any more at this time.
  void settle() {
    for (bool moved = true; moved;) {
      moved = false;
      for (auto& connection : connections) moved |= step(*connection);
    }
  }

  // Lets time pass, with every timer that is due on the way.
  void advance(Duration duration) {
    const TimePoint end = now + duration;
    settle();
    while (true) {
      TimePoint next = end;
      for (const auto& connection : connections) {
        next = std::min({next, connection->server_deadline, connection->client_deadline});
      }
      if (next <= now && next < end) next = now + Duration(1);  // a timer that asks again for the same instant
      now = next;
      for (auto& connection : connections) {
        if (connection->server_deadline <= now) connection->server->handle_timeout(now);
        if (connection->client_deadline <= now) connection->client->handle_timeout(now);
      }
      settle();
      if (now >= end) return;
    }
  }

  Limits limits;
  Broadcaster broadcaster;
  std::vector<std::unique_ptr<Topic>> topics;
  std::vector<std::unique_ptr<Connection>> connections;
  TimePoint now = TimePoint(std::chrono::seconds(1000));
  bool auto_answer = true;  // Hellos and actions
  WelcomeInfo welcome;

 private:
  bool step(Connection& connection) {
    bool moved = false;
    while (!connection.to_server.empty()) {
      const SharedBytes message = std::move(connection.to_server.front());
      connection.to_server.pop_front();
      connection.server->handle_frame(now, *message);
      moved = true;
    }
    while (!connection.to_client.empty()) {
      const SharedBytes message = std::move(connection.to_client.front());
      connection.to_client.pop_front();
      connection.client->handle_frame(now, *message);
      moved = true;
    }
    moved |= poll_server(connection);
    moved |= poll_client(connection);
    return moved;
  }

  bool poll_server(Connection& connection) {
    if (!connection.client_reads) return false;
    for (bool moved = false;; moved = true) {
      ServerOutput output = connection.server->poll_output(now);
      if (auto* transmit = std::get_if<Transmit>(&output)) {
        connection.to_client.push_back(transmit->message);
      } else if (auto* event = std::get_if<ServerEvent>(&output)) {
        handle(connection, *event);
        connection.server_events.push_back(std::move(*event));
      } else if (auto* close = std::get_if<CloseConnection>(&output)) {
        connection.server_close = *close;
      } else {
        connection.server_deadline = std::get<Deadline>(output).at;
        return moved;
      }
    }
  }

  bool poll_client(Connection& connection) {
    for (bool moved = false;; moved = true) {
      ClientOutput output = connection.client->poll_output(now);
      if (auto* transmit = std::get_if<Transmit>(&output)) {
        connection.to_server.push_back(transmit->message);
      } else if (auto* event = std::get_if<ClientEvent>(&output)) {
        connection.client_events.push_back(std::move(*event));
      } else if (auto* close = std::get_if<CloseConnection>(&output)) {
        connection.client_close = *close;
      } else {
        connection.client_deadline = std::get<Deadline>(output).at;
        return moved;
      }
    }
  }

  void handle(Connection& connection, const ServerEvent& event) {
    if (std::holds_alternative<HelloReceived>(event)) {
      if (auto_answer) connection.server->welcome(now, welcome);
    } else if (const auto* request = std::get_if<SubscribeRequested>(&event)) {
      for (const auto& topic : topics) {
        if (topic->info().name != request->name) continue;
        if (topic->position().version.value == 0) break;
        broadcaster.publish(topic->current());
        return connection.server->accept_subscription(now, request->name, topic->info().id);
      }
      connection.server->reject_subscription(now, request->name, ErrorCode::kUnknownTopic, "no such topic");
    } else if (const auto* action = std::get_if<ActionReceived>(&event); action != nullptr && auto_answer) {
      protocol::ActionResultT result;
      result.action_sequence = action->sequence.value;
      result.message = "done";
      connection.server->complete_action(now, std::move(result));
    }
  }
};

// A message of the client that the real client would not send.
template <typename MessageT>
void inject(World& world, Connection& connection, std::uint64_t sequence, MessageT message) {
  connection.server->handle_frame(world.now, *encode_message(Sequence{sequence}, std::move(message)));
}

// Why the client saw the session end; kNone: it did not.
inline ErrorCode disconnect_code(const Connection& connection) {
  const auto seen = connection.client_saw<Disconnected>();
  return seen.empty() ? ErrorCode::kNone : seen.back()->disconnect.code;
}

// Passes on what the server has to say up to its next state frame, of which a bit flips on its way.
inline void deliver_bent_update(World& world, Connection& connection) {
  for (bool is_bent = false; !is_bent;) {
    ServerOutput output = connection.server->poll_output(world.now);
    auto* transmit = std::get_if<Transmit>(&output);
    REQUIRE(transmit != nullptr);
    Bytes bent = *transmit->message;
    is_bent = message_kind(bent) == MessageKind::kState;
    if (is_bent) bent.back() ^= std::byte{16};
    connection.client->handle_frame(world.now, bent);
  }
}

}  // namespace libsync::test
