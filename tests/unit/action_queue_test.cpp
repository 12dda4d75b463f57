#include "libsync/action_queue.h"

#include <doctest/doctest.h>

#include "unit/support.h"

namespace libsync {
namespace {

using test::bytes_of;
using test::pick;
using test::Random;
using namespace std::chrono_literals;
using Taken = ActionQueue::Taken;

constexpr std::uint32_t kWindow = 4;

struct Queue {
  explicit Queue(ActionQueue::Bounds bounds = {}) : actions(bounds) {}

  void add(int count) {
    for (int i = 0; i < count; ++i) actions.stored(actions.add(bytes_of("payload")).value());
  }
  // Sequences of all that is sent now.
  std::vector<std::uint64_t> send(std::uint32_t window = kWindow) {
    std::vector<std::uint64_t> sent;
    while (const auto action = actions.next(now, window)) sent.push_back(action->sequence.value);
    return sent;
  }
  Taken answer(std::uint64_t sequence, ActionStatus status, bool durable = false, ErrorCode code = ErrorCode::kNone,
               std::uint32_t retry_after_ms = 0) {
    protocol::ActionResultT result;
    result.action_sequence = sequence;
    result.status = status;
    result.code = code;
    result.durable = durable;
    result.retry_after_ms = retry_after_ms;
    return actions.take_result(now, result);
  }
  Taken accept(std::uint64_t sequence) { return answer(sequence, ActionStatus::kAccepted); }
  Taken fail(std::uint64_t sequence, std::uint32_t retry_after_ms) {
    return answer(sequence, ActionStatus::kFailed, false, ErrorCode::kActionSequence, retry_after_ms);
  }
  std::vector<std::uint64_t> settle() {
    std::vector<std::uint64_t> settled;
    for (const ActionId id : actions.settle()) settled.push_back(id.value);
    return settled;
  }

  ActionQueue actions;
  TimePoint now = TimePoint(1000s);
};

using Numbers = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("action queue: sends what is stored, in order, and nothing behind what is not") {
  Queue queue;
  REQUIRE(queue.actions.begin(Sequence{}));
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(queue.actions.add(bytes_of("a")).value() == ActionId{i});
  CHECK(queue.send().empty());
  queue.actions.stored(ActionId{2});
  CHECK(queue.send().empty());
  queue.actions.stored(ActionId{1});
  CHECK(queue.send() == Numbers{1, 2});
  CHECK(queue.send().empty());
  CHECK(queue.actions.next_at(queue.now, kWindow) == TimePoint::max());
  queue.actions.stored(ActionId{3});
  CHECK(queue.send() == Numbers{3});
}

TEST_CASE("action queue: at most a window of actions that have not ended is under way") {
  Queue queue;
  queue.add(10);
  CHECK(queue.send() == Numbers{1, 2, 3, 4});
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.send().empty());  // answered is not ended
  REQUIRE(queue.actions.take_durable(Sequence{1}));
  CHECK(queue.settle() == Numbers{1});
  CHECK(queue.send() == Numbers{5});
  CHECK(queue.send(0).empty());
}

TEST_CASE("action queue: takes as many actions and bytes as its bounds say, and more when some have ended") {
  Queue queue({3, 20});
  queue.add(2);
  const auto too_big = queue.actions.add(bytes_of("seven b"));  // 7 + 7 + 7 bytes
  REQUIRE_FALSE(too_big);
  CHECK(too_big.error().code == ErrorCode::kTooManyActions);
  CHECK(queue.actions.add(bytes_of("")));
  CHECK_FALSE(queue.actions.add(bytes_of("")));
  CHECK(queue.actions.size() == 3);
  queue.send();
  CHECK(queue.answer(1, ActionStatus::kAccepted, true) == Taken::kAnswered);
  CHECK(queue.settle() == Numbers{1});
  CHECK(queue.actions.add(bytes_of("seven b")).value() == ActionId{4});
}

TEST_CASE("action queue: an action that failed is sent again after the wait, with all that follow it") {
  Queue queue;
  queue.add(4);
  CHECK(queue.send() == Numbers{1, 2, 3, 4});
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.fail(2, 300) == Taken::kAgain);
  CHECK(queue.fail(3, 0) == Taken::kAgain);
  CHECK(queue.fail(4, 0) == Taken::kAgain);
  CHECK(queue.send().empty());
  CHECK(queue.actions.next_at(queue.now, kWindow) == queue.now + 300ms);
  queue.now += 300ms - 1us;
  CHECK(queue.send().empty());
  queue.now += 1us;
  CHECK(queue.send() == Numbers{2, 3, 4});
  CHECK(queue.fail(1, 0) == Taken::kNothing);  // late: it is answered
  CHECK(queue.send().empty());
}

TEST_CASE("action queue: a failure without a wait is not repeated at once") {
  Queue queue;
  queue.add(1);
  for (int i = 0; i < 5; ++i) {
    CHECK(queue.send() == Numbers{1});
    CHECK(queue.fail(1, 0) == Taken::kAgain);
    CHECK(queue.send().empty());
    const TimePoint at = queue.actions.next_at(queue.now, kWindow);
    CHECK(at > queue.now);
    CHECK(at <= queue.now + 1s);
    queue.now = at;
  }
}

