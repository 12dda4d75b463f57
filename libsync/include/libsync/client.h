// client.h: a client that outlives its connections and, with what its shell stores for it, its own process. No I/O.
// ts-sdk/src/client.ts is its twin.
//
//   idle --start()--> connecting --open--> syncing --all topics there--> live --lost--> reconnecting --> connecting ...
//                          '------- refused for good -------> failed          suspend() --> suspended
//
// The shell opens connections as poll_output() asks for them, and feeds handle_open(), handle_frame(), handle_closed(),
// handle_timeout(). What is to be stored is stored in order, each StoreRecords as a whole or not at all; an action is
// sent only after it is.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/action_queue.h"
#include "libsync/client_session.h"
#include "libsync/limits.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

struct ClientConfig {
  std::function<std::uint64_t()> random;  // for the instance and for waits
  std::uint64_t schema_fingerprint = 0;   // 0: not checked
  std::string sdk = "libsync-cpp";
  ActionQueue::Bounds actions;
  // Waits between attempts: full jitter up to min_wait x 2^n, see docs/PROTOCOL.md section 5.
  Duration min_wait = std::chrono::milliseconds(500);
  Duration max_wait = std::chrono::seconds(20);
  // Failures in a row after which the client gives up.
  std::uint32_t max_retries = UINT32_MAX;
  // Time for token, handshake and Welcome.
  Duration connect_timeout = std::chrono::seconds(20);
};

struct ClientRecord {
  std::string key;
  Bytes value;
};

enum class ConnectionState : std::uint8_t { kIdle, kConnecting, kSyncing, kLive, kReconnecting, kSuspended, kFailed };

// --- What it wants of its shell.
// A connection, with a token got now. Answered with handle_open() or handle_closed().
struct OpenConnection {};
// Answered with handle_stored(), in order.
struct StoreRecords {
  std::uint64_t number = 0;
  std::vector<ClientRecord> records;
  std::vector<std::string> removed;  // keys
};

// --- What it tells the application, beside TopicUpdated, TopicEnded, Resyncing and PeerError of the session.
struct StateChanged {
  ConnectionState state = ConnectionState::kIdle;
  Error error;  // what ended the connection before
};
// The action is stored: it will be executed although this process may end.
struct ActionStored {
  ActionId id;
};
// It was executed or refused. It may come again, with another result, until ActionEnded: if the server crashed before
// the action was durable, it is executed once more on a server that has forgotten it.
struct ActionAnswered {
  ActionId id;
  protocol::ActionResultT result;
};
// What it did survives any crash, or it was refused and will not be executed. Comes after ActionAnswered of it, or of
// an earlier process.
struct ActionEnded {
  ActionId id;
};
// The server cannot say whether it was executed, or it could not be stored (kStoreUnavailable): then it was not.
struct ActionLost {
  ActionId id;
  Error error;
};
// The token expires soon: give a new one to renew_token().
struct TokenNeeded {};

using ClientNotice = std::variant<StateChanged, TopicUpdated, TopicEnded, Resyncing, PeerError, ActionStored,
                                  ActionAnswered, ActionEnded, ActionLost, TokenNeeded>;
using ClientWish = std::variant<OpenConnection, Transmit, CloseConnection, StoreRecords, ClientNotice, Deadline>;

class Client {
 public:
  // `stored`: what earlier processes were asked to store, in any order. Records that cannot be read are as none: the
  // client then is a new one.
  Client(const Limits& limits, ClientConfig config, std::vector<ClientRecord> stored, TimePoint now);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // --- From the application.
  void start(TimePoint now);
  // Cuts the connection and makes no other until start().
  void suspend(TimePoint now);
  // Says goodbye: the server need not keep the session. The client is idle.
  void stop(TimePoint now);
  // The network is back, or the process ran again after a sleep: if it waits, it waits no longer.
  void wake(TimePoint now);
  // `held`: from an earlier process.
  void subscribe(TimePoint now, const std::string& name, const HeldState* held = nullptr, std::uint8_t priority = 128);
  void unsubscribe(TimePoint now, const std::string& name);
  // Errors: kTooManyActions, kMessageTooBig.
  [[nodiscard]] Result<ActionId> act(TimePoint now, Bytes payload);
  void renew_token(TimePoint now, const std::string& token);

