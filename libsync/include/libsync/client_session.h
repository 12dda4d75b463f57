// client_session.h: the client's end of one connection. See session.h. ts-sdk/src/session.ts is its twin.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/frame.h"
#include "libsync/limits.h"
#include "libsync/message.h"
#include "libsync/patch_context.h"
#include "libsync/result.h"
#include "libsync/session_output.h"
#include "libsync/snapshot.h"
#include "libsync/token_bucket.h"
#include "libsync/types.h"

namespace libsync {

// The session of an earlier connection, from its Welcome.
struct SessionSecret {
  protocol::Id128 session;
  std::vector<std::uint8_t> secret;
};

// What a Hello says. client.h keeps all of it for clients that outlive their connections.
struct ClientSessionConfig {
  protocol::Id128 instance;         // random, one per process or tab
  bool is_new = true;               // no Welcome has come for it yet
  std::uint64_t attempt = 1;        // 1, 2, 3 ... per instance
  protocol::Id128 ledger;           // unless it is new: of the last Welcome
  std::uint64_t first_seen_ms = 0;  // unless it is new: of the first Welcome
  Sequence confirmed;               // all actions up to here have ended, durably
  std::optional<SessionSecret> resume;
  std::uint64_t schema_fingerprint = 0;  // 0: not checked
  std::string sdk = "libsync-cpp";
};

// What a client holds of a topic; hand it back to subscribe() after a reconnect and only the difference travels.
struct HeldState {
  Position position;
  SnapshotPtr snapshot;
};

struct Welcomed {
  protocol::WelcomeT welcome;
};
// The topic's state is now `held`.
struct TopicUpdated {
  std::string name;
  HeldState held;
  UpdateKind kind = UpdateKind::kFull;
  std::size_t wire_bytes = 0;  // what the update cost
};
// The server refused or ended the subscription.
struct TopicEnded {
  std::string name;
  Error error;
};
// An action was executed or refused; or, kFailed, not executed: it may be sent again.
struct ActionFinished {
  protocol::ActionResultT result;
};
// All actions up to this one, and what they did, survive a crash of the server.
struct ActionsNowDurable {
  Sequence sequence;
};
struct TokenRenewed {
  Duration expires_in = Duration::max();  // max(): never
};
// The server wants a new connection to be made within the time.
struct GoingAway {
  Duration within;
};
struct PeerError {
  protocol::ErrorT error;
};
// A patch did not lead to the server's bytes; the state was asked for anew.
struct Resyncing {
  std::string name;
  Error error;
};
struct Disconnected {
  protocol::DisconnectT disconnect;
};

using ClientEvent = std::variant<Welcomed, TopicUpdated, TopicEnded, ActionFinished, ActionsNowDurable, TokenRenewed,
                                 GoingAway, PeerError, Resyncing, Disconnected>;
using ClientOutput = std::variant<Transmit, ClientEvent, CloseConnection, Deadline>;

// Whether a connection that ended with this code may be followed by another. kUnset: none was given.
bool may_reconnect(CloseCode close_code);

class ClientSession {
 public:
  // The Welcome's limits replace `limits` where the server decides.
  ClientSession(const Limits& limits, ClientSessionConfig config, TimePoint now);
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  void handle_frame(TimePoint now, BytesView message);
  void handle_timeout(TimePoint now);

  // May be called before Welcome; the request leaves after it. `have`: what an earlier connection left.
  void subscribe(TimePoint now, const std::string& name, const HeldState* have = nullptr, std::uint8_t priority = 128);
  void unsubscribe(TimePoint now, const std::string& name);
  // Sends an action. Whether it is its turn is the caller's business. `is_withdrawn`: it is not to be executed any
  // more. Errors: kUnexpectedMessage (not live), kMessageTooBig.
  [[nodiscard]] Result<bool> act(TimePoint now, Sequence sequence, BytesView payload, bool is_withdrawn = false);
  // All actions up to here have ended, durably; said with the next action or ack.
  void confirm_actions(TimePoint now, Sequence sequence);
  // Nothing happens if the session is not live.
  void renew_token(TimePoint now, const std::string& token);
  // Says goodbye: the server ends the session, too.
  void disconnect(TimePoint now);

