#include "libsync/server_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libsync/patch.h"

namespace libsync {
namespace {

constexpr std::uint16_t kProtocolVersion = 1;
constexpr std::size_t kMaxTopicNameBytes = 256;

std::uint64_t to_ms(Duration duration) {
  return static_cast<std::uint64_t>(std::max<Duration::rep>(duration.count(), 0) / 1000);
}
std::uint32_t to_ms32(Duration duration) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(to_ms(duration), UINT32_MAX));
}

// A clock for Heartbeat.sent_ms, which is never zero.
std::uint64_t heartbeat_ms(TimePoint now) { return to_ms(now.time_since_epoch()) + 1; }

std::unique_ptr<protocol::SessionLimitsT> announce_limits(const Limits& limits) {
  auto announced = std::make_unique<protocol::SessionLimitsT>();
  announced->max_message_bytes = static_cast<std::uint32_t>(limits.max_message_bytes);
  announced->max_snapshot_bytes = static_cast<std::uint32_t>(limits.max_snapshot_bytes);
  announced->max_topics = limits.max_topics;
  announced->max_actions_in_flight = limits.max_actions_in_flight;
  announced->messages_per_second = limits.messages_per_second;
  announced->messages_burst = limits.messages_burst;
  announced->updates_per_second = limits.updates_per_second;
  announced->heartbeat_interval_ms = to_ms32(limits.heartbeat_interval);
  announced->heartbeat_timeout_ms = to_ms32(limits.heartbeat_timeout);
  announced->reconnect_window_ms = to_ms32(limits.reconnect_window);
  return announced;
}

// For Welcome and TokenRefreshed.
std::uint64_t expires_in_ms(TimePoint now, TimePoint expires_at) {
  if (expires_at == TimePoint::max()) return 0;
  return std::max<std::uint64_t>(to_ms(expires_at - now), 1);  // zero would say that the token never expires
}

// Why the client wants the state again, as the reason that the update will carry.
FullReason reason_of(ErrorCode cause) {
  return cause == ErrorCode::kDigestMismatch ? FullReason::kDigestMismatch : FullReason::kRequested;
}

}  // namespace

ServerSession::ServerSession(Broadcaster& broadcaster, const Limits& limits, ServerSessionConfig config, TimePoint now)
    : broadcaster_(broadcaster),
      limits_(limits),
      config_(std::move(config)),
      message_bucket_(limits.messages_per_second, limits.messages_burst, now),
      opened_at_(now),
      last_received_(now) {}

ServerSession::~ServerSession() {
  for (const auto& [topic, subscription] : subscriptions_) broadcaster_.remove_subscriber(TopicId{topic}, this);
  broadcaster_.forget(this);
}

// --- From the connection -----------------------------------------------------------------------------------

void ServerSession::handle_frame(TimePoint now, BytesView message) {
  if (is_closed()) return;
  last_received_ = now;
  asked_ = false;
  if (message_kind(message) != MessageKind::kControl) {
    return fail(now, CloseCode::kInvalidPayload, ErrorCode::kMalformed, "not a control message");
  }
  Result<std::unique_ptr<protocol::EnvelopeT>> envelope = decode_message(message, limits_);
  if (!envelope) {
    const ErrorCode code = envelope.error().code;
    const CloseCode close_code = code == ErrorCode::kMessageTooBig    ? CloseCode::kMessageTooBig
                                 : code == ErrorCode::kUnknownMessage ? CloseCode::kProtocolError
                                                                      : CloseCode::kInvalidPayload;
    return fail(now, close_code, code, envelope.error().detail);
  }
  if ((*envelope)->sequence != received_.value + 1) {
    return fail(now, CloseCode::kProtocolError, ErrorCode::kSequenceGap,
                "sequence " + std::to_string((*envelope)->sequence) + " after " + std::to_string(received_.value));
  }
  ++received_.value;
  handle_message(now, **envelope);
}

