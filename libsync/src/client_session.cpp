#include "libsync/client_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "libsync/held_chunks.h"
#include "libsync/patch.h"

namespace libsync {
namespace {

constexpr std::uint16_t kProtocolVersion = 1;
// The envelope around a payload, or around chunks, takes less than this.
constexpr std::size_t kEnvelopeBytes = 128;

std::uint64_t heartbeat_ms(TimePoint now) {
  return static_cast<std::uint64_t>(std::max<Duration::rep>(now.time_since_epoch().count(), 0) / 1000) + 1;
}

}  // namespace

bool may_reconnect(CloseCode close_code) {
  switch (close_code) {
    case CloseCode::kUnset:
    case CloseCode::kNormal:
    case CloseCode::kServiceRestart:
    case CloseCode::kTryAgainLater: return true;
    default: break;
  }
  const auto number = static_cast<std::uint16_t>(close_code);
  return number == 1001 || number == 1006 || (number >= 4000 && number < 4500);
}

ClientSession::ClientSession(const Limits& limits, ClientSessionConfig config, TimePoint now)
    : limits_(limits),
      config_(std::move(config)),
      message_bucket_(limits.messages_per_second, limits.messages_burst, now),
      last_ack_(now),
      opened_at_(now),
      last_received_(now) {
  confirmed_ = told_confirmed_ = config_.confirmed;
  protocol::HelloT hello;
  hello.protocol_min = kProtocolVersion;
  hello.protocol_max = kProtocolVersion;
  hello.patch_format_max = kPatchFormat;
  hello.instance = std::make_unique<protocol::Id128>(config_.instance);
  hello.is_new = config_.is_new;
  hello.attempt = config_.attempt;
  if (!config_.is_new) hello.ledger = std::make_unique<protocol::Id128>(config_.ledger);
  hello.first_seen_ms = config_.first_seen_ms;
  hello.confirmed_action = config_.confirmed.value;
  if (config_.resume) {
    hello.resume = std::make_unique<protocol::SessionResumeT>();
    hello.resume->session = std::make_unique<protocol::Id128>(config_.resume->session);
    hello.resume->secret = config_.resume->secret;
  }
  hello.schema_fingerprint = config_.schema_fingerprint;
  hello.sdk = config_.sdk;
  hello.max_snapshot_bytes = static_cast<std::uint32_t>(limits_.max_snapshot_bytes);
  send(std::move(hello));
}

// --- From the connection -----------------------------------------------------------------------------------

void ClientSession::handle_frame(TimePoint now, BytesView message) {
  if (is_closed()) return;
  last_received_ = now;
  asked_ = false;
  switch (message_kind(message)) {
    case MessageKind::kControl: return handle_control(now, message);
    case MessageKind::kState: return handle_state(now, message);
    case MessageKind::kInvalid: break;
  }
  fail(CloseCode::kInvalidPayload, ErrorCode::kMalformed, "neither a control message nor a state frame");
}

void ClientSession::handle_control(TimePoint now, BytesView message) {
  Result<std::unique_ptr<protocol::EnvelopeT>> envelope = decode_message(message, limits_);
  if (!envelope) {
    return fail(CloseCode::kInvalidPayload, envelope.error().code, envelope.error().detail);
  }
  if ((*envelope)->sequence != received_.value + 1) {
    return fail(CloseCode::kProtocolError, ErrorCode::kSequenceGap, "control message out of order");
  }
  ++received_.value;
  handle_message(now, **envelope);
}

void ClientSession::handle_message(TimePoint now, protocol::EnvelopeT& envelope) {
  protocol::MessageUnion& message = envelope.message;
  const bool is_welcome = message.type == protocol::Message::Welcome;
  const bool may_come_first =
      is_welcome || message.type == protocol::Message::Error || message.type == protocol::Message::Disconnect;
  if (state_ == State::kWaitingForWelcome ? !may_come_first : is_welcome) {
    return fail(CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage,
                std::string(protocol::EnumNameMessage(message.type)) + " in this state");
  }
  switch (message.type) {
    case protocol::Message::Welcome: return handle_welcome(now, *message.AsWelcome());
    case protocol::Message::Subscribed: return handle_subscribed(now, *message.AsSubscribed());
    case protocol::Message::Unsubscribed: return handle_unsubscribed(*message.AsUnsubscribed());
    case protocol::Message::ActionResult:
      events_.emplace_back(ActionFinished{std::move(*message.AsActionResult())});
      return;
    case protocol::Message::ActionsDurable:
      events_.emplace_back(ActionsNowDurable{Sequence{message.AsActionsDurable()->action_sequence}});
      return;
    case protocol::Message::TokenRefreshed: {
      const std::uint64_t ms = std::min<std::uint64_t>(message.AsTokenRefreshed()->expires_in_ms, INT64_MAX / 1000);
      events_.emplace_back(TokenRenewed{ms == 0 ? Duration::max() : Duration(static_cast<Duration::rep>(ms) * 1000)});
      return;
    }
    case protocol::Message::GoAway:
      events_.emplace_back(GoingAway{std::chrono::milliseconds(message.AsGoAway()->within_ms)});
      return;
    case protocol::Message::Heartbeat: {
      if (message.AsHeartbeat()->echo_ms != 0) return;
      protocol::HeartbeatT answer;
      answer.sent_ms = heartbeat_ms(now);
      answer.echo_ms = message.AsHeartbeat()->sent_ms;
      return send(std::move(answer));
    }
    case protocol::Message::Error: return handle_error(*message.AsError());
    case protocol::Message::Disconnect: {
      const protocol::DisconnectT& disconnect = *message.AsDisconnect();
      state_ = State::kClosing;
      close_ = CloseConnection{CloseCode::kNormal, disconnect.code, disconnect.message};
      events_.push_back(Disconnected{disconnect});
      return;
    }
    default:
      return fail(CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage,
                  std::string(protocol::EnumNameMessage(message.type)) + " from a server");
  }
}

void ClientSession::handle_welcome(TimePoint now, protocol::WelcomeT& welcome) {
  if (welcome.protocol != kProtocolVersion || welcome.patch_format > kPatchFormat) {
    return fail(CloseCode::kVersionUnsupported, ErrorCode::kVersionUnsupported, "the server speaks another version");
  }
  const protocol::SessionLimitsT& announced = *welcome.limits;
  limits_.max_actions_in_flight = announced.max_actions_in_flight;
  max_sent_bytes_ = announced.max_message_bytes;
  limits_.heartbeat_interval = std::chrono::milliseconds(std::max(announced.heartbeat_interval_ms, 100u));
  limits_.heartbeat_timeout = std::chrono::milliseconds(std::max(announced.heartbeat_timeout_ms, 100u));
  message_bucket_ =
      TokenBucket(std::max(announced.messages_per_second, 1u), std::max(announced.messages_burst, 1u), now);
  state_ = State::kLive;
  if (confirmed_ > told_confirmed_) mark_ack_due(now);
  for (const auto& [name, subscription] : subscriptions_) request(name, subscription);
  events_.push_back(Welcomed{std::move(welcome)});
}

void ClientSession::handle_subscribed(TimePoint now, const protocol::SubscribedT& subscribed) {
  const auto found = subscriptions_.find(subscribed.name);
  if (found == subscriptions_.end()) {
    return fail(CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage, "Subscribed to what was not asked for");
  }
  Subscription& subscription = found->second;
  if (subscription.topic) names_.erase(subscription.topic->value);
  subscription.topic = TopicId{subscribed.topic};
  subscription.epoch = Epoch{subscribed.epoch};
  names_[subscribed.topic] = found->first;
  subscription.resyncing = false;
  subscription.named_chunks = false;
  if (subscription.leaving) {  // asked for and given up before the answer came
    protocol::UnsubscribeT unsubscribe;
    unsubscribe.topics = {subscribed.topic};
    return send(std::move(unsubscribe));
  }
  if (subscribed.outcome == TopicOutcome::kChunkDiff) {
    if (subscription.held.snapshot == nullptr) {
      return fail(CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage, "a chunk diff from what is not held");
    }
    return ask_for_state(subscription, ErrorCode::kNone, true);
  }
  if (subscribed.outcome != TopicOutcome::kUpToDate) return;
  const Position& held = subscription.held.position;
  if (subscription.held.snapshot == nullptr || held.epoch != subscription.epoch ||
      held.version.value != subscribed.version) {
    return fail(CloseCode::kProtocolError, ErrorCode::kUnexpectedMessage, "up to date with what is not held");
  }
  events_.push_back(TopicUpdated{found->first, subscription.held, UpdateKind::kPatch, 0});
  mark_changed(now, subscription, 0);
}

void ClientSession::handle_unsubscribed(const protocol::UnsubscribedT& unsubscribed) {
  const auto name = names_.find(unsubscribed.topic);
  if (name == names_.end()) {
    return fail(CloseCode::kProtocolError, ErrorCode::kUnknownTopic, "Unsubscribed from an unknown topic");
  }
  const auto found = subscriptions_.find(name->second);
  names_.erase(name);
  Subscription& subscription = found->second;
  if (subscription.wanted_again) {
    Subscription again;
    again.priority = subscription.priority;
    again.held = subscription.held;
    subscription = std::move(again);
    return request(found->first, subscription);
  }
  events_.push_back(TopicEnded{found->first, Error{unsubscribed.code, "unsubscribed"}});
  subscriptions_.erase(found);
}

void ClientSession::handle_error(protocol::ErrorT& error) {
  const auto found = subscriptions_.find(error.topic);
  const bool refused =
      found != subscriptions_.end() && !found->second.topic && error.recovery == protocol::Recovery::kTerminal;
  if (refused) {
    subscriptions_.erase(found);
    events_.push_back(TopicEnded{error.topic, Error{error.code, error.message}});
  } else {
    events_.push_back(PeerError{std::move(error)});
  }
}

// --- State -------------------------------------------------------------------------------------------------

void ClientSession::handle_state(TimePoint now, BytesView message) {
  const Result<StateFrame> frame = decode_state_frame(message, limits_);
  if (!frame) return fail(CloseCode::kInvalidPayload, frame.error().code, frame.error().detail);
  const auto name = names_.find(frame->header.topic.value);
  if (state_ != State::kLive || name == names_.end()) {
    return fail(CloseCode::kProtocolError, ErrorCode::kUnknownTopic, "state of a topic without a number");
  }
  const auto found = subscriptions_.find(name->second);
  Subscription& subscription = found->second;
  if (subscription.leaving) return;
  const Result<const BytesView*> body = subscription.assembler.add(*frame);
  if (!body) return fail(CloseCode::kInvalidPayload, body.error().code, body.error().detail);
  if (frame->first) subscription.arriving_bytes = 0;
  subscription.arriving_bytes += message.size();
  if (*body != nullptr) take_update(now, found->first, subscription, frame->header, **body);
}

void ClientSession::take_update(TimePoint now, const std::string& name, Subscription& subscription,
                                const UpdateHeader& header, BytesView patch) {
  HeldState& held = subscription.held;
  SnapshotPtr baseline = Snapshot::empty();
  if (header.kind == UpdateKind::kPatch) {
    if (subscription.resyncing) return;  // a patch sent before the server read GetState
    if (held.snapshot == nullptr || held.position.epoch != subscription.epoch ||
        held.position.version != header.base_version) {
      return resync(name, subscription, Error{ErrorCode::kWrongBaseline, "patch for a version that is not held"});
    }
    baseline = held.snapshot;
  } else if (header.kind == UpdateKind::kChunkDiff) {
    if (!subscription.named_chunks || held.snapshot == nullptr) {
      return resync(name, subscription, Error{ErrorCode::kWrongBaseline, "chunk diff without chunks"});
    }
    baseline = held.snapshot;
  }
  Result<SnapshotPtr> snapshot = apply_patch(*baseline, patch, limits_, &subscription.context);
  if (!snapshot) return resync(name, subscription, snapshot.error());
  held = {{subscription.epoch, header.version, (*snapshot)->digest()}, *snapshot};
  subscription.resyncing = false;
  subscription.named_chunks = false;
  // Only a patch that fits proves that the loop is over; full states between patches that never fit do not.
  if (header.kind == UpdateKind::kPatch) subscription.failures = 0;
  events_.push_back(TopicUpdated{name, held, header.kind, subscription.arriving_bytes});
  mark_changed(now, subscription, subscription.arriving_bytes);
}

void ClientSession::resync(const std::string& name, Subscription& subscription, const Error& error) {
  if (++subscription.failures > limits_.max_resyncs) {
    return fail(CloseCode::kResyncLoop, error.code, "no state that fits after several tries: " + error.detail);
  }
  // Where that did not help the state is wanted whole.
  const HeldState& held = subscription.held;
  ask_for_state(subscription, error.code,
                subscription.failures == 1 && held.snapshot != nullptr &&
                    held.snapshot->size_bytes() >= limits_.min_chunk_diff_bytes);
  events_.push_back(Resyncing{name, error});
}

void ClientSession::ask_for_state(Subscription& subscription, ErrorCode cause, bool names_chunks) {
  subscription.resyncing = true;
  protocol::GetStateT get_state;
  get_state.topic = subscription.topic->value;
  get_state.cause = cause;
  subscription.named_chunks = false;
  if (names_chunks) {
    const HeldChunks chunks = HeldChunks::of(subscription.held.snapshot->bytes());
    if (chunks.fingerprints.size() + kEnvelopeBytes <= max_sent_bytes_) {
      const auto* begin = reinterpret_cast<const std::uint8_t*>(chunks.fingerprints.data());
      get_state.chunks = std::make_unique<protocol::HeldChunksT>();
      get_state.chunks->size = static_cast<std::uint32_t>(chunks.size_bytes);
      get_state.chunks->fingerprints.assign(begin, begin + chunks.fingerprints.size());
      subscription.named_chunks = true;
    }
  }
  send(std::move(get_state));
}

void ClientSession::mark_ack_due(TimePoint now) {
  // The interval begins with the first change, so that a quiet topic's change is acked within it too.
  if (!ack_due_) last_ack_ = std::max(last_ack_, now - limits_.ack_interval);
  ack_due_ = true;
}

void ClientSession::mark_changed(TimePoint now, Subscription& subscription, std::size_t bytes) {
  mark_ack_due(now);
  subscription.ack_due = true;
  bytes_since_ack_ += bytes;
  if (bytes_since_ack_ >= limits_.ack_bytes) flush_acks(now);
}

void ClientSession::flush_acks(TimePoint now) {
  protocol::AckT ack;
  ack.received_sequence = received_.value;
  ack.confirmed_action = confirmed_.value;
  for (auto& [name, subscription] : subscriptions_) {
    if (!subscription.ack_due || !subscription.topic) continue;
    subscription.ack_due = false;
    auto version = std::make_unique<protocol::TopicVersionT>();
    version->topic = subscription.topic->value;
    version->epoch = subscription.held.position.epoch.value;
    version->version = subscription.held.position.version.value;
    ack.versions.push_back(std::move(version));
  }
  ack_due_ = false;
  bytes_since_ack_ = 0;
  last_ack_ = now;
  if (ack.versions.empty() && told_confirmed_ == confirmed_) return;
  told_confirmed_ = confirmed_;
  send(std::move(ack));
}

// --- From the application ----------------------------------------------------------------------------------

void ClientSession::subscribe(TimePoint, const std::string& name, const HeldState* have, std::uint8_t priority) {
  const auto [found, added] = subscriptions_.try_emplace(name);
  Subscription& subscription = found->second;
  if (!added) {
    subscription.wanted_again = subscription.leaving;
    return;
  }
  subscription.priority = priority;
  if (have != nullptr && have->snapshot != nullptr) subscription.held = *have;
  if (state_ == State::kLive) request(name, subscription);
}

void ClientSession::request(const std::string& name, const Subscription& subscription) {
  protocol::SubscribeT subscribe;
  auto request = std::make_unique<protocol::TopicRequestT>();
  request->name = name;
  request->priority = subscription.priority;
  if (subscription.held.snapshot != nullptr) {
    request->have = std::make_unique<protocol::PositionT>();
    request->have->epoch = subscription.held.position.epoch.value;
    request->have->version = subscription.held.position.version.value;
    request->have->digest = subscription.held.position.digest.value;
  }
  subscribe.topics.push_back(std::move(request));
  send(std::move(subscribe));
}

void ClientSession::unsubscribe(TimePoint, const std::string& name) {
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end()) return;
  found->second.wanted_again = false;
  if (found->second.leaving) return;
  if (state_ != State::kLive) {
    subscriptions_.erase(found);
    return;
  }
  found->second.leaving = true;
  if (!found->second.topic) return;  // the answer is under way; Unsubscribe follows it
  protocol::UnsubscribeT unsubscribe;
  unsubscribe.topics = {found->second.topic->value};
  send(std::move(unsubscribe));
}

