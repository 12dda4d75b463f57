#include "libsync/session_registry.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

#include "unit/ledger_store.h"

namespace libsync {
namespace {

using test::instance_key;
using test::pick;
using test::Random;
using namespace std::chrono_literals;

const InstanceKey kTab = instance_key("alice", 1);

SecretHash hash_of(std::uint64_t secret) {
  SecretHash hash{};
  for (std::size_t i = 0; i < 8; ++i) hash[i + 8] = static_cast<std::byte>(secret >> 8 * i);
  return hash;
}

bool is_same(const protocol::Id128& a, const protocol::Id128& b) { return a.low() == b.low() && a.high() == b.high(); }

// The shell: numbers connections, sessions and secrets, each once.
struct Shell {
  explicit Shell(Limits bounds = {}) : limits(bounds), registry(limits) {}

  struct Opened {
    ConnectionNumber connection = 0;
    protocol::Id128 session;
    std::uint64_t secret = 0;
    SessionGrant grant;
    ErrorCode code = ErrorCode::kNone;
  };
  // `from`: whose session and secret it shows.
  Opened open(const InstanceKey& key, std::uint64_t attempt, const Opened* from = nullptr) {
    SessionRequest request;
    request.key = key;
    request.attempt = attempt;
    request.connection = ++last_number;
    if (from != nullptr) {
      request.resumed = from->session;
      request.secret_hash = hash_of(from->secret);
    }
    request.fresh_id = protocol::Id128(last_number, 5);
    request.next_secret_hash = hash_of(last_number);
    ended = {};
    const auto grant = registry.open(now, request, ended);
    Opened opened{last_number, {}, last_number, {}, ErrorCode::kNone};
    if (!grant) {
      opened.code = grant.error().code;
      return opened;
    }
    opened.grant = *grant;
    opened.session = grant->session;
    return opened;
  }
  void close(const InstanceKey& key, const Opened& opened) {
    ended = {};
    registry.close(now, key, opened.connection, ended);
  }

  Limits limits;
  SessionRegistry registry;
  TimePoint now = TimePoint(1000s);
  ConnectionNumber last_number = 0;
  SessionsEnded ended;  // of the last call
};

using Connections = std::vector<ConnectionNumber>;
using Users = std::vector<std::string>;

}  // namespace

TEST_CASE("session registry: a session is fresh, lingers without a connection, and is resumed with its secret") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  CHECK(first.code == ErrorCode::kNone);
  CHECK(first.grant.outcome == protocol::SessionOutcome::kFresh);
  CHECK(first.grant.fresh_reason == protocol::FreshReason::kNotAsked);
  CHECK(first.grant.user_joined);
  shell.close(kTab, first);
  CHECK(shell.ended.users_left.empty());
  CHECK(shell.registry.lingering_count() == 1);
  shell.now += 119s;
  const auto second = shell.open(kTab, 2, &first);
  CHECK(second.grant.outcome == protocol::SessionOutcome::kResumed);
  CHECK(is_same(second.session, first.session));
  CHECK_FALSE(second.grant.user_joined);
  CHECK(shell.registry.lingering_count() == 0);
  CHECK(shell.registry.session_count() == 1);
  CHECK(shell.registry.next_deadline() == TimePoint::max());
}

TEST_CASE("session registry: the secret before the last is good until the client has shown the last") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  const auto second = shell.open(kTab, 2, &first);  // whose Welcome is lost
  shell.open(kTab, 3, &first);                      // and this one's
  const auto third = shell.open(kTab, 4, &first);
  CHECK(third.grant.outcome == protocol::SessionOutcome::kResumed);
  CHECK(shell.ended.replaced == Connections{second.connection + 1});
  const auto fourth = shell.open(kTab, 5, &third);
  CHECK(fourth.grant.outcome == protocol::SessionOutcome::kResumed);
  shell.registry.confirm_secret(kTab, third.connection);  // speaks for nobody any more
  const auto fifth = shell.open(kTab, 6, &third);
  CHECK(fifth.grant.outcome == protocol::SessionOutcome::kResumed);
  shell.registry.confirm_secret(kTab, fifth.connection);
  const auto sixth = shell.open(kTab, 7, &fifth);
  CHECK(sixth.grant.outcome == protocol::SessionOutcome::kResumed);
}

