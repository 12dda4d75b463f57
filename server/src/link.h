// link.h: a connection's session, and what its user's home and the room have to do for it. No I/O, one thread.
//
//   Hello --> home: may it speak? --> room: what has the instance done? --> Welcome
//
// From then on what the session wants goes to the room, and what the room answers to the session.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/server_session.h"
#include "libsync/session_registry.h"
#include "messages.h"

namespace libsync::server {

class Room;

class Link {
 public:
  // What the link wants of the shell around it.
  class Ports {
   public:
    virtual ~Ports() = default;
    // To the user's home: open(), confirm_secret(), close(). In order.
    virtual void open_session(const SessionRequest& request) = 0;
    virtual void confirm_secret(const InstanceKey& key) = 0;
    virtual void close_session(const InstanceKey& key, bool for_good) = 0;
    // To the room. In order, also between connections of one shard.
    virtual void post(std::function<void(Room&)> function) = 0;
    // Until when a token of the same user is good. Errors: kUnauthenticated.
    virtual Result<TimePoint> verify_token(const std::string& token) = 0;
    virtual std::uint64_t random() = 0;
    // For the log.
    virtual void session_began(const std::string& sdk) = 0;
    virtual void report(const Error& error, bool from_peer) = 0;
  };
  using Output = std::variant<Transmit, CloseConnection, Deadline>;

  // Requires: ports, broadcaster and limits outlive the link.
  Link(Ports& ports, Broadcaster& broadcaster, const Limits& limits, std::string user, ConnectionRef self,
       ServerSessionConfig config, TimePoint now);
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // --- From the connection.
  void handle_frame(TimePoint now, BytesView message) { session_.handle_frame(now, message); }
  void handle_timeout(TimePoint now) { session_.handle_timeout(now); }
  void disconnect(TimePoint now, CloseCode close_code, ErrorCode code, const std::string& message,
                  Duration retry_after = Duration::zero()) {
    session_.disconnect(now, close_code, code, message, retry_after);
  }
  void go_away(TimePoint now, Duration within, const std::string& message) { session_.go_away(now, within, message); }
  // Until it returns a Deadline, while the socket takes more.
  [[nodiscard]] Output poll_output(TimePoint now);
  // The connection is gone. The last call.
  void end();

  // --- From the home.
  void granted(TimePoint now, const Result<SessionGrant>& grant);
  // kReplaced, kSessionRevoked.
  void end_session(TimePoint now, ErrorCode why);

  // --- From the room.
  void answer(TimePoint now, SubscriptionAnswer answer);
  void answer(TimePoint now, InstanceAnswer answer);
  void answer(TimePoint now, ActionAnswer answer);
  void answer(TimePoint now, DurableAnswer answer);

  const ServerSession& session() const { return session_; }

 private:
  void handle_event(TimePoint now, ServerEvent event);
  void handle_hello(const protocol::HelloT& hello);
  void release_topics(const std::vector<TopicId>& topics);

  Ports& ports_;
  Broadcaster& broadcaster_;
  const ConnectionRef self_;
  ServerSession session_;
  InstanceKey key_;  // its instance is zero until Hello
  InstanceClaim claim_;
  std::uint64_t attempt_ = 0;
  WelcomeInfo welcome_;          // what is known of it so far
  bool has_asked_home_ = false;  // which then has to hear of the end
  bool has_asked_room_ = false;
  bool said_goodbye_ = false;
  // Subscriptions by topic, as the room counts them; it is told when one ends.
  std::map<std::uint32_t, std::uint32_t> granted_;
};

}  // namespace libsync::server
