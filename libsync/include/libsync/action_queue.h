// action_queue.h: a client's actions, from the application's call until they have ended durably.
// ts-sdk/src/action-queue.ts is its twin.
//
//   add() --stored()--> ready --next()--> sent --result--> answered --durable--> ended
//                         ^----- failed, or lost with a crash of the server -----'
//
// Sent in order, a window of them at once. One that failed is sent again, with all that follow it (go-back-n): the
// server executes no action before the one before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "libsync/limits.h"
#include "libsync/protocol_generated.h"
#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// The client's own number of an action, 1, 2, 3 ... over all its instances.
struct ActionId {
  std::uint64_t value = 0;
  auto operator<=>(const ActionId&) const = default;
};

class ActionQueue {
 public:
  struct Bounds {
    std::size_t max_actions = 1000;
    std::size_t max_bytes = 1u << 20;  // of payloads
  };
  struct Outgoing {
    Sequence sequence;
    BytesView payload;
    bool is_withdrawn = false;
  };
  enum class Taken : std::uint8_t {
    kNothing,   // it was known, or is none of ours
    kAnswered,  // tell the application
    kRefused,   // tell the application; from now on the action is withdrawn, which is to be stored
    kAgain,     // it was not executed and will be sent again
    kConflict,  // the server has executed something else under this sequence: the instance is lost
  };

  explicit ActionQueue(Bounds bounds) : bounds_(bounds) {}

  // Takes up what was stored: the actions that follow `confirmed`, in order.
  struct Stored {
    Bytes payload;
    bool is_withdrawn = false;
  };
  void restore(std::uint64_t base, Sequence confirmed, std::vector<Stored> actions, bool may_be_sent);

  // --- From the application.
  // The action waits for stored(). Errors: kTooManyActions.
  [[nodiscard]] Result<ActionId> add(Bytes payload);
  // It is on disk and may be sent.
  void stored(ActionId id);
  // It could not be stored: it will not be executed.
  void withdraw(ActionId id);

  // --- From the server.
  // A connection begins; the server has executed the actions up to `last`. False: it speaks of actions that this queue
  // does not know, or has forgotten some: the instance is lost.
  [[nodiscard]] bool begin(Sequence last);
  [[nodiscard]] Taken take_result(TimePoint now, const protocol::ActionResultT& result);
  // All actions up to here are durable. False: they were not even sent.
  [[nodiscard]] bool take_durable(Sequence sequence);
  // Removes the actions that have ended durably, oldest first.
  std::vector<ActionId> settle();
  // A new instance begins. Actions that may have been executed by the old one are removed: their outcome is unknown.
  std::vector<ActionId> renounce();

  // --- To the server.
  // The next action to send; it counts as sent. `window`: unended actions that may be under way.
  std::optional<Outgoing> next(TimePoint now, std::uint32_t window);
  // When next() may have something although it has nothing now.
  TimePoint next_at(TimePoint now, std::uint32_t window) const;

  ActionId id_of(Sequence sequence) const { return ActionId{base_ + sequence.value}; }
  std::uint64_t base() const { return base_; }
  Sequence confirmed() const { return Sequence{front_.value - 1 - base_}; }
  std::size_t size() const { return entries_.size(); }
  // Null if it has ended.
  BytesView payload(ActionId id) const;

 private:
  struct Entry {
    Bytes payload;
    bool is_stored = false;
    bool is_withdrawn = false;
    bool is_answered = false;
    bool was_refused = false;
  };
  Entry* find(ActionId id);
  bool may_send(TimePoint now, std::uint32_t window) const;

  Bounds bounds_;
  std::uint64_t base_ = 0;
  ActionId front_{1};     // the oldest that has not ended
  ActionId next_{1};      // the next to be sent
  ActionId max_sent_{0};  // the latest that may have been executed
  Sequence durable_;
  TimePoint blocked_until_ = TimePoint::min();
  std::deque<Entry> entries_;  // from front_ on
  std::size_t size_bytes_ = 0;
};

}  // namespace libsync
