#include "libsync/session_registry.h"

#include <algorithm>

namespace libsync {
namespace {

bool is_same(const protocol::Id128& a, const protocol::Id128& b) { return a.low() == b.low() && a.high() == b.high(); }

}  // namespace

SessionRegistry::Session* SessionRegistry::find(const InstanceKey& key) {
  const auto user = users_.find(key.user);
  if (user == users_.end()) return nullptr;
  const auto at = std::find_if(user->second.begin(), user->second.end(),
                               [&](const Session& session) { return is_same(session.instance, key.instance); });
  return at == user->second.end() ? nullptr : &*at;
}

void SessionRegistry::remove(const InstanceKey& key, SessionsEnded& ended) {
  const auto user = users_.find(key.user);
  Session* session = find(key);
  if (session->connection == 0) lingering_.erase(session->lingering);
  user->second.erase(user->second.begin() + (session - user->second.data()));
  --n_sessions_;
  if (!user->second.empty()) return;
  users_.erase(user);
  ended.users_left.push_back(key.user);
}

// Whoever comes is worth more than a session that nobody speaks for.
bool SessionRegistry::make_room(const std::string& user, SessionsEnded& ended) {
  const auto found = users_.find(user);
  if (found == users_.end() || found->second.size() < limits_.max_sessions_per_user) return true;
  const Session* oldest = nullptr;
  for (const Session& session : found->second) {
    if (session.connection != 0) continue;
    if (oldest == nullptr || session.lingering->first < oldest->lingering->first) oldest = &session;
  }
  if (oldest == nullptr) return false;
  remove({user, oldest->instance}, ended);
  return true;
}

Result<SessionGrant> SessionRegistry::open(TimePoint, const SessionRequest& request, SessionsEnded& ended) {
  Session* session = find(request.key);
  // Connections may arrive in another order than they were made.
  if (session != nullptr && request.attempt <= session->attempt) {
    return Error{ErrorCode::kReplaced, "a newer connection of this client is there"};
  }
  SessionGrant grant;
  bool is_resumed = false;
  if (request.resumed) {
    grant.fresh_reason = protocol::FreshReason::kUnknownSession;
    if (session != nullptr && is_same(session->id, *request.resumed)) {
      is_resumed = request.secret_hash == session->secret_hash || request.secret_hash == session->previous_hash;
      if (!is_resumed) {
        if (session->connection != 0) ended.revoked.push_back(session->connection);
        remove(request.key, ended);
        return Error{ErrorCode::kSessionRevoked, "the secret of this session was replaced"};
      }
    }
  }
  if (session != nullptr && session->connection != 0) ended.replaced.push_back(session->connection);
  if (session == nullptr) {
    if (!make_room(request.key.user, ended))
      return Error{ErrorCode::kTooManySessions, "too many sessions of this user"};
    // The user may have left with the session that made room, and is back before anybody was told.
    const auto left = std::find(ended.users_left.begin(), ended.users_left.end(), request.key.user);
    if (left != ended.users_left.end()) {
      ended.users_left.erase(left);
    } else {
      grant.user_joined = !users_.contains(request.key.user);
    }
    session = &users_[request.key.user].emplace_back();
    session->instance = request.key.instance;
    ++n_sessions_;
  } else if (session->connection == 0) {
    lingering_.erase(session->lingering);
  }
  if (is_resumed) {
    grant.outcome = protocol::SessionOutcome::kResumed;
    grant.fresh_reason = protocol::FreshReason::kNotAsked;
    session->previous_hash = request.secret_hash;
  } else {
    session->id = request.fresh_id;
    session->previous_hash.reset();
  }
  session->attempt = request.attempt;
  session->connection = request.connection;
  session->secret_hash = request.next_secret_hash;
  grant.session = session->id;
  return grant;
}

void SessionRegistry::confirm_secret(const InstanceKey& key, ConnectionNumber connection) {
  Session* session = find(key);
  if (session != nullptr && session->connection == connection) session->previous_hash.reset();
}

void SessionRegistry::close(TimePoint now, const InstanceKey& key, ConnectionNumber connection, SessionsEnded& ended) {
  Session* session = find(key);
  if (session == nullptr || session->connection != connection) return;
  session->connection = 0;
  session->lingering = lingering_.emplace(lingering_.end(), now, key);
  if (lingering_.size() > limits_.max_lingering_sessions) remove(InstanceKey(lingering_.front().second), ended);
}

void SessionRegistry::end(const InstanceKey& key, ConnectionNumber connection, SessionsEnded& ended) {
  const Session* session = find(key);
  if (session != nullptr && session->connection == connection) remove(key, ended);
}

void SessionRegistry::handle_timeout(TimePoint now, SessionsEnded& ended) {
  while (next_deadline() <= now) remove(InstanceKey(lingering_.front().second), ended);
}

TimePoint SessionRegistry::next_deadline() const {
  return lingering_.empty() ? TimePoint::max() : lingering_.front().first + limits_.session_linger;
}

}  // namespace libsync