TEST_CASE("action queue: actions end in order, when they are answered and durable") {
  Queue queue;
  queue.add(4);
  queue.send();
  CHECK_FALSE(queue.actions.take_durable(Sequence{5}));  // was not sent
  CHECK(queue.accept(2) == Taken::kAnswered);
  CHECK(queue.accept(2) == Taken::kNothing);
  CHECK(queue.actions.take_durable(Sequence{3}));
  CHECK(queue.settle().empty());
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.settle() == Numbers{1, 2});
  CHECK(queue.actions.confirmed() == Sequence{2});
  CHECK(queue.actions.take_durable(Sequence{1}));  // an older message: nothing is taken back
  CHECK(queue.accept(3) == Taken::kAnswered);
  CHECK(queue.settle() == Numbers{3});
  CHECK(queue.accept(1) == Taken::kNothing);
  CHECK(queue.answer(4, ActionStatus::kAccepted, true) == Taken::kAnswered);
  CHECK(queue.settle() == Numbers{4});
  CHECK(queue.actions.size() == 0);
  CHECK(queue.actions.confirmed() == Sequence{4});
}

TEST_CASE("action queue: results of what was never sent are none of ours") {
  Queue queue;
  queue.add(3);
  CHECK(queue.accept(1) == Taken::kNothing);
  CHECK(queue.accept(0) == Taken::kNothing);
  CHECK(queue.accept(UINT64_MAX) == Taken::kNothing);
  CHECK(queue.answer(2, ActionStatus::kFailed, false, ErrorCode::kActionConflict) == Taken::kNothing);
  CHECK(queue.actions.settle().empty());
  CHECK(queue.send() == Numbers{1, 2, 3});
}

TEST_CASE("action queue: a server that has executed more than there is, or lost what was durable, is another one") {
  Queue queue;
  queue.add(3);
  queue.send();
  CHECK_FALSE(queue.actions.begin(Sequence{4}));
  CHECK_FALSE(queue.actions.begin(Sequence{UINT64_MAX}));
  CHECK(queue.actions.begin(Sequence{3}));
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.accept(2) == Taken::kAnswered);
  CHECK(queue.actions.take_durable(Sequence{2}));
  CHECK_FALSE(queue.actions.begin(Sequence{1}));
  CHECK(queue.actions.begin(Sequence{2}));
  CHECK(queue.settle() == Numbers{1, 2});
  CHECK_FALSE(queue.actions.begin(Sequence{1}));
  CHECK(queue.actions.begin(Sequence{2}));
  CHECK(queue.send() == Numbers{3});
}

TEST_CASE("action queue: a connection sends what the server has not executed, whatever the one before it sent") {
  Queue queue;
  queue.add(5);
  CHECK(queue.send() == Numbers{1, 2, 3, 4});
  CHECK(queue.fail(2, 5000) == Taken::kAgain);
  REQUIRE(queue.actions.begin(Sequence{2}));
  CHECK(queue.send() == Numbers{3, 4});  // at once: the wait was the other connection's
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.accept(2) == Taken::kAnswered);
}

TEST_CASE("action queue: what was answered and lost with a crash is sent and answered again") {
  Queue queue;
  queue.add(3);
  queue.send();
  for (std::uint64_t i = 1; i <= 3; ++i) CHECK(queue.accept(i) == Taken::kAnswered);
  REQUIRE(queue.actions.take_durable(Sequence{1}));
  CHECK(queue.settle() == Numbers{1});
  REQUIRE(queue.actions.begin(Sequence{1}));
  CHECK(queue.send() == Numbers{2, 3});
  CHECK(queue.accept(2) == Taken::kAnswered);
  CHECK(queue.accept(3) == Taken::kAnswered);
}

TEST_CASE("action queue: one that was refused is withdrawn, and refused for ever") {
  Queue queue;
  queue.add(2);
  queue.send();
  CHECK(queue.answer(1, ActionStatus::kRefused) == Taken::kRefused);
  CHECK(queue.answer(1, ActionStatus::kRefused) == Taken::kNothing);
  REQUIRE(queue.actions.begin(Sequence{}));  // a crash: the server knows nothing of it
  const auto again = queue.actions.next(queue.now, kWindow);
  REQUIRE(again);
  CHECK(again->sequence == Sequence{1});
  CHECK(again->is_withdrawn);
  CHECK(again->payload.empty());
  CHECK_FALSE(queue.actions.next(queue.now, kWindow)->is_withdrawn);
  CHECK(queue.answer(1, ActionStatus::kRefused, true) == Taken::kNothing);
  CHECK(queue.settle() == Numbers{1});
}

