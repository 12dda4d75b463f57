// log.h: what the server writes down: <log-dir>/websocket.log (rotated) and, shorter, standard error.
//
//   2026-01-31T12:00:00.123Z ERROR conn=17 user=alice peer=127.0.0.1:5555 code=1003 name=kTextFrame detail="..."
//
// Lines are written by a thread of the log's own; when it cannot keep up, the oldest lines are lost, never the time
// of a shard. Whoever makes connections fail cannot flood the log: each level has a rate, the rest is counted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "libsync/result.h"

namespace libsync::server {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarn, kError };

struct LogLine {
  std::uint64_t connection = 0;  // 0: none
  std::string_view user;         // empty: none
  std::string_view peer;         // empty: none
  ErrorCode code = ErrorCode::kNone;
  std::string_view detail;
};

// The part of a line after the level. Fields that are absent are left out. A user or detail can neither end its
// quotes nor the line: everything but printable ASCII is escaped.
std::string format_log_line(const LogLine& line);

// At most so many lines per second and level; one more line then says how many were left out.
inline constexpr std::uint32_t kMaxLinesPerSecond = 100;
inline constexpr std::size_t kLogFileBytes = 10u << 20;
inline constexpr std::size_t kLogFiles = 5;

class Log {
 public:
  // Makes the directory if need be. Throws std::exception if the file cannot be written: the server is starting.
  // `debug`: lines of level kDebug are written too.
  Log(const std::string& directory, bool debug);
  // Writes nothing, anywhere.
  Log();
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Callable from any thread. kError is on its way to disk at once.
  void write(LogLevel level, const LogLine& line);
  void info(std::string_view detail) { write(LogLevel::kInfo, LogLine{.user = {}, .peer = {}, .detail = detail}); }
  void warn(std::string_view detail) { write(LogLevel::kWarn, LogLine{.user = {}, .peer = {}, .detail = detail}); }
  void error(std::string_view detail, ErrorCode code = ErrorCode::kServerError) {
    write(LogLevel::kError, LogLine{.user = {}, .peer = {}, .code = code, .detail = detail});
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace libsync::server
