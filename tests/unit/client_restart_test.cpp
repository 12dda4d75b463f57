// The client's process, the server's, or both, end at every moment; each action is executed once.
#include <doctest/doctest.h>

#include <set>

#include "unit/client_pair.h"

namespace libsync {
namespace {

using test::ClientPair;
using test::pick;
using test::Random;
using namespace std::chrono_literals;

const std::vector<std::string> kPayloads = {"one", "two", "no three", "four", "five"};
const std::vector<std::string> kExecuted = {"one", "two", "four", "five"};

// The user of the client: wants the five actions done, in order. What an earlier process has stored it need not repeat.
struct Session {
  explicit Session(Limits limits = {}) : pair(limits) { begin(); }

  void begin() {
    // What is on disk when a process begins is the queue's; the rest of the five is to be said again.
    n_acted = std::max(n_ended, n_stored());
    pair.client->subscribe(pair.now, "world");
    pair.start();
  }
  std::size_t n_stored() const {
    std::size_t last = 0;
    for (const auto& [key, value] : pair.client_disk) {
      if (key.starts_with("action/")) last = std::stoul(key.substr(7));
    }
    return last;
  }
  void note_ended() {
    for (const auto& ended : pair.saw<ActionEnded>()) n_ended = std::max(n_ended, std::size_t{ended.id.value});
  }

  // One thing happens. False: nothing can any more at this time.
  bool step(Random& random) {
    const auto steps = pair.possible();
    if (n_acted < kPayloads.size() && (steps.empty() || pick(random, 0, 2) == 0)) {
      pair.act(kPayloads[n_acted++]);
      return true;
    }
    if (steps.empty()) return false;
    pair.make(steps[pick(random, 0, steps.size() - 1)]);
    note_ended();
    return true;
  }

  bool is_done() const { return n_acted == kPayloads.size() && pair.client->queued_actions() == 0; }

  void finish(Random& random) {
    for (int i = 0; i < 2000 && !(is_done() && pair.possible().empty()); ++i) {
      if (!step(random)) pair.advance(100ms);
    }
    REQUIRE(is_done());
  }

  ClientPair pair;
  std::size_t n_acted = 0;
  std::size_t n_ended = 0;  // that the application knows of
};

void crash_client(Session& session, std::size_t n_written) {
  session.note_ended();
  // What ended without the application's knowledge is gone from the queue as well.
  for (std::size_t i = 0; i < std::min(n_written, session.pair.storing.size()); ++i) {
    for (const std::string& key : session.pair.storing[i].removed) {
      if (key.starts_with("action/"))
        session.n_ended = std::max(session.n_ended, std::size_t{std::stoul(key.substr(7))});
    }
  }
  session.pair.crash_client(n_written);
  session.begin();
}

std::size_t count_steps(std::uint64_t seed) {
  Session session;
  Random random(seed);
  std::size_t count = 0;
  while (session.step(random)) ++count;
  REQUIRE(session.is_done());
  return count;
}

}  // namespace

TEST_CASE("client: its process ends at every moment of a session, and each action is executed once") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::size_t count = count_steps(seed);
    CHECK(count > 30);
    for (std::size_t at = 0; at <= count; ++at) {
      for (const std::size_t n_written : {0u, 1u, 99u}) {
        CAPTURE(seed);
        CAPTURE(at);
        CAPTURE(n_written);
        Session session;
        Random random(seed);
        for (std::size_t i = 0; i < at; ++i) session.step(random);
        crash_client(session, n_written);
        session.finish(random);
        CHECK(session.pair.game == kExecuted);
        CHECK(session.pair.saw<ActionLost>().empty());
      }
    }
  }
}

TEST_CASE("client: the server ends at every moment of a session, and each action is executed once") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const std::size_t count = count_steps(seed);
    for (std::size_t at = 0; at <= count; ++at) {
      for (const bool is_written : {false, true}) {
        CAPTURE(seed);
        CAPTURE(at);
        CAPTURE(is_written);
        Session session;
        Random random(seed);
        session.pair.commits = at % 2 == 0;  // with more and with less of it durable
        for (std::size_t i = 0; i < at; ++i) session.step(random);
        const bool is_first = session.pair.server_disk.empty() && !is_written;
        session.pair.crash_server(is_written);
        session.pair.commits = true;
        session.finish(random);
        if (!is_first) {
          CHECK(session.pair.saw<ActionLost>().empty());
          CHECK(session.pair.game == kExecuted);
        }
        CHECK(session.pair.durable_game == session.pair.game);
      }
    }
  }
}

TEST_CASE(
    "client: a process that does not know what an earlier one sent gives up all of it, if the server has lost it") {
  Session session;
  ClientPair& pair = session.pair;
  pair.settle();
  pair.answers = false;
  pair.act("one");
  pair.act("two");
  pair.settle();
  REQUIRE(pair.game.size() == 2);
  pair.crash_client();
  pair.server_disk.clear();  // another ledger, although the game goes on
  pair.crash_server();
  pair.answers = true;
  pair.start();
  pair.act("three");
  pair.advance(5s);
  REQUIRE(pair.saw<ActionLost>().size() == 2);
  CHECK(pair.saw<ActionLost>()[1].id == ActionId{2});
  CHECK(pair.saw<ActionLost>()[1].error.code == ErrorCode::kUnknownInstance);
  CHECK(pair.client->queued_actions() == 0);
  CHECK(pair.game == std::vector<std::string>{"one", "two", "three"});
}

TEST_CASE("client: connections, client and server fail again and again, and each action is executed once") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    Session session;
    Random random(seed);
    session.pair.make(ClientPair::Step::kCommit);  // the ledger's identity is there before anybody knows it
    for (int failures = 0; failures < 12;) {
      if (!session.step(random)) session.pair.advance(200ms);
      if (pick(random, 0, 7) != 0) continue;
      ++failures;
      switch (pick(random, 0, 2)) {
        case 0: crash_client(session, pick(random, 0, 3)); break;
        case 1: session.pair.crash_server(pick(random, 0, 1) == 0); break;
        default: session.pair.cut();
      }
    }
    session.finish(random);
    CHECK(session.pair.game == kExecuted);
  }
}

}  // namespace libsync
