// server_session.h: the server's end of one connection. See session.h.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/broadcaster.h"
#include "libsync/held_chunks.h"
#include "libsync/limits.h"
#include "libsync/message.h"
#include "libsync/result.h"
#include "libsync/session_output.h"
#include "libsync/token_bucket.h"
#include "libsync/types.h"

namespace libsync {

// What a session is told when it is made.
struct ServerSessionConfig {
  std::string server = "libsync";                  // name and version, for the client's logs
  std::vector<std::uint64_t> schema_fingerprints;  // accepted ones, the server's own first; empty: not checked
  void* owner = nullptr;                           // the shell's own, see ServerSession::owner()
  TimePoint token_expires_at = TimePoint::max();   // the connection ends at this time plus Limits::token_grace
};

// The client said a Hello that can be answered. The application calls welcome(), or disconnect(), once; until then
// nothing more is taken from the client.
struct HelloReceived {
  protocol::HelloT hello;
};
// The client has shown that it has the Welcome: what came before it is of no more use to anybody.
struct WelcomeConfirmed {};
// The application decides and calls accept_subscription or reject_subscription; until then the topic is pending.
struct SubscribeRequested {
  std::string name;
  std::uint8_t priority = 128;
};
struct TopicUnsubscribed {
  TopicId topic;
};
// The application finds out whether it is to be executed (ActionLedger), and calls complete_action().
struct ActionReceived {
  Sequence sequence;
  Bytes payload;
  bool is_withdrawn = false;
};
// The client needs the results up to here no more. Later than an ActionReceived that it came with.
struct ActionsConfirmed {
  Sequence sequence;
};
// The client has a new token. The application verifies it and calls renew_token() or refuse_token().
struct TokenOffered {
  std::string token;
};
// The peer broke a rule or diverged; for logs and metrics. The session has answered already.
struct ErrorReported {
  Error error;
  bool from_peer = false;  // the client reported it (GetState with a cause)
};

using ServerEvent = std::variant<HelloReceived, WelcomeConfirmed, SubscribeRequested, TopicUnsubscribed, ActionReceived,
                                 ActionsConfirmed, TokenOffered, ErrorReported>;
using ServerOutput = std::variant<Transmit, ServerEvent, CloseConnection, Deadline>;

// What a Welcome says of session and instance.
struct WelcomeInfo {
  protocol::Id128 session;
  protocol::SessionOutcome outcome = protocol::SessionOutcome::kFresh;
  protocol::FreshReason fresh_reason = protocol::FreshReason::kNotAsked;
  std::vector<std::uint8_t> secret;  // random, at least 16 bytes; empty: the session cannot be resumed
  protocol::Id128 ledger;
  std::uint64_t first_seen_ms = 0;
  Sequence last_action;  // executed
  Sequence durable;      // of these, up to here
};

struct SessionStats {
  std::uint64_t updates_sent = 0;
  std::uint64_t fulls_sent = 0;
  std::uint64_t chunk_diffs_sent = 0;
  std::uint64_t state_bytes_sent = 0;
  std::uint64_t snapshot_bytes_sent = 0;  // what the same updates would have cost as snapshots
  std::uint64_t versions_conflated = 0;
  std::uint64_t resyncs = 0;
  Duration round_trip = Duration::zero();  // of the last heartbeat answered; zero: none yet
};

class ServerSession {
 public:
  // Requires: `broadcaster` and `limits` outlive the session.
  ServerSession(Broadcaster& broadcaster, const Limits& limits, ServerSessionConfig config, TimePoint now);
  ~ServerSession();
  ServerSession(const ServerSession&) = delete;
  ServerSession& operator=(const ServerSession&) = delete;

  // --- From the connection.
  // One binary WebSocket message. Never fails: what is wrong with it becomes an answer.
  void handle_frame(TimePoint now, BytesView message);
  void handle_timeout(TimePoint now);

  // --- From the application.
  // Answers a SubscribeRequested. Nothing happens if the client has gone back on it.
  // Requires: broadcaster.has(topic).
  void accept_subscription(TimePoint now, const std::string& name, TopicId topic);
  void reject_subscription(TimePoint now, const std::string& name, ErrorCode code, const std::string& message);
  // Answers a HelloReceived. Nothing happens if the connection has ended meanwhile.
  void welcome(TimePoint now, WelcomeInfo info);
  // Answers an ActionReceived, or repeats the result of an earlier connection's action.
  void complete_action(TimePoint now, protocol::ActionResultT result);
  // All actions up to this one are durable.
  void confirm_durable(TimePoint now, Sequence sequence);
  // Answers a TokenOffered. TimePoint::max(): the token does not expire.
  void renew_token(TimePoint now, TimePoint expires_at);
  void refuse_token(TimePoint now, const std::string& message);
  // Asks the client to make a new connection within the time. The application ends this one later.
  void go_away(TimePoint now, Duration within, const std::string& message);
  // Says why and ends the connection.
  void disconnect(TimePoint now, CloseCode close_code, ErrorCode code, const std::string& message,
                  Duration retry_after = Duration::zero());

