#include "link.h"

#include <openssl/sha.h>

#include <type_traits>
#include <utility>

#include "room.h"

namespace libsync::server {
namespace {

constexpr std::size_t kSecretBytes = 16;

SecretHash hash_secret(const std::vector<std::uint8_t>& secret) {
  SecretHash hash;
  static_assert(sizeof hash == SHA256_DIGEST_LENGTH);
  SHA256(secret.data(), secret.size(), reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

// How a connection ends that its user's home refuses or replaces.
CloseCode close_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kReplaced: return CloseCode::kReplaced;
    case ErrorCode::kTooManySessions: return CloseCode::kTooManySessions;
    default: return CloseCode::kStateInvalid;
  }
}

}  // namespace

Link::Link(Ports& ports, Broadcaster& broadcaster, const Limits& limits, std::string user, ConnectionRef self,
           ServerSessionConfig config, TimePoint now)
    : ports_(ports),
      broadcaster_(broadcaster),
      self_(self),
      session_(broadcaster, limits, std::move(config), now),
      key_{std::move(user), {}} {}

Link::Output Link::poll_output(TimePoint now) {
  for (;;) {
    ServerOutput output = session_.poll_output(now);
    if (auto* event = std::get_if<ServerEvent>(&output)) {
      handle_event(now, std::move(*event));
    } else if (auto* transmit = std::get_if<Transmit>(&output)) {
      return std::move(*transmit);
    } else if (auto* close = std::get_if<CloseConnection>(&output)) {
      said_goodbye_ = close->close_code == CloseCode::kNormal;
      return std::move(*close);
    } else {
      return std::get<Deadline>(output);
    }
  }
}

void Link::handle_event(TimePoint now, ServerEvent event) {
  std::visit(
      [&](auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, HelloReceived>) {
          handle_hello(value.hello);
        } else if constexpr (std::is_same_v<T, WelcomeConfirmed>) {
          ports_.confirm_secret(key_);
        } else if constexpr (std::is_same_v<T, SubscribeRequested>) {
          ports_.post([from = self_, user = key_.user, name = std::move(value.name)](Room& room) {
            room.subscribe(from, user, name);
          });
        } else if constexpr (std::is_same_v<T, TopicUnsubscribed>) {
          const auto found = granted_.find(value.topic.value);
          if (found == granted_.end()) return;
          const std::vector<TopicId> ended(found->second, value.topic);
          granted_.erase(found);
          release_topics(ended);
        } else if constexpr (std::is_same_v<T, ActionReceived>) {
          ports_.post([from = self_, key = key_, action = std::move(value)](Room& room) mutable {
            room.act(from, key, std::move(action));
          });
        } else if constexpr (std::is_same_v<T, ActionsConfirmed>) {
          ports_.post([from = self_, key = key_, sequence = value.sequence](Room& room) {
            room.confirm_actions(from, key, sequence);
          });
        } else if constexpr (std::is_same_v<T, TokenOffered>) {
          const Result<TimePoint> expires_at = ports_.verify_token(value.token);
          if (expires_at) return session_.renew_token(now, *expires_at);
          ports_.report(expires_at.error(), false);
          session_.refuse_token(now, "the token is not good for this session");
        } else {
          static_assert(std::is_same_v<T, ErrorReported>);
          ports_.report(value.error, value.from_peer);
        }
      },
      event);
}

void Link::handle_hello(const protocol::HelloT& hello) {
  ports_.session_began(hello.sdk);
  key_.instance = *hello.instance;
  attempt_ = hello.attempt;
  claim_.is_new = hello.is_new;
  if (hello.ledger != nullptr) claim_.ledger = *hello.ledger;
  claim_.first_seen_ms = hello.first_seen_ms;
  claim_.confirmed = Sequence{hello.confirmed_action};
  SessionRequest request;
  request.key = key_;
  request.attempt = hello.attempt;
  request.connection = self_.connection;
  if (hello.resume != nullptr && hello.resume->session != nullptr) {
    request.resumed = *hello.resume->session;
    request.secret_hash = hash_secret(hello.resume->secret);
  }
  const std::uint64_t low = ports_.random();
  request.fresh_id = protocol::Id128(low, ports_.random());
  while (welcome_.secret.size() < kSecretBytes) {
    const std::uint64_t bits = ports_.random();
    for (int shift = 0; shift < 64; shift += 8) welcome_.secret.push_back(static_cast<std::uint8_t>(bits >> shift));
  }
  request.next_secret_hash = hash_secret(welcome_.secret);
  has_asked_home_ = true;
  ports_.open_session(request);
}

void Link::granted(TimePoint now, const Result<SessionGrant>& grant) {
  if (session_.is_closed()) return;
  if (!grant) {
    ports_.report(grant.error(), false);
    return disconnect(now, close_code_of(grant.error().code), grant.error().code, grant.error().detail);
  }
  welcome_.session = grant->session;
  welcome_.outcome = grant->outcome;
  welcome_.fresh_reason = grant->fresh_reason;
  has_asked_room_ = true;
  ports_.post([from = self_, key = key_, attempt = attempt_, claim = claim_](Room& room) {
    room.open_instance(from, key, attempt, claim);
  });
}

void Link::end_session(TimePoint now, ErrorCode why) {
  disconnect(now, close_code_of(why), why,
             why == ErrorCode::kReplaced ? "a newer connection of this client took over" : "the session was revoked");
}

void Link::answer(TimePoint now, SubscriptionAnswer answer) {
  if (!answer.topic) return session_.reject_subscription(now, answer.name, answer.code, answer.message);
  ++granted_[answer.topic->value];
  // The topic may have gone between the answer and now: it is the room's order, so not in between, but checked.
  if (broadcaster_.has(*answer.topic)) session_.accept_subscription(now, answer.name, *answer.topic);
}

void Link::answer(TimePoint now, InstanceAnswer answer) {
  if (session_.is_closed()) return;
  if (!answer.state) {
    ports_.report(answer.state.error(), false);
    return disconnect(now, CloseCode::kStateInvalid, answer.state.error().code, answer.state.error().detail);
  }
  welcome_.ledger = answer.ledger;
  welcome_.first_seen_ms = answer.state->first_seen_ms;
  welcome_.last_action = answer.state->last_action;
  welcome_.durable = answer.state->durable;
  session_.welcome(now, std::move(welcome_));
}

void Link::answer(TimePoint now, ActionAnswer answer) { session_.complete_action(now, std::move(answer.result)); }

void Link::answer(TimePoint now, DurableAnswer answer) { session_.confirm_durable(now, answer.sequence); }

void Link::release_topics(const std::vector<TopicId>& topics) {
  if (topics.empty()) return;
  ports_.post([topics, shard = self_.shard](Room& room) {
    for (const TopicId topic : topics) room.release(shard, topic);
  });
}

void Link::end() {
  std::vector<TopicId> topics;
  for (const auto& [topic, n] : granted_) topics.insert(topics.end(), n, TopicId{topic});
  release_topics(topics);
  if (has_asked_room_) ports_.post([from = self_, key = key_](Room& room) { room.close_instance(from, key); });
  if (has_asked_home_) ports_.close_session(key_, said_goodbye_);
}

}  // namespace libsync::server
