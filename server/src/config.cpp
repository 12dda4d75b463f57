#include "config.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <filesystem>
#include <thread>

#include "jwt.h"

namespace libsync::server {

const char* const kServerName = "libsync-server 0.1.0";

namespace {

// What --dev raises: there is one developer, with many tabs and load generators.
constexpr std::uint32_t kDevCap = 10'000;

std::string default_page_dir() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return {};
  return (program.parent_path() / "../share/libsync/universe").lexically_normal().string();
}

std::string check_subject(const std::string& user) {
  return is_valid_subject(user) ? "" : "a user is 1 to 128 bytes of UTF-8 without control characters and '/'";
}

// Names are refused: a lookup could give several addresses.
std::string check_address(const std::string& address) {
  boost::system::error_code error;
  boost::asio::ip::make_address(address, error);
  return error ? "not an IPv4 or IPv6 address: " + address : "";
}

}  // namespace

std::variant<Config, int> parse_config(int argc, const char* const* argv) {
  Config config;
  config.page_dir = default_page_dir();
  config.shards = std::clamp(std::thread::hardware_concurrency(), 1u, 256u);

  CLI::App app("The reference server of libsync: a shared universe, kept in sync with everybody who watches.",
               "libsync-server");
  app.set_version_flag("--version", kServerName);
  app.get_formatter()->column_width(34);
  app.footer(
      "Each option has an environment variable: LIBSYNC_PORT for --port, and so on; the command line wins.\n"
      "Try it: libsync-server --dev");
  // The variable's name follows the flag's.
  const auto named = [](CLI::Option* option, const char* variable) { return option->envname(variable); };

  named(app.add_option("--port", config.port, "TCP port; 0: any free one")
            ->check(CLI::Range(0, 65'535))
            ->capture_default_str(),
        "LIBSYNC_PORT");
  named(app.add_option("--bind", config.bind, "Address to listen on; 0.0.0.0: all")
            ->check(check_address)
            ->capture_default_str(),
        "LIBSYNC_BIND");
  named(app.add_option("--data-dir", config.data_dir, "Where the game is saved")->capture_default_str(),
        "LIBSYNC_DATA_DIR");
  named(app.add_option("--log-dir", config.log_dir, "Where websocket.log is written")->capture_default_str(),
        "LIBSYNC_LOG_DIR");
  named(app.add_option("--page-dir", config.page_dir, "Static files to serve")->capture_default_str(),
        "LIBSYNC_PAGE_DIR");
  named(app.add_option("--shards", config.shards, "Threads for connections; default: one per core")
            ->check(CLI::Range(1u, 256u)),
        "LIBSYNC_SHARDS");
  named(app.add_flag("--dev", config.dev,
                     "For development: a ready link, ?token=, /debug/stats, high caps, text frames tolerated"),
        "LIBSYNC_DEV");

  named(app.add_option("--mint-token", config.mint_token, "Print a token for this user and end")
            ->type_name("USER")
            ->check(check_subject),
        "LIBSYNC_MINT_TOKEN");
  named(app.add_option("--token-ttl", config.token_ttl_s, "Seconds a minted token is valid")
            ->check(CLI::Range(1u, 10u * 365 * 24 * 3600))
            ->capture_default_str(),
        "LIBSYNC_TOKEN_TTL");
  named(app.add_option("--jwt-key-file", config.jwt_key_file,
                       "HS256 key, 32 or more bytes as hex; default: <data-dir>/dev-jwt.key, made when missing"),
        "LIBSYNC_JWT_KEY_FILE");
  named(app.add_option("--jwt-issuer", config.jwt_issuer, "Required iss of tokens")->capture_default_str(),
        "LIBSYNC_JWT_ISSUER");
  named(app.add_option("--jwt-audience", config.jwt_audience, "Required aud of tokens")->capture_default_str(),
        "LIBSYNC_JWT_AUDIENCE");

  std::int64_t tick_ms = config.tick.count();
  std::int64_t save_interval_s = config.save_interval.count();
  auto session_linger_s = config.session_linger.count();
  named(app.add_option("--tick-ms", tick_ms, "Milliseconds between two steps of the game")
            ->check(CLI::Range(10, 10'000))
            ->capture_default_str(),
        "LIBSYNC_TICK_MS");
  named(app.add_option("--bodies", config.bodies, "Bodies of a new universe")
            ->check(CLI::Range(1u, 100'000u))
            ->capture_default_str(),
        "LIBSYNC_BODIES");
  named(app.add_option("--save-interval", save_interval_s,
                       "Seconds between saves; 0: only on a player's wish and at the end")
            ->check(CLI::Range(0, 86'400))
            ->capture_default_str(),
        "LIBSYNC_SAVE_INTERVAL");

  const CLI::Range cap(1u, 10'000'000u);
  auto* sessions = named(app.add_option("--max-sessions-per-user", config.max_sessions_per_user,
                                        "Sessions of one user at a time; default: 8, with --dev 10000")
                             ->check(cap),
                         "LIBSYNC_MAX_SESSIONS_PER_USER");
  named(app.add_option("--session-linger", session_linger_s,
                       "Seconds after which a user whose connection was lost has left the game")
            ->check(CLI::Range(0, 3600))
            ->capture_default_str(),
        "LIBSYNC_SESSION_LINGER");
  named(app.add_option("--max-connections", config.max_connections, "Connections in all")
            ->check(cap)
            ->capture_default_str(),
        "LIBSYNC_MAX_CONNECTIONS");
  auto* per_address =
      named(app.add_option("--max-connections-per-address", config.max_connections_per_address,
                           "Connections from one address (IPv6: one /64); default: 256, with --dev 10000")
                ->check(cap),
            "LIBSYNC_MAX_CONNECTIONS_PER_ADDRESS");
  auto* handshakes = named(app.add_option("--handshakes-per-second", config.handshakes_per_second,
                                          "New connections a second from one address; default: 20, with --dev 10000")
                               ->check(cap),
                           "LIBSYNC_HANDSHAKES_PER_SECOND");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  config.tick = std::chrono::milliseconds(tick_ms);
  config.save_interval = std::chrono::seconds(save_interval_s);
  config.session_linger = std::chrono::seconds(session_linger_s);
  if (config.jwt_key_file.empty()) {
    config.jwt_key_file = (std::filesystem::path(config.data_dir) / "dev-jwt.key").string();
  }
  if (config.dev) {
    if (sessions->count() == 0) config.max_sessions_per_user = kDevCap;
    if (per_address->count() == 0) config.max_connections_per_address = kDevCap;
    if (handshakes->count() == 0) config.handshakes_per_second = kDevCap;
  }
  return config;
}

}  // namespace libsync::server