  // --- From the shell.
  void handle_open(TimePoint now);
  void handle_frame(TimePoint now, BytesView message);
  // The connection ended, or did not come about. kUnset: without a close frame.
  void handle_closed(TimePoint now, CloseCode close_code, const Error& error);
  void handle_timeout(TimePoint now);
  // Of the StoreRecords with this number. `succeeded` false: nothing of it is stored.
  void handle_stored(TimePoint now, std::uint64_t number, bool succeeded);

  // Until it returns a Deadline.
  [[nodiscard]] ClientWish poll_output(TimePoint now);

  ConnectionState state() const { return state_; }
  // Null if nothing has arrived yet. Stays over reconnects.
  const HeldState* held(const std::string& name) const;
  std::size_t queued_actions() const { return actions_.size(); }
  const protocol::Id128& instance() const { return instance_; }

 private:
  struct Subscription {
    std::uint8_t priority = 128;
    HeldState held;
    bool is_settled = false;  // brought up to date once on this connection
  };
  // What is done when records are on disk.
  struct Storing {
    std::uint64_t number = 0;
    std::optional<ActionId> action = std::nullopt;  // it may be sent
    std::optional<ActionId> ended = std::nullopt;   // it, and all before it, may be confirmed to the server
    std::vector<ClientNotice> notices{};            // for the application
    bool is_identity = false;
  };

  bool load(std::vector<ClientRecord> stored);
  void make_instance();
  ClientRecord identity_record() const;
  void store(StoreRecords records, Storing then);
  void store_identity();

  void set_state(ConnectionState state, const Error& error = {});
  void open_connection(TimePoint now);
  void connect();
  void drop_connection();
  void end_connection(TimePoint now, const Error& error, bool may_reconnect, Duration retry_after);
  void handle(TimePoint now, ClientEvent event);
  void handle_welcome(TimePoint now, const protocol::WelcomeT& welcome);
  void handle_result(TimePoint now, ActionFinished finished);
  void renounce_instance(const Error& error);
  void settle_actions(TimePoint now);
  std::uint32_t window() const;
  void feed_actions(TimePoint now);
  void check_settled();
  void wish(ClientWish output) { outputs_.push_back(std::move(output)); }
  void notify(ClientNotice notice) { outputs_.emplace_back(std::move(notice)); }
  Duration random_below(Duration range);

  const Limits& limits_;
  ClientConfig config_;
  ConnectionState state_ = ConnectionState::kIdle;
  std::map<std::string, Subscription> subscriptions_;
  ActionQueue actions_;
  std::deque<ClientWish> outputs_;

  // Who the client is, see client_store.fbs.
  protocol::Id128 instance_;
  bool is_new_ = true;
  protocol::Id128 ledger_;
  std::uint64_t first_seen_ms_ = 0;
  std::optional<SessionSecret> resume_;
  std::uint64_t attempt_ = 0;
  std::uint64_t max_attempt_ = 0;
  Sequence stored_confirmed_;

  std::deque<Storing> storing_;
  std::uint64_t last_store_ = 0;
  bool is_identity_stored_ = false;  // as it is now: actions may be sent
  std::vector<std::string> stale_;   // keys of records that are good for nothing, removed with the next write
  bool wants_connection_ = false;    // waits for the identity to be stored

  std::optional<ClientSession> session_;
  std::optional<Error> ending_;  // why the session ended itself
  bool ending_may_reconnect_ = true;
  Duration ending_retry_after_{};
  std::uint32_t failures_ = 0;
  Duration reconnect_window_{};
  std::optional<TimePoint> welcomed_at_;
  TimePoint next_attempt_ = TimePoint::max();      // while reconnecting
  TimePoint connect_deadline_ = TimePoint::max();  // while connecting
  TimePoint leave_at_ = TimePoint::max();          // the server asked to go
  TimePoint renew_at_ = TimePoint::max();          // the token
};

}  // namespace libsync
