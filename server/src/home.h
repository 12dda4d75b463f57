// home.h: the sessions of the users whose home this is, and when these users join and leave the game.
//
// A user has one home, by a hash of the name, wherever the connections are: caps are exact, of two connections of one
// client one is taken, and the user joins once. No I/O; one thread.
#pragma once

#include <cstddef>

#include "libsync/session_registry.h"
#include "messages.h"

namespace libsync::server {

class Home {
 public:
  // What the home has to say to others. The order of calls is the order in which they must arrive.
  class Ports {
   public:
    virtual ~Ports() = default;
    virtual void grant(ConnectionRef to, const Result<SessionGrant>& grant) = 0;
    // kReplaced: a newer connection of the client is there. kSessionRevoked.
    virtual void end_connection(ConnectionRef connection, ErrorCode why) = 0;
    virtual void join(const std::string& user) = 0;
    virtual void leave(const std::string& user) = 0;
  };

  // Requires: both outlive the home. `n_shards`: a connection's number modulo this is its shard.
  Home(const Limits& limits, Ports& ports, std::uint32_t n_shards)
      : registry_(limits), ports_(ports), n_shards_(n_shards) {}

  void open(TimePoint now, const SessionRequest& request);
  void confirm_secret(const InstanceKey& key, ConnectionNumber connection) {
    registry_.confirm_secret(key, connection);
  }
  // `for_good`: the client will not come back to this session.
  void close(TimePoint now, const InstanceKey& key, ConnectionNumber connection, bool for_good);
  void handle_timeout(TimePoint now);
  TimePoint next_deadline() const { return registry_.next_deadline(); }

  std::size_t user_count() const { return registry_.user_count(); }
  std::size_t lingering_count() const { return registry_.lingering_count(); }

 private:
  ConnectionRef ref(ConnectionNumber connection) const {
    return {static_cast<std::uint32_t>(connection % n_shards_), connection};
  }
  void announce(const SessionsEnded& ended);

  SessionRegistry registry_;
  Ports& ports_;
  const std::uint32_t n_shards_;
};

}  // namespace libsync::server