TEST_CASE("session registry: a secret that was replaced ends the session and the connection that speaks for it") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  const auto second = shell.open(kTab, 2, &first);
  shell.registry.confirm_secret(kTab, second.connection);
  const auto thief = shell.open(kTab, 3, &first);
  CHECK(thief.code == ErrorCode::kSessionRevoked);
  CHECK(shell.ended.revoked == Connections{second.connection});
  CHECK(shell.ended.users_left == Users{"alice"});
  CHECK(shell.registry.session_count() == 0);
  // Nobody resumes it now, with whatever secret.
  const auto back = shell.open(kTab, 4, &second);
  CHECK(back.grant.outcome == protocol::SessionOutcome::kFresh);
  CHECK(back.grant.fresh_reason == protocol::FreshReason::kUnknownSession);
  CHECK(back.grant.user_joined);
  CHECK_FALSE(is_same(back.session, second.session));
}

TEST_CASE("session registry: a secret two Welcomes old is stale, although none of them was confirmed") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  const auto second = shell.open(kTab, 2, &first);
  const auto third = shell.open(kTab, 3, &second);  // so the second Welcome had arrived
  shell.close(kTab, third);
  CHECK(shell.open(kTab, 4, &first).code == ErrorCode::kSessionRevoked);
  CHECK(shell.ended.revoked.empty());
  CHECK(shell.registry.lingering_count() == 0);
}

TEST_CASE("session registry: neither another user nor another instance resumes a session") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  shell.close(kTab, first);
  for (const InstanceKey& other : {instance_key("bob", 1), instance_key("alice", 2)}) {
    const auto opened = shell.open(other, 9, &first);
    CHECK(opened.grant.outcome == protocol::SessionOutcome::kFresh);
    CHECK(opened.grant.fresh_reason == protocol::FreshReason::kUnknownSession);
    CHECK_FALSE(is_same(opened.session, first.session));
  }
  CHECK(shell.open(kTab, 2, &first).grant.outcome == protocol::SessionOutcome::kResumed);
}

TEST_CASE("session registry: of two connections of a client the one with the later attempt is taken, in any order") {
  Shell shell;
  const auto later = shell.open(kTab, 7);
  for (const std::uint64_t attempt : {1u, 6u, 7u}) {
    CHECK(shell.open(kTab, attempt, &later).code == ErrorCode::kReplaced);
    CHECK(shell.ended.replaced.empty());
    CHECK(shell.ended.revoked.empty());
  }
  const auto newest = shell.open(kTab, 8);  // without the secret: a fresh session in place of the old one
  CHECK(newest.grant.outcome == protocol::SessionOutcome::kFresh);
  CHECK_FALSE(newest.grant.user_joined);
  CHECK(shell.ended.replaced == Connections{later.connection});
  CHECK(shell.ended.users_left.empty());
  shell.close(kTab, later);  // as the shell does with what was replaced
  CHECK(shell.registry.lingering_count() == 0);
  shell.close(kTab, newest);
  CHECK(shell.open(kTab, 8, &newest).code == ErrorCode::kReplaced);  // also of one that lingers
  CHECK(shell.open(kTab, 9, &later).grant.fresh_reason == protocol::FreshReason::kUnknownSession);
}

TEST_CASE("session registry: a session lingers for session_linger, and its user leaves with the last of them") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  const auto second = shell.open(instance_key("alice", 2), 1);
  CHECK_FALSE(second.grant.user_joined);
  shell.close(kTab, first);
  const TimePoint due = shell.now + shell.limits.session_linger;
  shell.now += 10s;
  shell.close(instance_key("alice", 2), second);
  CHECK(shell.registry.next_deadline() == due);
  SessionsEnded ended;
  shell.registry.handle_timeout(due - 1us, ended);
  CHECK(shell.registry.session_count() == 2);
  shell.registry.handle_timeout(due, ended);
  CHECK(shell.registry.session_count() == 1);
  CHECK(ended.users_left.empty());
  shell.registry.handle_timeout(due + 10s, ended);
  CHECK(ended.users_left == Users{"alice"});
  CHECK(shell.registry.user_count() == 0);
  CHECK(shell.open(kTab, 2, &first).grant.fresh_reason == protocol::FreshReason::kUnknownSession);
}

