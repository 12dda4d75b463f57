// client_pair.h: a real Client with its store, and all of a server that it needs: session, registry, ledger, and a game
// that notes what it executed. Perfect pipes, virtual time; one thing happens at a time, and either side may die
// between.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libsync/action_ledger.h"
#include "libsync/client.h"
#include "libsync/server_session.h"
#include "libsync/session_registry.h"
#include "libsync/topic.h"
#include "unit/support.h"

namespace libsync::test {

class ClientPair {
 public:
  enum class Step { kOpen, kToServer, kToClient, kStore, kCommit };

  explicit ClientPair(Limits bounds = {}, ClientConfig client_config = {})
      : limits(bounds), broadcaster(limits), config(std::move(client_config)) {
    config.random = [this] { return random(); };
    topic = std::make_unique<Topic>(TopicInfo{TopicId{1}, "world", Epoch{7}}, limits);
    broadcaster.publish(*topic->publish(Bytes(200, std::byte{3})).value());
    start_server();
    start_client();
  }

  // --- What may happen next, and making it happen.
  std::vector<Step> possible() const {
    std::vector<Step> steps;
    if (wants_open && accepts) steps.push_back(Step::kOpen);
    if (!to_server.empty()) steps.push_back(Step::kToServer);
    if (!to_client.empty() || server_close) steps.push_back(Step::kToClient);
    if (!storing.empty() && stores) steps.push_back(Step::kStore);
    if (committing && commits) steps.push_back(Step::kCommit);
    return steps;
  }
  void make(Step step) {
    switch (step) {
      case Step::kOpen: open(); break;
      case Step::kToServer: deliver_to_server(); break;
      case Step::kToClient: deliver_to_client(); break;
      case Step::kStore: finish_store(true); break;
      case Step::kCommit: finish_commit(); break;
    }
    poll();
  }
  // Until nothing moves at this time; `order` chooses among what is possible, without it the first.
  void settle(Random* order = nullptr) {
    poll();
    for (auto steps = possible(); !steps.empty(); steps = possible()) {
      make(order == nullptr ? steps.front() : steps[pick(*order, 0, steps.size() - 1)]);
    }
  }
  // Lets time pass, with every timer that is due on the way.
  void advance(Duration duration, Random* order = nullptr) {
    const TimePoint end = now + duration;
    for (settle(order); now < end; settle(order)) {
      now = std::min(end, std::max(now + Duration(1), std::min(client_deadline, server_deadline)));
      if (client_deadline <= now) client->handle_timeout(now);
      if (session && server_deadline <= now) session->handle_timeout(now);
    }
  }

  void finish_store(bool succeeded) {
    const StoreRecords records = std::move(storing.front());
    storing.pop_front();
    if (succeeded) write(records);
    client->handle_stored(now, records.number, succeeded);
  }

  // --- Failures.
  // The connection is gone, with what was under way.
  void cut(CloseCode code = CloseCode::kUnset) {
    drop_server_end();
    wants_open = false;
    client->handle_closed(now, code, {});
    poll();
  }
  // The first `n_written` of what was to be stored has been; a new process begins with that.
  void crash_client(std::size_t n_written = 0) {
    for (std::size_t i = 0; i < std::min(n_written, storing.size()); ++i) write(storing[i]);
    drop_server_end();
    start_client();
  }
  // What was not durable is gone. `is_written`: a commit under way has reached the disk.
  void crash_server(bool is_written = false) {
    if (committing && is_written) write_commit();
    committing.reset();
    session.reset();
    drop_server_end();
    game = durable_game;
    start_server();
    client->handle_closed(now, CloseCode::kUnset, {});
    poll();
  }

  template <typename NoticeT>
  std::vector<NoticeT> saw() const {
    std::vector<NoticeT> found;
    for (const ClientNotice& notice : notices) {
      if (const auto* match = std::get_if<NoticeT>(&notice)) found.push_back(*match);
    }
    return found;
  }
  // What the client sent on this connection, of one kind.
  std::vector<const protocol::EnvelopeT*> sent(protocol::Message type) const {
    std::vector<const protocol::EnvelopeT*> found;
    for (const auto& envelope : sent_messages) {
      if (envelope->message.type == type) found.push_back(envelope.get());
    }
    return found;
  }
  void act(const std::string& payload) {
    REQUIRE(client->act(now, bytes_of(payload)));
    poll();
  }
  void start() {
    client->start(now);
    poll();
  }
  void poll() {
    poll_client();
    poll_server();
    if (!committing && ledger->has_changes()) {
      committing = ledger->take_changes();
      committing_game = game;
    }
  }

  Limits limits;
  Broadcaster broadcaster;
  std::unique_ptr<Topic> topic;
  ClientConfig config;
  Random random{7};
  TimePoint now = TimePoint(std::chrono::seconds(1000));

