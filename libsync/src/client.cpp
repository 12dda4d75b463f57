#include "libsync/client.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "libsync/client_store_generated.h"

namespace libsync {
namespace {

constexpr std::string_view kIdentityKey = "identity";
constexpr std::string_view kActionPrefix = "action/";
// Attempts that one write of the identity allows for.
constexpr std::uint64_t kAttemptsPerWrite = 64;
// A connection that was live for this long clears the failures before it.
constexpr Duration kStable = std::chrono::seconds(5);
// A token is renewed when so much of its time is left, or half of it.
constexpr Duration kRenewBefore = std::chrono::seconds(60);
// Of a payload: what no server takes is refused at once. The envelope needs the rest.
constexpr std::size_t kEnvelopeBytes = 128;

// Zeros in front, so that the order of keys is the order of actions.
std::string action_key(ActionId id) {
  const std::string digits = std::to_string(id.value);
  return std::string(kActionPrefix) + std::string(20 - digits.size(), '0') + digits;
}

template <typename ContentT>
Bytes encode(ContentT content) {
  client_store::RecordT record;
  record.content.Set(std::move(content));
  flatbuffers::FlatBufferBuilder builder;
  client_store::FinishRecordBuffer(builder, client_store::Record::Pack(builder, &record));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return Bytes(begin, begin + builder.GetSize());
}

// Null if it is none.
const client_store::Record* decode(const Bytes& bytes) {
  const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
  if (bytes.size() < 8 || !client_store::RecordBufferHasIdentifier(data)) return nullptr;
  flatbuffers::Verifier verifier(data, bytes.size(), 8, 8);
  return client_store::VerifyRecordBuffer(verifier) ? client_store::GetRecord(data) : nullptr;
}

Bytes encode_action(BytesView payload, bool is_withdrawn) {
  client_store::QueuedActionT action;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(payload.data());
  action.payload.assign(begin, begin + payload.size());
  action.is_withdrawn = is_withdrawn;
  return encode(std::move(action));
}

}  // namespace

Client::Client(const Limits& limits, ClientConfig config, std::vector<ClientRecord> stored, TimePoint)
    : limits_(limits), config_(std::move(config)), actions_(config_.actions) {
  std::vector<std::string> keys;
  for (const ClientRecord& record : stored) keys.push_back(record.key);
  if (load(std::move(stored))) {
    attempt_ = max_attempt_;
    is_identity_stored_ = true;
    return;
  }
  actions_ = ActionQueue(config_.actions);
  make_instance();
  std::erase(keys, kIdentityKey);
  stale_ = std::move(keys);
  store_identity();
}

// --- What outlives the process -----------------------------------------------------------------------------

void Client::make_instance() {
  const std::uint64_t low = config_.random();
  instance_ = protocol::Id128(low, config_.random());
  is_new_ = true;
  ledger_ = {};
  first_seen_ms_ = 0;
  resume_.reset();
  attempt_ = 0;
  max_attempt_ = kAttemptsPerWrite;
  stored_confirmed_ = {};
}

bool Client::load(std::vector<ClientRecord> stored) {
  std::sort(stored.begin(), stored.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  const auto at = std::find_if(stored.begin(), stored.end(), [](const auto& r) { return r.key == kIdentityKey; });
  const client_store::Record* record = at == stored.end() ? nullptr : decode(at->value);
  const client_store::Identity* identity = record == nullptr ? nullptr : record->content_as_Identity();
  if (identity == nullptr) return false;
  instance_ = *identity->instance();
  is_new_ = identity->is_new();
  if (identity->ledger() != nullptr) ledger_ = *identity->ledger();
  first_seen_ms_ = identity->first_seen_ms();
  if (identity->session() != nullptr && identity->secret() != nullptr) {
    resume_ = SessionSecret{*identity->session(), {identity->secret()->begin(), identity->secret()->end()}};
  }
  max_attempt_ = identity->max_attempt();
  stored_confirmed_.value = identity->confirmed_action();

  std::vector<ActionQueue::Stored> actions;
  const ActionId ended{identity->action_base() + identity->confirmed_action()};
  for (const ClientRecord& one : stored) {
    if (!one.key.starts_with(kActionPrefix)) continue;
    if (one.key <= action_key(ended)) {
      stale_.push_back(one.key);
      continue;
    }
    // One that could not be written, and was reported so, is a hole: it keeps its place in the sequence.
    while (actions.size() < config_.actions.max_actions &&
           one.key != action_key(ActionId{ended.value + actions.size() + 1})) {
      actions.push_back({{}, true});
    }
    const client_store::Record* decoded = decode(one.value);
    const client_store::QueuedAction* action = decoded == nullptr ? nullptr : decoded->content_as_QueuedAction();
    if (action == nullptr || actions.size() >= config_.actions.max_actions) return false;
    ActionQueue::Stored& restored = actions.emplace_back();
    restored.is_withdrawn = action->is_withdrawn();
    if (action->payload() == nullptr) continue;
    const auto* begin = reinterpret_cast<const std::byte*>(action->payload()->data());
    restored.payload.assign(begin, begin + action->payload()->size());
  }
  actions_.restore(identity->action_base(), stored_confirmed_, std::move(actions), !is_new_);
  return true;
}

ClientRecord Client::identity_record() const {
  client_store::IdentityT identity;
  identity.instance = std::make_unique<protocol::Id128>(instance_);
  identity.is_new = is_new_;
  if (!is_new_) identity.ledger = std::make_unique<protocol::Id128>(ledger_);
  identity.first_seen_ms = first_seen_ms_;
  if (resume_) {
    identity.session = std::make_unique<protocol::Id128>(resume_->session);
    identity.secret = resume_->secret;
  }
  identity.max_attempt = max_attempt_;
  identity.action_base = actions_.base();
  identity.confirmed_action = actions_.confirmed().value;
  return {std::string(kIdentityKey), encode(std::move(identity))};
}

void Client::store(StoreRecords records, Storing then) {
  // Again after a write that failed, and before an action that depends on it.
  const bool is_identity_due =
      !is_identity_stored_ && !then.is_identity &&
      std::none_of(storing_.begin(), storing_.end(), [](const Storing& earlier) { return earlier.is_identity; });
  if (is_identity_due) {
    records.records.push_back(identity_record());
    then.is_identity = true;
  }
  records.removed.insert(records.removed.end(), stale_.begin(), stale_.end());
  stale_.clear();
  then.number = records.number = ++last_store_;
  storing_.push_back(std::move(then));
  wish(std::move(records));
}

void Client::store_identity() {
  is_identity_stored_ = false;
  StoreRecords records;
  records.records.push_back(identity_record());
  Storing then;
  then.is_identity = true;
  store(std::move(records), std::move(then));
}

void Client::handle_stored(TimePoint now, std::uint64_t number, bool succeeded) {
  SYNC_ASSERT(!storing_.empty() && storing_.front().number == number);
  Storing done = std::move(storing_.front());
  storing_.pop_front();
  if (done.action) {
    if (succeeded) {
      actions_.stored(*done.action);
      notify(ActionStored{*done.action});
    } else {
      actions_.withdraw(*done.action);  // keeps its place in the sequence
      notify(ActionLost{*done.action, Error{ErrorCode::kStoreUnavailable, "the action could not be stored"}});
    }
  }
  if (done.is_identity &&
      std::none_of(storing_.begin(), storing_.end(), [](const Storing& later) { return later.is_identity; })) {
    // Without a place to store it the client follows topics, and its actions wait.
    is_identity_stored_ = succeeded;
    if (std::exchange(wants_connection_, false)) connect();
  }
  for (ClientNotice& notice : done.notices) notify(std::move(notice));
  if (!done.ended || !succeeded || done.ended->value <= actions_.base()) return;  // or of an instance before
  stored_confirmed_.value = std::max(stored_confirmed_.value, done.ended->value - actions_.base());
  if (session_) session_->confirm_actions(now, stored_confirmed_);
}

// --- Connecting --------------------------------------------------------------------------------------------

void Client::set_state(ConnectionState state, const Error& error) {
  if (state_ == state) return;
  state_ = state;
  notify(StateChanged{state, error});
}

Duration Client::random_below(Duration range) {
  if (range <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<Duration::rep>(config_.random() % static_cast<std::uint64_t>(range.count())));
}

void Client::start(TimePoint now) {
  if (state_ != ConnectionState::kIdle && state_ != ConnectionState::kSuspended && state_ != ConnectionState::kFailed) {
    return;
  }
  failures_ = 0;
  open_connection(now);
}

void Client::open_connection(TimePoint now) {
  next_attempt_ = TimePoint::max();
  set_state(ConnectionState::kConnecting);
  connect_deadline_ = now + config_.connect_timeout;
  // A later process must not use the number of an attempt of this one.
  if (attempt_ >= max_attempt_) {
    max_attempt_ = attempt_ + kAttemptsPerWrite;
    store_identity();
  }
  wants_connection_ = std::any_of(storing_.begin(), storing_.end(), [](const Storing& one) { return one.is_identity; });
  if (!wants_connection_) connect();
}

void Client::connect() {
  ++attempt_;
  wish(OpenConnection{});
}

void Client::handle_open(TimePoint now) {
  if (state_ != ConnectionState::kConnecting || session_ || wants_connection_) return;
  ClientSessionConfig config;
  config.instance = instance_;
  config.is_new = is_new_;
  config.attempt = attempt_;
  config.ledger = ledger_;
  config.first_seen_ms = first_seen_ms_;
  config.confirmed = stored_confirmed_;
  config.resume = resume_;
  config.schema_fingerprint = config_.schema_fingerprint;
  config.sdk = config_.sdk;
  ending_.reset();
  session_.emplace(limits_, std::move(config), now);
  for (auto& [name, subscription] : subscriptions_) {
    subscription.is_settled = false;
    session_->subscribe(now, name, subscription.held.snapshot ? &subscription.held : nullptr, subscription.priority);
  }
}

void Client::handle_closed(TimePoint now, CloseCode close_code, const Error& error) {
  if (state_ != ConnectionState::kConnecting && state_ != ConnectionState::kSyncing &&
      state_ != ConnectionState::kLive) {
    return;
  }
  if (wants_connection_) return;
  end_connection(now, error, may_reconnect(close_code), Duration::zero());
}

void Client::drop_connection() {
  session_.reset();
  ending_.reset();
  welcomed_at_.reset();
  wants_connection_ = false;
  connect_deadline_ = leave_at_ = renew_at_ = next_attempt_ = TimePoint::max();
}

void Client::end_connection(TimePoint now, const Error& error, bool may_reconnect, Duration retry_after) {
  const bool was_stable = welcomed_at_ && now - *welcomed_at_ >= kStable;
  drop_connection();
  if (!may_reconnect) return set_state(ConnectionState::kFailed, error);
  Duration range = reconnect_window_;
  if (was_stable) {
    failures_ = 0;
  } else {
    ++failures_;
    range = failures_ >= 16 ? config_.max_wait : std::min(config_.max_wait, config_.min_wait * (1 << failures_));
  }
  if (failures_ > config_.max_retries) return set_state(ConnectionState::kFailed, error);
  next_attempt_ = now + retry_after + random_below(range);
  set_state(ConnectionState::kReconnecting, error);
}

void Client::suspend(TimePoint) {
  if (session_ || state_ == ConnectionState::kConnecting) {
    wish(CloseConnection{CloseCode::kNormal, ErrorCode::kNone, "suspended"});
  }
  drop_connection();
  set_state(ConnectionState::kSuspended);
}

void Client::stop(TimePoint now) {
  if (session_) {
    session_->disconnect(now);
    for (ClientOutput output = session_->poll_output(now); !std::holds_alternative<Deadline>(output);
         output = session_->poll_output(now)) {
      if (auto* transmit = std::get_if<Transmit>(&output)) wish(std::move(*transmit));
    }
    resume_.reset();
  }
  if (session_ || state_ == ConnectionState::kConnecting) {
    wish(CloseConnection{CloseCode::kNormal, ErrorCode::kNone, "goodbye"});
  }
  drop_connection();
  set_state(ConnectionState::kIdle);
}

void Client::wake(TimePoint now) {
  if (state_ == ConnectionState::kReconnecting) open_connection(now);
  if (session_) session_->handle_timeout(now);
}

// --- From the application ----------------------------------------------------------------------------------

void Client::subscribe(TimePoint now, const std::string& name, const HeldState* held, std::uint8_t priority) {
  const auto [at, is_added] = subscriptions_.try_emplace(name);
  if (is_added) {
    at->second.priority = priority;
    if (held != nullptr) at->second.held = *held;
  }
  if (session_) session_->subscribe(now, name, held, priority);
}

void Client::unsubscribe(TimePoint now, const std::string& name) {
  if (subscriptions_.erase(name) == 0) return;
  if (session_) session_->unsubscribe(now, name);
  check_settled();
}

Result<ActionId> Client::act(TimePoint, Bytes payload) {
  const bool is_live = session_ && session_->is_live();
  const std::size_t max_bytes = is_live ? session_->max_payload_bytes() : limits_.max_message_bytes - kEnvelopeBytes;
  if (payload.size() > max_bytes) return Error{ErrorCode::kMessageTooBig, "act: payload above the limit"};
  Result<ActionId> id = actions_.add(std::move(payload));
  if (!id) return id;
  StoreRecords records;
  records.records.push_back({action_key(*id), encode_action(actions_.payload(*id), false)});
  Storing then;
  then.action = *id;
  store(std::move(records), std::move(then));
  return id;
}

void Client::renew_token(TimePoint now, const std::string& token) {
  if (session_) session_->renew_token(now, token);
}

const HeldState* Client::held(const std::string& name) const {
  const auto at = subscriptions_.find(name);
  return at == subscriptions_.end() || at->second.held.snapshot == nullptr ? nullptr : &at->second.held;
}

// --- From the session --------------------------------------------------------------------------------------

void Client::handle_frame(TimePoint now, BytesView message) {
  if (session_) session_->handle_frame(now, message);
}

void Client::handle(TimePoint now, ClientEvent event) {
  if (auto* welcomed = std::get_if<Welcomed>(&event)) return handle_welcome(now, welcomed->welcome);
  if (auto* finished = std::get_if<ActionFinished>(&event)) return handle_result(now, std::move(*finished));
  if (auto* durable = std::get_if<ActionsNowDurable>(&event)) {
    if (actions_.take_durable(durable->sequence)) settle_actions(now);
    return;
  }
  if (auto* updated = std::get_if<TopicUpdated>(&event)) {
    const auto at = subscriptions_.find(updated->name);
    if (at == subscriptions_.end()) return;
    at->second.held = updated->held;
    at->second.is_settled = true;
    notify(std::move(*updated));
    return check_settled();
  }
  if (auto* ended = std::get_if<TopicEnded>(&event)) {
    if (subscriptions_.erase(ended->name) != 0) notify(std::move(*ended));
    return check_settled();
  }
  if (auto* disconnected = std::get_if<Disconnected>(&event)) {
    const protocol::DisconnectT& reason = disconnected->disconnect;
    ending_ = Error{reason.code, reason.message};
    ending_may_reconnect_ = reason.reconnect && may_reconnect(reason.close_code);
    ending_retry_after_ = std::chrono::milliseconds(reason.retry_after_ms);
    if (reason.code == ErrorCode::kUnknownInstance) renounce_instance(*ending_);
    if (reason.code == ErrorCode::kSessionRevoked) resume_.reset();
    return;
  }
  if (auto* renewed = std::get_if<TokenRenewed>(&event)) {
    renew_at_ = renewed->expires_in == Duration::max()
                    ? TimePoint::max()
                    : now + std::max(renewed->expires_in / 2, renewed->expires_in - kRenewBefore);
    return;
  }
  if (auto* leaving = std::get_if<GoingAway>(&event)) {
    leave_at_ = now + random_below(leaving->within);
    return;
  }
  if (auto* resyncing = std::get_if<Resyncing>(&event)) return notify(std::move(*resyncing));
  notify(std::move(std::get<PeerError>(event)));
}

void Client::handle_welcome(TimePoint now, const protocol::WelcomeT& welcome) {
  connect_deadline_ = TimePoint::max();
  welcomed_at_ = now;
  reconnect_window_ = std::chrono::milliseconds(welcome.limits->reconnect_window_ms);
  if (!actions_.begin(Sequence{welcome.last_action_sequence})) {
    const Error error{ErrorCode::kUnknownInstance, "the server has executed other actions than this client sent"};
    renounce_instance(error);
    session_->disconnect(now);
    ending_ = error;
    ending_may_reconnect_ = true;
    ending_retry_after_ = Duration::zero();
    return;
  }
  if (is_new_) {
    is_new_ = false;
    first_seen_ms_ = welcome.first_seen_ms;
  }
  if (welcome.ledger != nullptr) ledger_ = *welcome.ledger;
  resume_.reset();
  if (welcome.session != nullptr && !welcome.secret.empty()) resume_ = SessionSecret{*welcome.session, welcome.secret};
  // Actions follow when this is stored: a later process must know that the instance has acted.
  store_identity();
  if (welcome.token_expires_in_ms != 0) {
    const auto ms = static_cast<Duration::rep>(std::min<std::uint64_t>(welcome.token_expires_in_ms, INT64_MAX / 2000));
    const Duration expires_in(ms * 1000);
    renew_at_ = now + std::max(expires_in / 2, expires_in - kRenewBefore);
  }
  set_state(ConnectionState::kSyncing);
  check_settled();
}

void Client::handle_result(TimePoint now, ActionFinished finished) {
  const ActionId id = actions_.id_of(Sequence{finished.result.action_sequence});
  switch (actions_.take_result(now, finished.result)) {
    case ActionQueue::Taken::kNothing:
    case ActionQueue::Taken::kAgain: break;
    case ActionQueue::Taken::kConflict: {
      const Error error{ErrorCode::kActionConflict, finished.result.message};
      renounce_instance(error);
      session_->disconnect(now);
      ending_ = error;
      ending_may_reconnect_ = true;
      ending_retry_after_ = Duration::zero();
      return;
    }
    case ActionQueue::Taken::kRefused: {
      // If the server forgets this with a crash, the action must not be executed after all: the application is told
      // when that is certain.
      StoreRecords records;
      records.records.push_back({action_key(id), encode_action({}, true)});
      Storing then;
      then.notices.emplace_back(ActionAnswered{id, std::move(finished.result)});
      store(std::move(records), std::move(then));
      break;
    }
    case ActionQueue::Taken::kAnswered: notify(ActionAnswered{id, std::move(finished.result)}); break;
  }
  settle_actions(now);
}

// The server knows nothing of this instance, or something else. What was sent has an unknown outcome; what was not is
// sent as another instance's.
void Client::renounce_instance(const Error& error) {
  StoreRecords records;
  const std::uint64_t first = actions_.base() + actions_.confirmed().value + 1;
  const std::vector<ActionId> unknown = actions_.renounce();
  Storing then;
  then.is_identity = true;
  for (std::uint64_t id = first; id <= actions_.base(); ++id) {
    records.removed.push_back(action_key(ActionId{id}));
    // What was refused has ended with that, whatever the server knows.
    const bool is_unknown = std::find(unknown.begin(), unknown.end(), ActionId{id}) != unknown.end();
    if (is_unknown) {
      notify(ActionLost{ActionId{id}, error});
    } else {
      then.notices.emplace_back(ActionEnded{ActionId{id}});
    }
  }
  make_instance();
  is_identity_stored_ = false;
  records.records.push_back(identity_record());
  store(std::move(records), std::move(then));
}

void Client::settle_actions(TimePoint) {
  const std::vector<ActionId> settled = actions_.settle();
  if (settled.empty()) return;
  // The server forgets the results when it is told; until this is stored they may be needed again.
  StoreRecords records;
  for (const ActionId id : settled) records.removed.push_back(action_key(id));
  records.records.push_back(identity_record());
  Storing then;
  then.ended = settled.back();
  for (const ActionId id : settled) then.notices.emplace_back(ActionEnded{id});
  store(std::move(records), std::move(then));
}

// The server counts what it was not told to have ended.
std::uint32_t Client::window() const {
  const std::uint64_t untold = actions_.confirmed().value - stored_confirmed_.value;
  const std::uint32_t most = session_->max_actions_in_flight();
  return untold >= most ? 0 : most - static_cast<std::uint32_t>(untold);
}

// No more than the session can send at once, so that one that fails is not behind many that fail with it.
void Client::feed_actions(TimePoint now) {
  if (!is_identity_stored_ || !session_->is_live() || session_->has_queued()) return;
  const auto action = actions_.next(now, window());
  if (!action) return;
  if (session_->act(now, action->sequence, action->payload, action->is_withdrawn)) return;
  // The server takes less than the one before it did.
  const ActionId id = actions_.id_of(action->sequence);
  actions_.withdraw(id);
  notify(ActionLost{id, Error{ErrorCode::kMessageTooBig, "the server takes only smaller actions"}});
  StoreRecords records;
  records.records.push_back({action_key(id), encode_action({}, true)});
  store(std::move(records), {});
  (void)session_->act(now, action->sequence, {}, true);
}

void Client::check_settled() {
  if (state_ != ConnectionState::kSyncing) return;
  for (const auto& [name, subscription] : subscriptions_) {
    if (!subscription.is_settled) return;
  }
  set_state(ConnectionState::kLive);
}

// --- Time and output ---------------------------------------------------------------------------------------

void Client::handle_timeout(TimePoint now) {
  if (now >= next_attempt_) open_connection(now);
  if (now >= connect_deadline_) {
    wish(CloseConnection{CloseCode::kNormal, ErrorCode::kNone, "no answer"});
    end_connection(now, Error{ErrorCode::kHeartbeatTimeout, "no connection in time"}, true, Duration::zero());
  }
  if (now >= leave_at_) {
    wish(CloseConnection{CloseCode::kNormal, ErrorCode::kNone, "as the server asked"});
    end_connection(now, Error{ErrorCode::kShuttingDown, "the server asked for a new connection"}, true,
                   Duration::zero());
    // At once, unless the server asks every connection at its beginning.
    if (state_ == ConnectionState::kReconnecting && failures_ == 0) open_connection(now);
  }
  if (now >= renew_at_) {
    renew_at_ = TimePoint::max();
    notify(TokenNeeded{});
  }
  if (session_) session_->handle_timeout(now);
}

ClientWish Client::poll_output(TimePoint now) {
  for (;;) {
    if (!outputs_.empty()) {
      ClientWish output = std::move(outputs_.front());
      outputs_.pop_front();
      return output;
    }
    TimePoint at = std::min({next_attempt_, connect_deadline_, leave_at_, renew_at_});
    if (!session_) return Deadline{at};
    feed_actions(now);
    ClientOutput output = session_->poll_output(now);
    if (auto* event = std::get_if<ClientEvent>(&output)) {
      handle(now, std::move(*event));
    } else if (auto* transmit = std::get_if<Transmit>(&output)) {
      return std::move(*transmit);
    } else if (auto* close = std::get_if<CloseConnection>(&output)) {
      const Error error = ending_.value_or(Error{close->code, close->reason});
      const bool again = ending_ ? ending_may_reconnect_ : may_reconnect(close->close_code);
      const Duration retry_after = ending_ ? ending_retry_after_ : Duration::zero();
      wish(std::move(*close));
      end_connection(now, error, again, retry_after);
    } else {
      at = std::min(at, std::get<Deadline>(output).at);
      if (is_identity_stored_ && session_->is_live()) {
        at = std::min(at, actions_.next_at(now, window()));
      }
      return Deadline{at};
    }
  }
}

}  // namespace libsync