  // --- To the connection.
  [[nodiscard]] ServerOutput poll_output(TimePoint now);

  bool is_live() const { return state_ == State::kLive; }
  bool is_closed() const { return state_ == State::kClosing || state_ == State::kClosed; }
  const SessionStats& stats() const { return stats_; }
  std::size_t subscription_count() const { return subscriptions_.size(); }
  // What the shell put into the config: its way from Broadcaster::next_ready() back to the connection.
  void* owner() const { return config_.owner; }

  // Used by Broadcaster: the topic is gone.
  void end_topic(TopicId topic, ErrorCode code);

 private:
  friend class Broadcaster;
  enum class State : std::uint8_t { kWaitingForHello, kWelcoming, kLive, kClosing, kClosed };

  struct Subscription {
    std::string name;
    Epoch epoch;
    Version sent;                // what the client holds once it has read everything sent
    bool is_in_context = false;  // at `sent`; see EncodedUpdate
    Version acked;
    FullReason full_reason = FullReason::kNone;  // not kNone: the next update is no patch
    bool awaits_chunks = false;                  // nothing is sent until the client has named them, or wants no diff
    std::optional<HeldChunks> held;              // the next update may be a chunk diff from these
    TimePoint next_update;                       // earliest time of the next update, see updates_per_second
    // Parts of the update under way; the session finishes it before it makes another one of this topic.
    std::vector<SharedBytes> parts;
    std::size_t next_part = 0;
  };

  void handle_hello(TimePoint now, protocol::HelloT& hello);
  void handle_subscribe(const protocol::SubscribeT& subscribe, std::uint64_t ref);
  void handle_unsubscribe(const protocol::UnsubscribeT& unsubscribe, std::uint64_t ref);
  void handle_get_state(TimePoint now, const protocol::GetStateT& get_state, std::uint64_t ref);
  void handle_action(TimePoint now, const protocol::ActionT& action, bool within_rate);
  bool handle_confirmed(TimePoint now, Sequence confirmed);
  void handle_ack(TimePoint now, const protocol::AckT& ack);
  void handle_heartbeat(TimePoint now, const protocol::HeartbeatT& heartbeat);
  void handle_message(TimePoint now, protocol::EnvelopeT& envelope);

  // Queues a control message; ends the session where the queue is full.
  template <typename MessageT>
  void send(MessageT message);
  void send_error(ErrorCode code, protocol::Recovery recovery, std::uint64_t ref, const std::string& topic,
                  const std::string& message, Duration retry_after = Duration::zero());
  // The peer broke a rule: reports it and disconnects.
  void fail(TimePoint now, CloseCode close_code, ErrorCode code, const std::string& detail);
  void report(ErrorCode code, std::string detail, bool from_peer);
  void announce(TopicId topic, Subscription& subscription, const Position& have);
  bool wants_update(TopicId topic, const Subscription& subscription) const;
  void begin_update(TimePoint now, TopicId topic, Subscription& subscription);
  SharedBytes poll_state(TimePoint now);
  TimePoint next_deadline() const;

  Broadcaster& broadcaster_;
  const Limits& limits_;
  ServerSessionConfig config_;
  State state_ = State::kWaitingForHello;
  SessionStats stats_;

  Sequence received_;
  Sequence sent_;
  Sequence confirmed_;     // of the actions, as the client said
  Sequence told_durable_;  // of the actions, as the client was told
  bool is_welcome_confirmed_ = false;
  TokenBucket message_bucket_;
  std::uint32_t rate_violations_ = 0;

  std::map<std::uint32_t, Subscription> subscriptions_;  // by TopicId
  std::uint32_t last_served_ = 0;                        // topics take turns
  std::map<std::string, Position> pending_;  // what the client holds of topics the application has not decided on

  std::deque<SharedBytes> queue_;
  std::size_t queue_bytes_ = 0;
  std::deque<ServerEvent> events_;
  std::optional<CloseConnection> close_;

  TimePoint opened_at_;
  TimePoint last_received_;
  bool asked_ = false;  // a heartbeat of ours waits for any sign of life
  bool in_ready_list_ = false;
};

}  // namespace libsync