void ServerSession::handle_message(TimePoint now, protocol::EnvelopeT& envelope) {
  const std::uint64_t ref = envelope.sequence;
  protocol::MessageUnion& message = envelope.message;
  const bool is_hello = message.type == protocol::Message::Hello;
  const bool is_early = state_ == State::kWelcoming && message.type != protocol::Message::Disconnect;
  if ((state_ == State::kWaitingForHello) != is_hello || is_early) {
    return fail(now, CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage,
                std::string(protocol::EnumNameMessage(message.type)) + " in this state");
  }
  if (state_ == State::kLive && !std::exchange(is_welcome_confirmed_, true)) events_.emplace_back(WelcomeConfirmed{});
  const bool within_rate = message_bucket_.take(now, 1);
  if (within_rate) {
    if (rate_violations_ > 0) --rate_violations_;
  } else if (++rate_violations_ > limits_.max_rate_violations) {
    return fail(now, CloseCode::kRateLimited, ErrorCode::kRateLimited, "more messages than announced");
  } else if (message.type != protocol::Message::Action) {  // a dropped action is answered by its result
    return send_error(ErrorCode::kRateLimited, protocol::Recovery::kRetryable, ref, {}, "too many messages",
                      message_bucket_.time_until(now, 1));
  }
  switch (message.type) {
    case protocol::Message::Hello: return handle_hello(now, *message.AsHello());
    case protocol::Message::Subscribe: return handle_subscribe(*message.AsSubscribe(), ref);
    case protocol::Message::Unsubscribe: return handle_unsubscribe(*message.AsUnsubscribe(), ref);
    case protocol::Message::GetState: return handle_get_state(now, *message.AsGetState(), ref);
    case protocol::Message::Action: return handle_action(now, *message.AsAction(), within_rate);
    case protocol::Message::Ack: return handle_ack(now, *message.AsAck());
    case protocol::Message::Heartbeat: return handle_heartbeat(now, *message.AsHeartbeat());
    case protocol::Message::RefreshToken:
      events_.emplace_back(TokenOffered{std::move(message.AsRefreshToken()->token)});
      return;
    case protocol::Message::Error:
      return report(message.AsError()->code, "the client reports: " + message.AsError()->message, true);
    case protocol::Message::Disconnect:
      return disconnect(now, CloseCode::kNormal, ErrorCode::kNone, "as the client asked");
    default:
      return fail(now, CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage,
                  std::string(protocol::EnumNameMessage(message.type)) + " from a client");
  }
}

void ServerSession::handle_hello(TimePoint now, protocol::HelloT& hello) {
  if (hello.protocol_min > kProtocolVersion || hello.protocol_max < kProtocolVersion ||
      hello.patch_format_max < limits_.patch_format) {
    return fail(now, CloseCode::kVersionUnsupported, ErrorCode::kVersionUnsupported,
                "client speaks protocol " + std::to_string(hello.protocol_min) + " to " +
                    std::to_string(hello.protocol_max) + ", patch format " + std::to_string(hello.patch_format_max));
  }
  const std::vector<std::uint64_t>& accepted = config_.schema_fingerprints;
  if (hello.schema_fingerprint != 0 && !accepted.empty() &&
      std::find(accepted.begin(), accepted.end(), hello.schema_fingerprint) == accepted.end()) {
    return fail(now, CloseCode::kSchemaMismatch, ErrorCode::kSchemaMismatch, "built from another schema");
  }
  if (hello.instance == nullptr) {
    return fail(now, CloseCode::kInvalidPayload, ErrorCode::kMalformed, "Hello without instance");
  }
  state_ = State::kWelcoming;
  events_.emplace_back(HelloReceived{std::move(hello)});
}