Result<bool> ClientSession::act(TimePoint, Sequence sequence, BytesView payload, bool is_withdrawn) {
  if (state_ != State::kLive) return Error{ErrorCode::kUnexpectedMessage, "act: the session is not live"};
  if (payload.size() > max_payload_bytes()) return Error{ErrorCode::kMessageTooBig, "act: payload above the limit"};
  protocol::ActionT action;
  action.action_sequence = sequence.value;
  const auto* begin = reinterpret_cast<const std::uint8_t*>(payload.data());
  action.payload.assign(begin, begin + payload.size());
  action.is_withdrawn = is_withdrawn;
  action.confirmed_action = confirmed_.value;
  told_confirmed_ = confirmed_;
  send(std::move(action));
  return true;
}

void ClientSession::confirm_actions(TimePoint now, Sequence sequence) {
  if (is_closed() || sequence <= confirmed_) return;
  confirmed_ = sequence;
  if (state_ != State::kLive) return;  // Welcome comes first
  mark_ack_due(now);
  // Results that wait for this keep the server from executing more.
  if (confirmed_.value - told_confirmed_.value >= std::max(limits_.max_actions_in_flight / 2, 1u)) flush_acks(now);
}

void ClientSession::renew_token(TimePoint, const std::string& token) {
  if (state_ != State::kLive) return;
  protocol::RefreshTokenT refresh;
  refresh.token = token;
  send(std::move(refresh));
}