  [[nodiscard]] ClientOutput poll_output(TimePoint now);

  bool is_live() const { return state_ == State::kLive; }
  bool is_closed() const { return state_ == State::kClosing || state_ == State::kClosed; }
  // Null if the topic is not subscribed or nothing has arrived yet.
  const HeldState* held(const std::string& name) const;
  // Largest payload of an action, as the server announced.
  std::size_t max_payload_bytes() const;
  std::uint32_t max_actions_in_flight() const { return limits_.max_actions_in_flight; }
  bool has_queued() const { return !queue_.empty(); }

 private:
  enum class State : std::uint8_t { kWaitingForWelcome, kLive, kClosing, kClosed };

  struct Subscription {
    std::uint8_t priority = 128;
    std::optional<TopicId> topic;  // none: not answered yet
    Epoch epoch;
    HeldState held;              // version zero: nothing
    PatchContext context;        // of the updates so far
    bool resyncing = false;      // patches are ignored until a full update or a chunk diff arrives
    bool named_chunks = false;   // of what is held, with the last GetState
    std::uint32_t failures = 0;  // resyncs in a row
    bool leaving = false;        // Unsubscribe is under way
    bool wanted_again = false;   // subscribed anew before Unsubscribed came
    bool ack_due = false;
    std::size_t arriving_bytes = 0;  // wire bytes of the update under way
    FrameAssembler assembler;
  };

  void handle_control(TimePoint now, BytesView message);
  void handle_state(TimePoint now, BytesView message);
  void handle_message(TimePoint now, protocol::EnvelopeT& envelope);
  void handle_welcome(TimePoint now, protocol::WelcomeT& welcome);
  void handle_subscribed(TimePoint now, const protocol::SubscribedT& subscribed);
  void handle_unsubscribed(const protocol::UnsubscribedT& unsubscribed);
  void handle_error(protocol::ErrorT& error);
  void take_update(TimePoint now, const std::string& name, Subscription& subscription, const UpdateHeader& header,
                   BytesView patch);
  void ask_for_state(Subscription& subscription, ErrorCode cause, bool names_chunks);
  void request(const std::string& name, const Subscription& subscription);
  void resync(const std::string& name, Subscription& subscription, const Error& error);
  void flush_acks(TimePoint now);
  void fail(CloseCode close_code, ErrorCode code, const std::string& detail);
  template <typename MessageT>
  void send(MessageT message);
  void mark_ack_due(TimePoint now);
  void mark_changed(TimePoint now, Subscription& subscription, std::size_t bytes);
  TimePoint next_deadline(TimePoint now);

  Limits limits_;
  ClientSessionConfig config_;
  State state_ = State::kWaitingForWelcome;

  Sequence received_;
  Sequence sent_;
  Sequence confirmed_;              // of the actions
  Sequence told_confirmed_;         // as the server was told
  std::size_t max_sent_bytes_ = 0;  // of a message, as the server announced
  std::map<std::string, Subscription> subscriptions_;
  std::map<std::uint32_t, std::string> names_;  // by TopicId

  std::deque<SharedBytes> queue_;
  std::deque<ClientEvent> events_;
  std::optional<CloseConnection> close_;
  // Paces what is sent to the rate the server announced, so that nothing is refused.
  TokenBucket message_bucket_;

  std::size_t bytes_since_ack_ = 0;
  bool ack_due_ = false;
  TimePoint last_ack_;
  TimePoint opened_at_;
  TimePoint last_received_;
  bool asked_ = false;  // a heartbeat of ours waits for any sign of life
};

}  // namespace libsync
