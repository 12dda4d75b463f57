// config.h: flags and environment variables, checked once.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>

namespace libsync::server {

struct Config {
  std::string bind = "127.0.0.1";
  std::uint16_t port = 8080;  // 0: any free one
  std::string data_dir = "data";
  std::string log_dir = "logs";
  std::string page_dir;      // may name a directory that does not exist: no page then
  std::string jwt_key_file;  // 32 or more random bytes as hex
  std::uint32_t shards = 1;
  bool dev = false;

  std::string mint_token;  // not empty: print a token for this user and end
  std::uint32_t token_ttl_s = 24 * 3600;
  std::string jwt_issuer = "libsync";
  std::string jwt_audience = "libsync";

  std::chrono::milliseconds tick{100};
  std::uint32_t bodies = 1000;             // of a new universe
  std::chrono::seconds save_interval{60};  // zero: only on a player's wish and at the end

  std::uint32_t max_sessions_per_user = 8;
  std::chrono::seconds session_linger{120};  // how long a user whose connection was lost has not left
  std::uint32_t max_connections = 20'000;
  std::uint32_t max_connections_per_address = 256;
  std::uint32_t handshakes_per_second = 20;  // per address, with a burst of twice as many
};

// The server's name and version, for clients' logs and --version.
extern const char* const kServerName;

// The configuration, or the exit status with which the program ends now: 0 after --help and --version, 2 after a
// message about a bad value.
std::variant<Config, int> parse_config(int argc, const char* const* argv);

}  // namespace libsync::server