void ClientSession::disconnect(TimePoint) {
  if (is_closed()) return;
  protocol::DisconnectT goodbye;
  goodbye.close_code = CloseCode::kNormal;
  send(std::move(goodbye));
  state_ = State::kClosing;
  close_ = CloseConnection{CloseCode::kNormal, ErrorCode::kNone, "goodbye"};
}

std::size_t ClientSession::max_payload_bytes() const {
  return max_sent_bytes_ <= kEnvelopeBytes ? 0 : max_sent_bytes_ - kEnvelopeBytes;
}

const HeldState* ClientSession::held(const std::string& name) const {
  const auto found = subscriptions_.find(name);
  return found == subscriptions_.end() || found->second.held.snapshot == nullptr ? nullptr : &found->second.held;
}

// --- Time and output ---------------------------------------------------------------------------------------

void ClientSession::handle_timeout(TimePoint now) {
  if (is_closed()) return;
  if (state_ == State::kWaitingForWelcome) {
    if (now >= opened_at_ + limits_.heartbeat_interval + limits_.heartbeat_timeout) {
      fail(CloseCode::kHeartbeatTimeout, ErrorCode::kHeartbeatTimeout, "no Welcome");
    }
    return;
  }
  if (now >= last_received_ + limits_.heartbeat_interval + limits_.heartbeat_timeout) {
    return fail(CloseCode::kHeartbeatTimeout, ErrorCode::kHeartbeatTimeout, "silent for too long");
  }
  if (!asked_ && now >= last_received_ + limits_.heartbeat_interval) {
    asked_ = true;
    protocol::HeartbeatT question;
    question.sent_ms = heartbeat_ms(now);
    send(std::move(question));
  }
  if (ack_due_ && now >= last_ack_ + limits_.ack_interval) flush_acks(now);
}

