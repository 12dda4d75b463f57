// event_queue.h: simulated time: what happens next. Events of one instant happen in the order they were added.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "libsync/types.h"

namespace libsync::sim {

class EventQueue {
 public:
  using Event = std::function<void()>;

  TimePoint now() const { return now_; }
  bool empty() const { return heap_.empty(); }
  // Not before now.
  void at(TimePoint time, Event event) {
    heap_.push_back({std::max(time, now_), ++last_, std::move(event)});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  void after(Duration delay, Event event) { at(now_ + delay, std::move(event)); }
  // Requires: !empty().
  void run_next() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    Entry entry = std::move(heap_.back());
    heap_.pop_back();
    now_ = entry.at;
    entry.event();
  }

 private:
  struct Entry {
    TimePoint at;
    std::uint64_t order;
    Event event;
  };
  static bool later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }

  std::vector<Entry> heap_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t last_ = 0;
};

// A thread that others post to: what one of them posts is run in its order, what two of them post in any order.
class Mailbox {
 public:
  // The time at which something posted now arrives. `delay`: of this one alone.
  TimePoint arrival(TimePoint now, Duration delay) {
    last_ = std::max(last_, now + delay);
    return last_;
  }

 private:
  TimePoint last_{};
};

}  // namespace libsync::sim