void ServerSession::handle_subscribe(const protocol::SubscribeT& subscribe, std::uint64_t ref) {
  for (const auto& request : subscribe.topics) {
    const std::string& name = request->name;
    if (name.empty() || name.size() > kMaxTopicNameBytes) {
      send_error(ErrorCode::kUnknownTopic, protocol::Recovery::kTerminal, ref, {}, "no such topic");
      continue;
    }
    const bool subscribed = std::any_of(subscriptions_.begin(), subscriptions_.end(),
                                        [&](const auto& entry) { return entry.second.name == name; });
    if (subscribed || pending_.contains(name)) {
      send_error(ErrorCode::kUnexpectedMessage, protocol::Recovery::kTerminal, ref, name, "already subscribed");
      continue;
    }
    if (subscriptions_.size() + pending_.size() >= limits_.max_topics) {
      send_error(ErrorCode::kTooManyTopics, protocol::Recovery::kTerminal, ref, name, "too many topics");
      continue;
    }
    Position have;
    if (request->have != nullptr) {
      have = {Epoch{request->have->epoch}, Version{request->have->version}, Digest{request->have->digest}};
    }
    pending_.emplace(name, have);
    events_.push_back(SubscribeRequested{name, request->priority});
  }
}

void ServerSession::handle_unsubscribe(const protocol::UnsubscribeT& unsubscribe, std::uint64_t ref) {
  for (const std::uint32_t topic : unsubscribe.topics) {
    if (subscriptions_.erase(topic) == 0) {
      send_error(ErrorCode::kNotSubscribed, protocol::Recovery::kTerminal, ref, {}, "not subscribed");
      continue;
    }
    broadcaster_.remove_subscriber(TopicId{topic}, this);
    protocol::UnsubscribedT unsubscribed;
    unsubscribed.topic = topic;
    send(std::move(unsubscribed));
    events_.push_back(TopicUnsubscribed{TopicId{topic}});
  }
}

void ServerSession::handle_get_state(TimePoint now, const protocol::GetStateT& get_state, std::uint64_t ref) {
  const auto found = subscriptions_.find(get_state.topic);
  if (found == subscriptions_.end()) {
    return send_error(ErrorCode::kNotSubscribed, protocol::Recovery::kTerminal, ref, {}, "not subscribed");
  }
  Subscription& subscription = found->second;
  std::optional<HeldChunks> held;
  if (get_state.chunks != nullptr) {
    const auto* begin = reinterpret_cast<const std::byte*>(get_state.chunks->fingerprints.data());
    held = HeldChunks{get_state.chunks->size, Bytes(begin, begin + get_state.chunks->fingerprints.size())};
    if (!held->is_valid(limits_)) {
      return fail(now, CloseCode::kInvalidPayload, ErrorCode::kMalformed, "chunks that do not fit their size");
    }
  }
  subscription.held = std::move(held);
  // Whoever was asked for chunks need not say why.
  if (!subscription.awaits_chunks || get_state.cause != ErrorCode::kNone)
    subscription.full_reason = reason_of(get_state.cause);
  subscription.awaits_chunks = false;
  subscription.parts.clear();  // an update under way has lost its meaning; the full one begins anew
  if (get_state.cause != ErrorCode::kNone) {
    ++stats_.resyncs;
    report(get_state.cause, "resync of " + subscription.name + " at version " + std::to_string(subscription.sent.value),
           true);
  }
  broadcaster_.mark_ready(this);
}

// Nobody can know that an action is durable before he was told.
bool ServerSession::handle_confirmed(TimePoint now, Sequence confirmed) {
  if (confirmed > told_durable_) {
    fail(now, CloseCode::kProtocolError, ErrorCode::kAckOfUnsent, "confirms an action that was not said to be durable");
    return false;
  }
  if (confirmed > confirmed_) {
    confirmed_ = confirmed;
    events_.emplace_back(ActionsConfirmed{confirmed});
  }
  return true;
}

