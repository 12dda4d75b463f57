// session_registry.h: which sessions the users have, and which connection speaks for each. One per home shard; a user
// has one home, so that caps are exact and of two connections of one client exactly one is taken.
//
//   open() --> connected --close()--> lingering --open() with the secret--> connected ...
//                  |                      |
//                  '-- end() -------------'-- after session_linger: gone
//
// A connection takes up the session of the one before it with the secret of the last Welcome; each Welcome has a new
// one. The one before stays good until the client has shown that it has the new one, because the Welcome may be lost.
// Who uses an older one may have stolen it: that ends the session (RFC 9700 section 4.14, of refresh tokens).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libsync/action_ledger.h"
#include "libsync/limits.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// A one-way hash of a secret, made by the shell (SHA-256): secrets themselves are never kept.
using SecretHash = std::array<std::byte, 32>;
// A connection, numbered by the shell, never twice.
using ConnectionNumber = std::uint64_t;

// What a connection's Hello asks for, and what it will be told if it gets it.
struct SessionRequest {
  InstanceKey key;
  std::uint64_t attempt = 0;  // Hello.attempt
  ConnectionNumber connection = 0;
  std::optional<protocol::Id128> resumed;  // Hello.resume, with the hash of its secret
  SecretHash secret_hash{};
  protocol::Id128 fresh_id;       // random, for the session if it is fresh
  SecretHash next_secret_hash{};  // of the secret that Welcome will carry
};

struct SessionGrant {
  protocol::Id128 session;
  protocol::SessionOutcome outcome = protocol::SessionOutcome::kFresh;
  protocol::FreshReason fresh_reason = protocol::FreshReason::kNotAsked;
  bool user_joined = false;  // the user had no session before
};

// What a call ended beside what it was called for. The shell closes these connections.
struct SessionsEnded {
  std::vector<ConnectionNumber> replaced;  // a newer connection of the client took over
  std::vector<ConnectionNumber> revoked;   // a stale secret was used
  std::vector<std::string> users_left;     // have no session any more
};

class SessionRegistry {
 public:
  // Requires: `limits` outlives the registry.
  explicit SessionRegistry(const Limits& limits) : limits_(limits) {}
  SessionRegistry(const SessionRegistry&) = delete;
  SessionRegistry& operator=(const SessionRegistry&) = delete;

  // A connection that said Hello wants to begin. Also with an error `ended` may say what else has happened.
  // Errors: kReplaced (a later attempt of the same client is there already), kTooManySessions, kSessionRevoked (the
  // secret was replaced long ago; the session is over).
  [[nodiscard]] Result<SessionGrant> open(TimePoint now, const SessionRequest& request, SessionsEnded& ended);
  // The client has shown that it has the connection's Welcome: the secret before it is good no more.
  void confirm_secret(const InstanceKey& key, ConnectionNumber connection);
  // The connection ended, and may be followed by another. Nothing happens if it was replaced.
  void close(TimePoint now, const InstanceKey& key, ConnectionNumber connection, SessionsEnded& ended);
  // The client said goodbye, or the connection ended for good.
  void end(const InstanceKey& key, ConnectionNumber connection, SessionsEnded& ended);
  // Ends what lingered for too long.
  void handle_timeout(TimePoint now, SessionsEnded& ended);
  // When handle_timeout() is due; TimePoint::max(): never.
  TimePoint next_deadline() const;

  std::size_t user_count() const { return users_.size(); }
  std::size_t session_count() const { return n_sessions_; }
  std::size_t lingering_count() const { return lingering_.size(); }

 private:
  struct Session {
    protocol::Id128 id;
    protocol::Id128 instance;
    std::uint64_t attempt = 0;
    ConnectionNumber connection = 0;  // 0: none
    SecretHash secret_hash{};
    std::optional<SecretHash> previous_hash;
    std::list<std::pair<TimePoint, InstanceKey>>::iterator lingering;  // where there is no connection
  };
  using Sessions = std::vector<Session>;  // of a user, few

  Session* find(const InstanceKey& key);
  void remove(const InstanceKey& key, SessionsEnded& ended);
  bool make_room(const std::string& user, SessionsEnded& ended);

  const Limits& limits_;
  std::unordered_map<std::string, Sessions> users_;
  std::list<std::pair<TimePoint, InstanceKey>> lingering_;  // since when, the oldest first
  std::size_t n_sessions_ = 0;
};

}  // namespace libsync
