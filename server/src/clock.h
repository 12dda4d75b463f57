// clock.h: where the server reads time. libsync gets it as an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "libsync/types.h"

namespace libsync::server {

// The steady clock on the library's time line. Every timer of the server runs on it.
inline TimePoint steady_now() {
  return TimePoint(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

// Back to what a timer takes. Requires: `at` is not TimePoint::max().
inline std::chrono::steady_clock::time_point to_steady(TimePoint at) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(at.time_since_epoch()));
}

// Seconds since 1970. Only the dates in tokens and in the ledger follow the wall clock.
inline std::int64_t unix_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}
inline std::uint64_t unix_now_ms() {
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return static_cast<std::uint64_t>(ms.count());
}

// The clocks of what also runs in simulated time.
struct Clocks {
  std::function<TimePoint()> steady = steady_now;
  std::function<std::uint64_t()> wall_ms = unix_now_ms;
};

}  // namespace libsync::server