TEST_CASE("session registry: end is for good, and only the connection that speaks for the session can end it") {
  Shell shell;
  const auto first = shell.open(kTab, 1);
  const auto second = shell.open(kTab, 2, &first);
  SessionsEnded ended;
  shell.registry.end(kTab, first.connection, ended);
  CHECK(shell.registry.session_count() == 1);
  shell.registry.end(kTab, second.connection, ended);
  CHECK(ended.users_left == Users{"alice"});
  CHECK(shell.registry.session_count() == 0);
  shell.registry.end(kTab, second.connection, ended);
  shell.registry.close(shell.now, kTab, second.connection, ended);
  CHECK(shell.registry.lingering_count() == 0);
  CHECK(ended.users_left.size() == 1);
  CHECK(shell.open(kTab, 3, &second).grant.fresh_reason == protocol::FreshReason::kUnknownSession);
}

TEST_CASE("session registry: one session too many takes the place of the one that lingers longest, or is refused") {
  Limits limits;
  limits.max_sessions_per_user = 3;
  Shell shell(limits);
  std::vector<Shell::Opened> tabs;
  for (std::uint64_t i = 1; i <= 3; ++i) tabs.push_back(shell.open(instance_key("alice", i), 1));
  CHECK(shell.open(instance_key("alice", 4), 1).code == ErrorCode::kTooManySessions);
  CHECK(shell.open(instance_key("bob", 4), 1).code == ErrorCode::kNone);
  CHECK(shell.open(instance_key("alice", 2), 2).code == ErrorCode::kNone);  // no more than there were
  shell.close(instance_key("alice", 3), tabs[2]);
  shell.now += 1s;
  shell.close(instance_key("alice", 1), tabs[0]);
  CHECK(shell.open(instance_key("alice", 4), 1).code == ErrorCode::kNone);
  CHECK(shell.registry.session_count() == 4);
  CHECK(shell.open(instance_key("alice", 1), 2, &tabs[0]).grant.outcome == protocol::SessionOutcome::kResumed);
  CHECK(shell.open(instance_key("alice", 3), 2, &tabs[2]).code == ErrorCode::kTooManySessions);
}

TEST_CASE("session registry: a user whose only session makes room has neither left nor joined") {
  Limits limits;
  limits.max_sessions_per_user = 1;
  Shell shell(limits);
  shell.close(kTab, shell.open(kTab, 1));
  const auto other = shell.open(instance_key("alice", 2), 1);
  CHECK(other.code == ErrorCode::kNone);
  CHECK_FALSE(other.grant.user_joined);
  CHECK(shell.ended.users_left.empty());
  CHECK(shell.registry.user_count() == 1);
}

TEST_CASE("session registry: at most max_lingering_sessions linger, and the oldest end first") {
  Limits limits;
  limits.max_lingering_sessions = 4;
  Shell shell(limits);
  for (std::uint64_t i = 1; i <= 10; ++i) {
    const InstanceKey key = instance_key("user " + std::to_string(i), 1);
    shell.close(key, shell.open(key, 1));
    CHECK(shell.ended.users_left == (i <= 4 ? Users{} : Users{"user " + std::to_string(i - 4)}));
    shell.now += 1s;
  }
  CHECK(shell.registry.lingering_count() == 4);
  CHECK(shell.registry.user_count() == 4);
}

// --- Against a model ---------------------------------------------------------------------------------------