void ServerSession::handle_action(TimePoint now, const protocol::ActionT& action, bool within_rate) {
  if (!handle_confirmed(now, Sequence{action.confirmed_action})) return;
  if (!within_rate) {
    protocol::ActionResultT result;
    result.action_sequence = action.action_sequence;
    result.status = ActionStatus::kFailed;
    result.code = ErrorCode::kRateLimited;
    result.message = "too many messages";
    result.retry_after_ms = to_ms32(message_bucket_.time_until(now, 1)) + 1;
    return send(std::move(result));
  }
  const auto* begin = reinterpret_cast<const std::byte*>(action.payload.data());
  events_.emplace_back(ActionReceived{Sequence{action.action_sequence}, Bytes(begin, begin + action.payload.size()),
                                      action.is_withdrawn});
}

void ServerSession::handle_ack(TimePoint now, const protocol::AckT& ack) {
  if (ack.received_sequence > sent_.value) {
    return fail(now, CloseCode::kProtocolError, ErrorCode::kAckOfUnsent, "ack of a message that was never sent");
  }
  for (const auto& version : ack.versions) {
    const auto found = subscriptions_.find(version->topic);
    // An ack may cross an Unsubscribed or a new epoch on the wire; it then says nothing.
    if (found == subscriptions_.end() || found->second.epoch.value != version->epoch) continue;
    Subscription& subscription = found->second;
    if (version->version > subscription.sent.value) {
      return fail(now, CloseCode::kProtocolError, ErrorCode::kAckOfUnsent,
                  "ack of version " + std::to_string(version->version) + " of " + subscription.name + ", sent " +
                      std::to_string(subscription.sent.value));
    }
    subscription.acked.value = std::max(subscription.acked.value, version->version);
  }
  handle_confirmed(now, Sequence{ack.confirmed_action});
}

void ServerSession::handle_heartbeat(TimePoint now, const protocol::HeartbeatT& heartbeat) {
  if (heartbeat.echo_ms != 0) {
    const std::uint64_t current = heartbeat_ms(now);
    if (heartbeat.echo_ms <= current) stats_.round_trip = std::chrono::milliseconds(current - heartbeat.echo_ms);
    return;
  }
  protocol::HeartbeatT answer;
  answer.sent_ms = heartbeat_ms(now);
  answer.echo_ms = heartbeat.sent_ms;
  send(std::move(answer));
}

void ServerSession::handle_timeout(TimePoint now) {
  if (is_closed()) return;
  if (state_ == State::kWaitingForHello) {
    if (now >= opened_at_ + limits_.hello_timeout) {
      fail(now, CloseCode::kHeartbeatTimeout, ErrorCode::kHeartbeatTimeout, "no Hello");
    }
    return;
  }
  if (config_.token_expires_at != TimePoint::max() && now >= config_.token_expires_at + limits_.token_grace) {
    return fail(now, CloseCode::kTokenExpired, ErrorCode::kTokenExpired, "token expired");
  }
  if (now >= last_received_ + limits_.heartbeat_interval + limits_.heartbeat_timeout) {
    return fail(now, CloseCode::kHeartbeatTimeout, ErrorCode::kHeartbeatTimeout, "silent for too long");
  }
  // Nothing goes before Welcome.
  if (!asked_ && state_ == State::kLive && now >= last_received_ + limits_.heartbeat_interval) {
    asked_ = true;
    protocol::HeartbeatT question;
    question.sent_ms = heartbeat_ms(now);
    send(std::move(question));
  }
}

// --- From the application ----------------------------------------------------------------------------------

void ServerSession::welcome(TimePoint now, WelcomeInfo info) {
  if (is_closed()) return;
  SYNC_ASSERT(state_ == State::kWelcoming);
  state_ = State::kLive;
  const std::vector<std::uint64_t>& accepted = config_.schema_fingerprints;
  protocol::WelcomeT welcome;
  welcome.protocol = kProtocolVersion;
  welcome.patch_format = limits_.patch_format;
  welcome.session = std::make_unique<protocol::Id128>(info.session);
  welcome.outcome = info.outcome;
  welcome.fresh_reason = info.fresh_reason;
  welcome.secret = std::move(info.secret);
  welcome.schema_fingerprint = accepted.empty() ? 0 : accepted.front();
  welcome.server = config_.server;
  welcome.limits = announce_limits(limits_);
  welcome.last_action_sequence = info.last_action.value;
  welcome.token_expires_in_ms = expires_in_ms(now, config_.token_expires_at);
  welcome.ledger = std::make_unique<protocol::Id128>(info.ledger);
  welcome.first_seen_ms = info.first_seen_ms;
  send(std::move(welcome));
  // The client may have confirmed what an earlier connection told it.
  told_durable_ = info.durable;
  if (info.durable.value != 0) confirm_durable(now, info.durable);
}

