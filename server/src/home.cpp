#include "home.h"

namespace libsync::server {

void Home::open(TimePoint now, const SessionRequest& request) {
  SessionsEnded ended;
  const Result<SessionGrant> grant = registry_.open(now, request, ended);
  announce(ended);
  // The user is in the game before his client asks for his topic.
  if (grant && grant->user_joined) ports_.join(request.key.user);
  ports_.grant(ref(request.connection), grant);
}

void Home::close(TimePoint now, const InstanceKey& key, ConnectionNumber connection, bool for_good) {
  SessionsEnded ended;
  if (for_good) {
    registry_.end(key, connection, ended);
  } else {
    registry_.close(now, key, connection, ended);
  }
  announce(ended);
}

void Home::handle_timeout(TimePoint now) {
  SessionsEnded ended;
  registry_.handle_timeout(now, ended);
  announce(ended);
}

void Home::announce(const SessionsEnded& ended) {
  for (const ConnectionNumber connection : ended.replaced) ports_.end_connection(ref(connection), ErrorCode::kReplaced);
  for (const ConnectionNumber connection : ended.revoked) {
    ports_.end_connection(ref(connection), ErrorCode::kSessionRevoked);
  }
  for (const std::string& user : ended.users_left) ports_.leave(user);
}

}  // namespace libsync::server
