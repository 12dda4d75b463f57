#include "log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <mutex>

#include "libsync/message.h"

namespace libsync::server {
namespace {

constexpr std::size_t kQueuedLines = 8192;
// Of a field that a peer may have chosen.
constexpr std::size_t kMaxFieldBytes = 512;

// Our names of the levels: spdlog's own are in lower case and say "warning".
class LevelName : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    std::string_view name = "INFO";
    if (message.level <= spdlog::level::debug) name = "DEBUG";
    if (message.level == spdlog::level::warn) name = "WARN";
    if (message.level >= spdlog::level::err) name = "ERROR";
    out.append(name.data(), name.data() + name.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<LevelName>(); }
};

std::unique_ptr<spdlog::formatter> make_formatter(const char* pattern) {
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<LevelName>('*').set_pattern(pattern);
  return formatter;
}

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug: return spdlog::level::debug;
    case LogLevel::kInfo: return spdlog::level::info;
    case LogLevel::kWarn: return spdlog::level::warn;
    case LogLevel::kError: break;
  }
  return spdlog::level::err;
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-' || c == '@' || c == ':' || c == '[' || c == ']';
}

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  const bool cut = text.size() > kMaxFieldBytes;
  for (const char c : text.substr(0, kMaxFieldBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  out += cut ? "...\"" : "\"";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  if (!out.empty()) out += ' ';
  out += name;
  out += '=';
  bool plain = !value.empty() && value.size() <= kMaxFieldBytes;
  for (const char c : value) plain = plain && is_plain(c);
  if (plain) {
    out += value;
  } else {
    append_quoted(out, value);
  }
}

}  // namespace

std::string format_log_line(const LogLine& line) {
  std::string out;
  if (line.connection != 0) append_field(out, "conn", std::to_string(line.connection));
  if (!line.user.empty()) append_field(out, "user", line.user);
  if (!line.peer.empty()) append_field(out, "peer", line.peer);
  if (line.code != ErrorCode::kNone) {
    append_field(out, "code", std::to_string(static_cast<unsigned>(line.code)));
    append_field(out, "name", name_of(line.code));
  }
  if (!out.empty()) out += ' ';
  out += "detail=";
  append_quoted(out, line.detail);
  return out;
}

struct Log::Impl {
  struct Rate {
    std::int64_t second = 0;
    std::uint32_t written = 0;
    std::uint64_t left_out = 0;
  };

  // False: the line is one too many. `left_out`: what to confess before this line.
  bool admit(LogLevel level, std::uint64_t& left_out) {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    const std::int64_t second = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    const std::lock_guard lock(mutex);
    Rate& rate = rates[static_cast<std::size_t>(level)];
    if (rate.second != second) {
      rate.second = second;
      rate.written = 0;
      left_out = std::exchange(rate.left_out, 0);
    }
    if (rate.written >= kMaxLinesPerSecond) {
      ++rate.left_out;
      return false;
    }
    ++rate.written;
    return true;
  }

  void confess(LogLevel level, std::uint64_t left_out) {
    if (left_out == 0) return;
    logger->log(to_spdlog(level), "detail=\"" + std::to_string(left_out) + " more lines of this level left out\"");
  }

  std::shared_ptr<spdlog::async_logger> logger;
  // After the logger, so that it goes first: its thread writes what is queued and ends before the sinks go.
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::mutex mutex;
  std::array<Rate, 4> rates;
};

Log::Log(const std::string& directory, bool debug) : impl_(std::make_unique<Impl>()) {
  std::filesystem::create_directories(directory);
  const std::string path = (std::filesystem::path(directory) / "websocket.log").string();
  auto file = std::make_shared<spdlog::sinks::rotating_file_sink_mt>(path, kLogFileBytes, kLogFiles);
  file->set_formatter(make_formatter("%Y-%m-%dT%H:%M:%S.%eZ %* %v"));
  auto console = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  console->set_formatter(make_formatter("%H:%M:%S %^%*%$ %v"));
  impl_->pool = std::make_shared<spdlog::details::thread_pool>(kQueuedLines, 1);
  const std::array<spdlog::sink_ptr, 2> sinks = {file, console};
  impl_->logger = std::make_shared<spdlog::async_logger>("libsync", sinks.begin(), sinks.end(), impl_->pool,
                                                         spdlog::async_overflow_policy::overrun_oldest);
  impl_->logger->set_level(debug ? spdlog::level::debug : spdlog::level::info);
  // The log's own thread flushes, so that a line is never lost in a buffer when the process dies.
  impl_->logger->flush_on(spdlog::level::debug);
}

Log::Log() = default;

Log::~Log() {
  if (!impl_) return;
  for (std::size_t i = 0; i < impl_->rates.size(); ++i) {
    impl_->confess(static_cast<LogLevel>(i), impl_->rates[i].left_out);
  }
}

void Log::write(LogLevel level, const LogLine& line) {
  if (!impl_ || !impl_->logger->should_log(to_spdlog(level))) return;
  std::uint64_t left_out = 0;
  if (!impl_->admit(level, left_out)) return;
  impl_->confess(level, left_out);
  // As an argument: spdlog takes a lone string as a format only where there are arguments, but braces in it stay safe.
  impl_->logger->log(to_spdlog(level), format_log_line(line));
}

}  // namespace libsync::server