void ServerSession::accept_subscription(TimePoint, const std::string& name, TopicId topic) {
  const auto pending = pending_.find(name);
  if (pending == pending_.end() || is_closed()) return;
  const Position have = pending->second;
  pending_.erase(pending);
  const auto [found, added] = subscriptions_.try_emplace(topic.value);
  if (!added) return;  // another name of the same topic
  found->second.name = name;
  broadcaster_.add_subscriber(topic, this);
  announce(topic, found->second, have);
}

void ServerSession::announce(TopicId topic, Subscription& subscription, const Position& have) {
  const Position current = broadcaster_.position(topic);
  protocol::SubscribedT subscribed;
  subscribed.name = subscription.name;
  subscribed.topic = topic.value;
  subscribed.epoch = current.epoch.value;
  subscribed.version = current.version.value;
  subscription.epoch = current.epoch;
  subscription.acked = Version{};
  subscription.parts.clear();
  FullReason reason = broadcaster_.check_baseline(topic, have);
  if (reason == FullReason::kNone && have.version != current.version) {
    reason = broadcaster_.update_from(topic, have.version, FullReason::kNone, false).header.reason;
    subscribed.outcome = TopicOutcome::kPatch;
  } else if (reason == FullReason::kNone) {
    subscribed.outcome = TopicOutcome::kUpToDate;
  }
  // Where the baseline is known a chunk diff would be no better than the patch that was too large.
  const bool asks_for_chunks = reason != FullReason::kNone && reason != FullReason::kFirst &&
                               reason != FullReason::kSmaller && broadcaster_.may_diff_chunks(topic);
  if (reason != FullReason::kNone)
    subscribed.outcome = asks_for_chunks ? TopicOutcome::kChunkDiff : TopicOutcome::kFull;
  subscribed.reason = reason;
  subscription.full_reason = reason;
  subscription.awaits_chunks = asks_for_chunks;
  subscription.held.reset();
  subscription.sent = reason == FullReason::kNone ? have.version : Version{};
  subscription.is_in_context = false;
  send(std::move(subscribed));
  broadcaster_.mark_ready(this);
}

void ServerSession::reject_subscription(TimePoint, const std::string& name, ErrorCode code,
                                        const std::string& message) {
  if (pending_.erase(name) == 0 || is_closed()) return;
  report(code, "subscription to " + name, false);
  send_error(code, protocol::Recovery::kTerminal, 0, name, message);
}

void ServerSession::complete_action(TimePoint, protocol::ActionResultT result) {
  if (state_ != State::kLive) return;
  if (result.durable) told_durable_.value = std::max(told_durable_.value, result.action_sequence);
  send(std::move(result));
}

void ServerSession::confirm_durable(TimePoint, Sequence sequence) {
  if (state_ != State::kLive) return;
  told_durable_ = std::max(told_durable_, sequence);
  protocol::ActionsDurableT durable;
  durable.action_sequence = sequence.value;
  send(std::move(durable));
}

void ServerSession::renew_token(TimePoint now, TimePoint expires_at) {
  if (state_ != State::kLive) return;
  config_.token_expires_at = expires_at;
  protocol::TokenRefreshedT refreshed;
  refreshed.expires_in_ms = expires_in_ms(now, expires_at);
  send(std::move(refreshed));
}

void ServerSession::refuse_token(TimePoint, const std::string& message) {
  if (state_ != State::kLive) return;
  send_error(ErrorCode::kUnauthenticated, protocol::Recovery::kTerminal, 0, {}, message);
}