TEST_CASE("session registry: users join and leave in turn, and sessions are those of a slow obvious model") {
  struct Entry {
    Shell::Opened last;  // that the server granted
    std::uint64_t attempt = 0;
    bool is_connected = false;
    TimePoint since;
  };
  Limits limits;
  limits.max_sessions_per_user = 3;
  limits.max_lingering_sessions = 5;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Shell shell(limits);
    std::map<InstanceKey, Entry> sessions;
    std::set<std::string> present;  // as the events say
    std::uint64_t attempt = 0;
    const auto take_ended = [&] {
      for (const std::string& user : shell.ended.users_left) {
        const bool was_present = present.erase(user) == 1;
        CHECK(was_present);
      }
    };
    const auto oldest = [&](const std::string* user) {
      auto found = sessions.end();
      for (auto at = sessions.begin(); at != sessions.end(); ++at) {
        if (at->second.is_connected || (user != nullptr && at->first.user != *user)) continue;
        if (found == sessions.end() || at->second.since < found->second.since) found = at;
      }
      return found;
    };
    const auto count = [&](const auto& is_counted) {
      return static_cast<std::size_t>(std::count_if(sessions.begin(), sessions.end(), is_counted));
    };
    const auto lingers = [](const auto& entry) { return !entry.second.is_connected; };
    for (int step = 0; step < 2000; ++step) {
      shell.now += Duration(1);
      const InstanceKey key = instance_key("user " + std::to_string(pick(random, 1, 4)), pick(random, 1, 5));
      const auto at = sessions.find(key);
      const std::uint64_t choice = pick(random, 0, 9);
      shell.ended = {};
      if (choice < 5) {
        const auto from = at == sessions.end() ? Shell::Opened{} : at->second.last;
        const bool resumes = at != sessions.end() && pick(random, 0, 2) != 0;
        const auto opened = shell.open(key, ++attempt, resumes ? &from : nullptr);
        if (at != sessions.end()) {
          CHECK(opened.code == ErrorCode::kNone);
          CHECK((opened.grant.outcome == protocol::SessionOutcome::kResumed) == resumes);
          CHECK(shell.ended.replaced.size() == (at->second.is_connected ? 1u : 0u));
        } else if (count([&](const auto& entry) { return entry.first.user == key.user; }) >= 3) {
          const auto victim = oldest(&key.user);
          CHECK((opened.code == ErrorCode::kNone) == (victim != sessions.end()));
          if (victim != sessions.end()) sessions.erase(victim);
        }
        if (opened.code == ErrorCode::kNone) {
          sessions[key] = {opened, attempt, true, {}};
          take_ended();
          if (opened.grant.user_joined) CHECK(present.insert(key.user).second);
        }
      } else if (choice < 8) {
        if (at == sessions.end()) continue;
        shell.registry.close(shell.now, key, at->second.last.connection, shell.ended);
        if (!at->second.is_connected) continue;
        at->second.is_connected = false;
        at->second.since = shell.now;
        if (count(lingers) > 5) sessions.erase(oldest(nullptr));
        take_ended();
      } else if (choice == 8) {
        if (at == sessions.end() || !at->second.is_connected) continue;
        shell.registry.end(key, at->second.last.connection, shell.ended);
        sessions.erase(at);
        take_ended();
      } else if (pick(random, 0, 9) == 0) {
        shell.now += pick(random, 0, 1) == 0 ? 60s : 121s;
        shell.registry.handle_timeout(shell.now, shell.ended);
        std::erase_if(sessions, [&](const auto& entry) {
          return lingers(entry) && entry.second.since + limits.session_linger <= shell.now;
        });
        take_ended();
      }
      std::set<std::string> users;
      for (const auto& [one, entry] : sessions) users.insert(one.user);
      REQUIRE(users == present);
      REQUIRE(shell.registry.user_count() == users.size());
      REQUIRE(shell.registry.session_count() == sessions.size());
      REQUIRE(shell.registry.lingering_count() == count(lingers));
      const auto first = oldest(nullptr);
      REQUIRE(shell.registry.next_deadline() ==
              (first == sessions.end() ? TimePoint::max() : first->second.since + limits.session_linger));
    }
  }
}

}  // namespace libsync