  // The client's side.
  std::optional<Client> client;
  std::map<std::string, Bytes> client_disk;
  std::deque<StoreRecords> storing;
  std::vector<ClientNotice> notices;  // of this process
  std::vector<std::unique_ptr<protocol::EnvelopeT>> sent_messages;
  TimePoint client_deadline = TimePoint::max();
  bool stores = true;   // false: storing takes for ever
  bool accepts = true;  // false: connections take for ever
  bool wants_open = false;
  int n_opens = 0;

  // Between them.
  std::deque<SharedBytes> to_server;
  std::deque<SharedBytes> to_client;
  std::optional<CloseCode> server_close;

  // The server's side. Its game executes what does not begin with "no".
  std::unique_ptr<ActionLedger> ledger;
  std::unique_ptr<SessionRegistry> registry;
  std::unique_ptr<ServerSession> session;
  std::map<std::string, Bytes> server_disk;
  std::vector<std::string> game, durable_game, committing_game;
  std::optional<ActionLedger::Changes> committing;
  InstanceKey instance;  // that the session is of
  ConnectionNumber connection = 0;
  TimePoint server_deadline = TimePoint::max();
  TimePoint token_expires_at = TimePoint::max();
  bool commits = true;  // false: a commit takes for ever
  bool answers = true;  // false: results get lost in the server
  std::vector<protocol::HelloT> hellos;

 private:
  void start_server() {
    ledger = std::make_unique<ActionLedger>(limits, protocol::Id128(random(), random()));
    std::vector<ActionLedger::Record> records;
    for (const auto& [key, value] : server_disk) records.push_back({key, value});
    REQUIRE(ledger->load(records));
    registry = std::make_unique<SessionRegistry>(limits);
  }
  void start_client() {
    std::vector<ClientRecord> records;
    for (const auto& [key, value] : client_disk) records.push_back({key, value});
    storing.clear();
    notices.clear();
    wants_open = false;
    client.emplace(limits, config, std::move(records), now);
    poll();
  }
  void write(const StoreRecords& records) {
    for (const std::string& key : records.removed) client_disk.erase(key);
    for (const ClientRecord& record : records.records) client_disk[record.key] = record.value;
  }
  void write_commit() {
    for (const std::string& key : committing->removed) server_disk.erase(key);
    for (const auto& record : committing->records) server_disk[record.key] = record.value;
    durable_game = committing_game;
  }
  void finish_commit() {
    write_commit();
    committing.reset();
    for (const auto& [key, sequence] : ledger->committed(true)) {
      if (session && !(key < instance) && !(instance < key)) session->confirm_durable(now, sequence);
    }
  }

  void open() {
    wants_open = false;
    drop_server_end();
    sent_messages.clear();
    ServerSessionConfig server_config;
    server_config.token_expires_at = token_expires_at;
    session = std::make_unique<ServerSession>(broadcaster, limits, server_config, now);
    ++connection;
    client->handle_open(now);
  }
  void drop_server_end() {
    if (session) {
      SessionsEnded ended;
      registry->close(now, instance, connection, ended);
      ledger->close(instance);
    }
    session.reset();
    instance = {};
    to_server.clear();
    to_client.clear();
    server_close.reset();
    server_deadline = TimePoint::max();
  }
  void deliver_to_server() {
    const SharedBytes message = std::move(to_server.front());
    to_server.pop_front();
    session->handle_frame(now, *message);
  }
  void deliver_to_client() {
    if (to_client.empty()) return cut(*std::exchange(server_close, std::nullopt));
    const SharedBytes message = std::move(to_client.front());
    to_client.pop_front();
    client->handle_frame(now, *message);
  }

  void poll_client() {
    while (true) {
      ClientWish wish = client->poll_output(now);
      if (std::holds_alternative<OpenConnection>(wish)) {
        wants_open = true;
        ++n_opens;
      } else if (auto* transmit = std::get_if<Transmit>(&wish)) {
        if (!session) continue;
        to_server.push_back(transmit->message);
        sent_messages.push_back(std::move(decode_message(*transmit->message, limits).value()));
      } else if (std::holds_alternative<CloseConnection>(wish)) {
        wants_open = false;
        while (session && !to_server.empty()) {  // what was sent before arrives
          deliver_to_server();
          poll_server();
        }
        drop_server_end();
      } else if (auto* store = std::get_if<StoreRecords>(&wish)) {
        storing.push_back(std::move(*store));
      } else if (auto* notice = std::get_if<ClientNotice>(&wish)) {
        notices.push_back(std::move(*notice));
      } else {
        client_deadline = std::get<Deadline>(wish).at;
        return;
      }
    }
  }