void ServerSession::go_away(TimePoint, Duration within, const std::string& message) {
  if (state_ != State::kLive) return;
  protocol::GoAwayT go_away;
  go_away.within_ms = to_ms32(within);
  go_away.message = message;
  send(std::move(go_away));
}

void ServerSession::end_topic(TopicId topic, ErrorCode code) {
  if (subscriptions_.erase(topic.value) == 0) return;
  broadcaster_.remove_subscriber(topic, this);
  if (is_closed()) return;
  protocol::UnsubscribedT unsubscribed;
  unsubscribed.topic = topic.value;
  unsubscribed.code = code;
  send(std::move(unsubscribed));
  broadcaster_.mark_ready(this);
}

void ServerSession::disconnect(TimePoint, CloseCode close_code, ErrorCode code, const std::string& message,
                               Duration retry_after) {
  if (is_closed()) return;
  const auto number = static_cast<std::uint16_t>(close_code);
  protocol::DisconnectT disconnect;
  disconnect.close_code = close_code;
  disconnect.code = code;
  disconnect.reconnect = close_code == CloseCode::kNormal || close_code == CloseCode::kServiceRestart ||
                         close_code == CloseCode::kTryAgainLater || (number >= 4000 && number < 4500);
  disconnect.retry_after_ms = to_ms32(retry_after);
  disconnect.message = message;
  state_ = State::kClosing;  // before send, so that a full queue does not close once more
  ++sent_.value;
  queue_.push_back(encode_message(sent_, std::move(disconnect)));
  close_ = CloseConnection{close_code, code, message};
  broadcaster_.mark_ready(this);
}

void ServerSession::fail(TimePoint now, CloseCode close_code, ErrorCode code, const std::string& detail) {
  report(code, detail, false);
  disconnect(now, close_code, code, detail);
}

void ServerSession::report(ErrorCode code, std::string detail, bool from_peer) {
  events_.push_back(ErrorReported{Error{code, std::move(detail)}, from_peer});
}

template <typename MessageT>
void ServerSession::send(MessageT message) {
  if (is_closed()) return;
  ++sent_.value;
  SharedBytes bytes = encode_message(sent_, std::move(message));
  queue_bytes_ += bytes->size();
  queue_.push_back(std::move(bytes));
  if (queue_.size() > limits_.max_queued_messages || queue_bytes_ > limits_.max_queued_bytes) {
    report(ErrorCode::kSlowConsumer, "does not read", false);
    queue_.clear();
    queue_bytes_ = 0;
    // The Disconnect would be out of sequence after what was dropped; the close code alone says it.
    state_ = State::kClosing;
    close_ = CloseConnection{CloseCode::kSlowConsumer, ErrorCode::kSlowConsumer, "does not read"};
  }
}

void ServerSession::send_error(ErrorCode code, protocol::Recovery recovery, std::uint64_t ref, const std::string& topic,
                               const std::string& message, Duration retry_after) {
  protocol::ErrorT error;
  error.code = code;
  error.recovery = recovery;
  error.ref_sequence = ref;
  error.topic = topic;
  error.message = message;
  error.retry_after_ms = to_ms32(retry_after);
  send(std::move(error));
}

// --- To the connection -------------------------------------------------------------------------------------

