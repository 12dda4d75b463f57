// client_session.h: the client's end of one connection. See session.h. ts-sdk/src/session.ts is its twin.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <variant>

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

struct ClientSessionConfig {
  protocol::Id128 instance;              // random, one per process or tab
  bool is_new = true;                    // made for this connection
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
struct ActionFinished {
  protocol::ActionResultT result;
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

using ClientEvent =
    std::variant<Welcomed, TopicUpdated, TopicEnded, ActionFinished, PeerError, Resyncing, Disconnected>;
using ClientOutput = std::variant<Transmit, ClientEvent, CloseConnection, Deadline>;

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
  // The sequence of the action, which ActionFinished will carry.
  // Errors: kUnexpectedMessage (not live), kTooManyActions (wait for a result), kMessageTooBig.
  [[nodiscard]] Result<Sequence> act(TimePoint now, BytesView payload);

  [[nodiscard]] ClientOutput poll_output(TimePoint now);

  bool is_live() const { return state_ == State::kLive; }
  bool is_closed() const { return state_ == State::kClosing || state_ == State::kClosed; }
  // Null if the topic is not subscribed or nothing has arrived yet.
  const HeldState* held(const std::string& name) const;

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
  void mark_changed(TimePoint now, Subscription& subscription, std::size_t bytes);
  TimePoint next_deadline(TimePoint now);

  Limits limits_;
  ClientSessionConfig config_;
  State state_ = State::kWaitingForWelcome;

  Sequence received_;
  Sequence sent_;
  Sequence last_action_;
  std::uint32_t actions_in_flight_ = 0;
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
