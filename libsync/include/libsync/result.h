// result.h: Error, and Result<T>, shaped like std::expected, which C++20 lacks.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

#include "libsync/protocol_generated.h"

// A broken `Requires:` is a bug of this process: say where and stop. Kept in release builds.
#define SYNC_ASSERT(condition)                                                                 \
  do {                                                                                         \
    if (!(condition)) {                                                                        \
      std::fprintf(stderr, "%s:%d: SYNC_ASSERT(%s) failed\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)

namespace libsync {

// The numbered lists of the schema, under the library's own name.
using protocol::ActionStatus;
using protocol::CloseCode;
using protocol::ErrorCode;
using protocol::FullReason;
using protocol::TopicOutcome;

// What went wrong. `detail` is for logs and people; it names no secret and is never parsed.
struct Error {
  ErrorCode code = ErrorCode::kNone;
  std::string detail;
};

// Either a value or the error that prevented it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  // Requires: has_value().
  T& value() {
    SYNC_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    SYNC_ASSERT(has_value());
    return *std::get_if<0>(&state_);
  }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires: !has_value().
  const Error& error() const {
    SYNC_ASSERT(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

}  // namespace libsync