  void poll_server() {
    while (session) {
      ServerOutput output = session->poll_output(now);
      if (auto* transmit = std::get_if<Transmit>(&output)) {
        to_client.push_back(transmit->message);
      } else if (auto* event = std::get_if<ServerEvent>(&output)) {
        handle(std::move(*event));
      } else if (auto* close = std::get_if<CloseConnection>(&output)) {
        server_close = close->close_code;
      } else {
        server_deadline = std::get<Deadline>(output).at;
        return;
      }
    }
  }

  void handle(ServerEvent event) {
    if (auto* hello = std::get_if<HelloReceived>(&event)) return handle_hello(std::move(hello->hello));
    if (auto* action = std::get_if<ActionReceived>(&event)) return handle_action(*action);
    if (std::holds_alternative<WelcomeConfirmed>(event)) return registry->confirm_secret(instance, connection);
    if (auto* confirmed = std::get_if<ActionsConfirmed>(&event)) return ledger->confirm(instance, confirmed->sequence);
    if (auto* offered = std::get_if<TokenOffered>(&event)) {
      if (offered->token != "good") return session->refuse_token(now, "no");
      return session->renew_token(now, token_expires_at = now + std::chrono::minutes(10));
    }
    if (auto* request = std::get_if<SubscribeRequested>(&event)) {
      if (request->name == "world") return session->accept_subscription(now, "world", TopicId{1});
      session->reject_subscription(now, request->name, ErrorCode::kUnknownTopic, "no such topic");
    }
  }

  static SecretHash hash_of(const std::vector<std::uint8_t>& secret) {
    SecretHash hash{};
    for (std::size_t i = 0; i < std::min(hash.size(), secret.size()); ++i) hash[i] = static_cast<std::byte>(secret[i]);
    return hash;
  }

  void handle_hello(protocol::HelloT hello) {
    std::vector<std::uint8_t> secret(16);
    for (std::uint8_t& byte : secret) byte = static_cast<std::uint8_t>(random());
    instance = {"alice", *hello.instance};
    SessionRequest request;
    request.key = instance;
    request.attempt = hello.attempt;
    request.connection = connection;
    if (hello.resume) {
      request.resumed = *hello.resume->session;
      request.secret_hash = hash_of(hello.resume->secret);
    }
    request.fresh_id = protocol::Id128(random(), random());
    request.next_secret_hash = hash_of(secret);
    InstanceClaim claim{hello.is_new, {}, hello.first_seen_ms, Sequence{hello.confirmed_action}};
    if (hello.ledger) claim.ledger = *hello.ledger;
    hellos.push_back(std::move(hello));
    SessionsEnded ended;
    const auto grant = registry->open(now, request, ended);
    if (!grant) {
      const bool is_replaced = grant.error().code == ErrorCode::kReplaced;
      return session->disconnect(now, is_replaced ? CloseCode::kReplaced : CloseCode::kStateInvalid, grant.error().code,
                                 grant.error().detail);
    }
    const auto now_ms = static_cast<std::uint64_t>(now.time_since_epoch().count() / 1000);
    const auto state = ledger->open(instance, claim, now_ms);
    if (!state) {
      registry->end(instance, connection, ended);
      return session->disconnect(now, CloseCode::kStateInvalid, state.error().code, state.error().detail);
    }
    session->welcome(now, {grant->session, grant->outcome, grant->fresh_reason, secret, ledger->id(),
                           state->first_seen_ms, state->last_action, state->durable});
    for (Sequence at{claim.confirmed.value + 1}; at <= state->last_action; ++at.value) answer(at);
  }

  void answer(Sequence sequence) {
    const ExecutedAction* executed = ledger->find(instance, sequence);
    if (executed == nullptr || !answers) return;
    protocol::ActionResultT result = executed->result;
    result.durable = ledger->is_durable(instance, sequence);
    session->complete_action(now, std::move(result));
  }

  void handle_action(const ActionReceived& action) {
    const auto now_ms = static_cast<std::uint64_t>(now.time_since_epoch().count() / 1000);
    const auto verdict = ledger->decide(instance, action.sequence, action.payload, action.is_withdrawn, now_ms);
    if (!verdict) {
      protocol::ActionResultT failed;
      failed.action_sequence = action.sequence.value;
      failed.status = ActionStatus::kFailed;
      failed.code = verdict.error().code;
      return session->complete_action(now, std::move(failed));
    }
    if (*verdict == ActionLedger::Verdict::kExecute) {
      const std::string payload(reinterpret_cast<const char*>(action.payload.data()), action.payload.size());
      ExecutedAction executed;
      if (payload.starts_with("no")) {
        executed.result.status = ActionStatus::kRefused;
        executed.result.code = ErrorCode::kActionRefused;
      } else {
        game.push_back(payload);
      }
      executed.result.message = payload;
      ledger->executed(instance, action.sequence, action.payload, std::move(executed), now_ms);
    }
    answer(action.sequence);
  }
};

}  // namespace libsync::test