ServerOutput ServerSession::poll_output(TimePoint now) {
  if (!events_.empty()) {
    ServerEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  // Before control, because a topic of a new epoch is announced by a control message.
  if (state_ == State::kLive) {
    for (auto& [topic, subscription] : subscriptions_) {
      const TopicInfo* info = broadcaster_.info(TopicId{topic});
      if (info->epoch == subscription.epoch) continue;
      // Of an update that is still under way the client holds nothing.
      const Version held = subscription.parts.empty() ? subscription.sent : Version{};
      announce(TopicId{topic}, subscription, Position{subscription.epoch, held, Digest{}});
    }
  }
  if (!queue_.empty()) {
    SharedBytes message = std::move(queue_.front());
    queue_.pop_front();
    queue_bytes_ -= std::min(queue_bytes_, message->size());
    return Transmit{std::move(message)};
  }
  if (close_) {
    CloseConnection close = std::move(*close_);
    close_.reset();
    state_ = State::kClosed;
    return close;
  }
  if (state_ == State::kLive) {
    if (SharedBytes frame = poll_state(now)) return Transmit{std::move(frame)};
  }
  return Deadline{next_deadline()};
}

bool ServerSession::wants_update(TopicId topic, const Subscription& subscription) const {
  if (subscription.awaits_chunks) return false;
  return subscription.full_reason != FullReason::kNone || subscription.sent != broadcaster_.position(topic).version;
}

SharedBytes ServerSession::poll_state(TimePoint now) {
  if (subscriptions_.empty()) return nullptr;
  // Topics take turns, frame by frame, beginning after the one served last.
  auto at = subscriptions_.upper_bound(last_served_);
  for (std::size_t i = 0; i < subscriptions_.size(); ++i, ++at) {
    if (at == subscriptions_.end()) at = subscriptions_.begin();
    const TopicId topic{at->first};
    Subscription& subscription = at->second;
    if (subscription.parts.empty()) {
      if (!wants_update(topic, subscription) || now < subscription.next_update) continue;
      begin_update(now, topic, subscription);
    }
    SharedBytes frame = subscription.parts[subscription.next_part++];
    if (subscription.next_part == subscription.parts.size()) subscription.parts.clear();
    last_served_ = at->first;
    stats_.state_bytes_sent += frame->size();
    return frame;
  }
  return nullptr;
}

void ServerSession::begin_update(TimePoint now, TopicId topic, Subscription& subscription) {
  const EncodedUpdate& update =
      subscription.held
          ? broadcaster_.update_from_chunks(now, topic, *subscription.held, subscription.full_reason)
          : broadcaster_.update_from(topic, subscription.sent, subscription.full_reason, subscription.is_in_context);
  subscription.held.reset();
  subscription.parts = update.frames;
  subscription.next_part = 0;
  const Version skipped_from = subscription.sent;
  subscription.sent = update.header.version;
  subscription.is_in_context = update.is_in_context;
  subscription.full_reason = FullReason::kNone;
  ++stats_.updates_sent;
  if (update.header.kind == UpdateKind::kFull) {
    ++stats_.fulls_sent;
  } else if (update.header.kind == UpdateKind::kChunkDiff) {
    ++stats_.chunk_diffs_sent;
  } else {
    stats_.versions_conflated += update.header.version.value - skipped_from.value - 1;
  }
  stats_.snapshot_bytes_sent += broadcaster_.snapshot_bytes(topic);
  // A full state that was made for others: what came since follows at once.
  if (update.header.version != broadcaster_.position(topic).version) return;
  // Generic cell rate algorithm (ITU-T I.371) with half an interval of tolerance: the jitter of a tick timer neither
  // costs a tick nor lets the average exceed the rate.
  const Duration interval = std::chrono::duration_cast<Duration>(std::chrono::seconds(1)) /
                            std::max<std::uint32_t>(limits_.updates_per_second, 1);
  subscription.next_update = std::max(subscription.next_update, now - interval / 2) + interval;
}

TimePoint ServerSession::next_deadline() const {
  if (is_closed()) return TimePoint::max();
  if (state_ == State::kWaitingForHello) return opened_at_ + limits_.hello_timeout;
  TimePoint at = last_received_ + limits_.heartbeat_interval;
  if (asked_ || state_ == State::kWelcoming) at += limits_.heartbeat_timeout;
  if (config_.token_expires_at != TimePoint::max()) at = std::min(at, config_.token_expires_at + limits_.token_grace);
  for (const auto& [topic, subscription] : subscriptions_) {
    if (wants_update(TopicId{topic}, subscription)) at = std::min(at, subscription.next_update);
  }
  return at;
}

}  // namespace libsync