TEST_CASE("action queue: one that could not be stored keeps its place and is sent as withdrawn") {
  Queue queue;
  const ActionId first = queue.actions.add(bytes_of("a")).value();
  queue.add(1);
  CHECK(queue.send().empty());
  queue.actions.withdraw(first);
  CHECK(queue.actions.payload(first).empty());
  const auto sent = queue.actions.next(queue.now, kWindow);
  REQUIRE(sent);
  CHECK(sent->sequence == Sequence{1});
  CHECK(sent->is_withdrawn);
  CHECK(queue.answer(1, ActionStatus::kRefused) == Taken::kNothing);  // the application knows already
}

TEST_CASE("action queue: a conflict is told, also of what was answered") {
  Queue queue;
  queue.add(1);
  queue.send();
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK(queue.answer(1, ActionStatus::kFailed, false, ErrorCode::kActionConflict) == Taken::kConflict);
}

TEST_CASE("action queue: renouncing gives up what may have been executed and keeps the rest under new sequences") {
  Queue queue;
  queue.add(6);
  CHECK(queue.send() == Numbers{1, 2, 3, 4});
  CHECK(queue.answer(1, ActionStatus::kAccepted, true) == Taken::kAnswered);
  CHECK(queue.settle() == Numbers{1});
  CHECK(queue.answer(3, ActionStatus::kRefused) == Taken::kRefused);
  Numbers unknown;
  for (const ActionId id : queue.actions.renounce()) unknown.push_back(id.value);
  CHECK(unknown == Numbers{2, 4});  // that the third was refused is known
  CHECK(queue.actions.base() == 4);
  CHECK(queue.actions.confirmed() == Sequence{});
  CHECK(queue.actions.size() == 2);
  REQUIRE(queue.actions.begin(Sequence{}));
  CHECK(queue.send() == Numbers{1, 2});
  CHECK(queue.actions.id_of(Sequence{1}) == ActionId{5});
  CHECK(queue.accept(1) == Taken::kAnswered);
  CHECK_FALSE(queue.actions.begin(Sequence{3}));
  CHECK(queue.actions.add(bytes_of("a")).value() == ActionId{7});
}

TEST_CASE("action queue: after a restart all that was stored may have been sent, unless nothing could be") {
  for (const bool may_be_sent : {false, true}) {
    CAPTURE(may_be_sent);
    Queue queue;
    queue.actions.restore(10, Sequence{3}, {{bytes_of("a"), false}, {{}, true}, {bytes_of("c"), false}}, may_be_sent);
    CHECK(queue.actions.confirmed() == Sequence{3});
    CHECK(queue.actions.size() == 3);
    CHECK_FALSE(queue.actions.begin(Sequence{2}));
    REQUIRE(queue.actions.begin(Sequence{3}));
    CHECK(queue.actions.next(queue.now, kWindow)->sequence == Sequence{4});
    CHECK(queue.actions.next(queue.now, kWindow)->is_withdrawn);
    Numbers unknown;
    for (const ActionId id : queue.actions.renounce()) unknown.push_back(id.value);
    CHECK(unknown == (may_be_sent ? Numbers{14, 16} : Numbers{14}));
    CHECK(queue.actions.base() == (may_be_sent ? 16 : 15));
  }
}

TEST_CASE("action queue: with a server that fails, crashes and answers late, each action ends once and in order") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Queue queue;
    Numbers under_way, answers, ended;
    std::uint64_t last = 0, durable = 0, n_added = 0;
    for (int step = 0; step < 4000 && ended.size() < 40; ++step) {
      switch (pick(random, 0, 6)) {
        case 0:
          if (n_added < 40) queue.add(1), ++n_added;
          break;
        case 1:
          for (const std::uint64_t sequence : queue.send()) under_way.push_back(sequence);
          break;
        case 2:
        case 3: {  // the server reads
          if (under_way.empty()) break;
          const std::uint64_t sequence = under_way.front();
          under_way.erase(under_way.begin());
          if (sequence > last + 1 || (sequence == last + 1 && pick(random, 0, 3) == 0)) {
            answers.push_back(sequence + 1000);
          } else {
            last = std::max(last, sequence);
            answers.push_back(sequence);
          }
          break;
        }
        case 4:
          if (answers.empty()) break;
          answers.front() > 1000 ? queue.fail(answers.front() - 1000, 10) : queue.accept(answers.front());
          answers.erase(answers.begin());
          break;
        case 5:
          durable = std::max(durable, pick(random, 0, last));
          CHECK(queue.actions.take_durable(Sequence{durable}));
          for (const std::uint64_t id : queue.settle()) ended.push_back(id);
          break;
        default:
          queue.now += 30ms;
          if (pick(random, 0, 19) != 0) break;
          under_way.clear();  // a new connection, perhaps after a crash
          answers.clear();
          if (pick(random, 0, 1) == 0) last = durable;
          REQUIRE(queue.actions.begin(Sequence{last}));
          for (std::uint64_t i = queue.actions.confirmed().value + 1; i <= last; ++i) answers.push_back(i);
      }
    }
    REQUIRE(ended.size() == 40);
    for (std::size_t i = 0; i < ended.size(); ++i) CHECK(ended[i] == i + 1);
  }
}

}  // namespace libsync