void ClientSession::fail(CloseCode close_code, ErrorCode code, const std::string& detail) {
  if (is_closed()) return;
  protocol::DisconnectT disconnect;
  disconnect.close_code = close_code;
  disconnect.code = code;
  disconnect.reconnect = may_reconnect(close_code);
  disconnect.message = detail;
  events_.push_back(Disconnected{disconnect});
  send(std::move(disconnect));
  state_ = State::kClosing;
  close_ = CloseConnection{close_code, code, detail};
}

template <typename MessageT>
void ClientSession::send(MessageT message) {
  if (is_closed()) return;
  ++sent_.value;
  queue_.push_back(encode_message(sent_, std::move(message)));
}

ClientOutput ClientSession::poll_output(TimePoint now) {
  if (!events_.empty()) {
    ClientEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  if (!queue_.empty() && (is_closed() || message_bucket_.take(now, 1))) {
    SharedBytes message = std::move(queue_.front());
    queue_.pop_front();
    return Transmit{std::move(message)};
  }
  if (close_) {
    CloseConnection close = std::move(*close_);
    close_.reset();
    state_ = State::kClosed;
    return close;
  }
  return Deadline{next_deadline(now)};
}

TimePoint ClientSession::next_deadline(TimePoint now) {
  if (is_closed()) return TimePoint::max();
  if (state_ == State::kWaitingForWelcome) {
    return opened_at_ + limits_.heartbeat_interval + limits_.heartbeat_timeout;
  }
  TimePoint at = last_received_ + limits_.heartbeat_interval;
  if (asked_) at += limits_.heartbeat_timeout;
  if (ack_due_) at = std::min(at, last_ack_ + limits_.ack_interval);
  if (!queue_.empty()) at = std::min(at, now + message_bucket_.time_until(now, 1));
  return at;
}

}  // namespace libsync
