// session_output.h: what a session wants from its shell.
#pragma once

#include <string>

#include "libsync/result.h"
#include "libsync/types.h"

namespace libsync {

// Send this as one binary WebSocket message. The bytes may be shared with other sessions.
struct Transmit {
  SharedBytes message;
};

// Close the WebSocket with this code after everything transmitted so far. Nothing follows but Deadline.
struct CloseConnection {
  CloseCode close_code = CloseCode::kNormal;
  ErrorCode code = ErrorCode::kNone;
  std::string reason;
};

// Nothing more to do before `at`; call handle_timeout then. TimePoint::max(): nothing is due.
struct Deadline {
  TimePoint at = TimePoint::max();
};

}  // namespace libsync
