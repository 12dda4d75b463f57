// game.h: the seam between a game and the server shell. Another game is another folder that implements Game.
//
// All members run on the game thread, one at a time. The game knows nothing of sockets, sessions or versions; the shell
// knows nothing of bodies and players. libsync and the shell never look into snapshots, payloads or saved records.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libsync/result.h"
#include "libsync/topic.h"
#include "libsync/types.h"
#include "store.h"

namespace libsync::server {

// A topic of the game: what it is called and how much it matters when bytes are short.
struct TopicSpec {
  std::string name;
  TopicClass topic_class = TopicClass::kBulk;
  std::uint8_t priority = 128;
};

// How an action ended.
struct ActionOutcome {
  ActionStatus status = ActionStatus::kAccepted;  // or kRefused
  ErrorCode code = ErrorCode::kNone;              // kActionRefused or kActionMalformed unless accepted
  std::string message;                            // why it was refused, for people
  Bytes payload;                                  // the game's answer to the client
  std::vector<std::string> visible_in;            // topics whose next version shows the effect
  bool wants_save = false;                        // the shell saves, then calls on_saved, then answers
};

class Game {
 public:
  Game() = default;
  virtual ~Game() = default;
  Game(const Game&) = delete;
  Game& operator=(const Game&) = delete;

  // The canonical binary schema (`flatc -b --schema`) of the game, for the schema fingerprint.
  virtual std::span<const std::byte> schema() const = 0;

  // All topics that exist now: the shared ones, and those of the users who joined.
  virtual std::vector<TopicSpec> topics() const = 0;
  // Whether this user may ever see this topic. A refusal does not tell whether the topic exists.
  virtual bool may_subscribe(std::string_view user, std::string_view topic) const = 0;

  // The user's first session began; the last one ended.
  virtual void join(const std::string& user) = 0;
  virtual void leave(const std::string& user) = 0;

  // Untrusted payload: verify, check the rules, and either do it or change nothing.
  virtual ActionOutcome on_action(const std::string& user, BytesView payload) = 0;
  // A save that this user's action asked for ended.
  virtual void on_saved(const std::string& user, bool durable) = 0;

  // Advances the game by one step of fixed length.
  virtual void tick() = 0;

  // The finished FlatBuffer of a topic as it is now; valid until the next call. The same state gives the same bytes.
  // Requires: `topic` is one of topics().
  virtual BytesView snapshot(std::string_view topic) = 0;

  // Everything that a restarted server needs; keys are the game's own.
  virtual std::vector<SaveRecord> save() const = 0;
  // Called once, before anything else. Errors: a record that cannot be used; the game stays new.
  virtual Result<bool> load(const std::vector<SaveRecord>& records) = 0;
};

}  // namespace libsync::server
