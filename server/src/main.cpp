// main.cpp: reads the configuration, wires the parts, waits for a signal.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>

#include "auth.h"
#include "clock.h"
#include "config.h"
#include "game/universe.h"
#include "key_file.h"
#include "log.h"
#include "page.h"
#include "server.h"
#include "sqlite_store.h"

namespace libsync::server {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitKilled = 130;

std::string mint(const Config& config, const AuthConfig& auth, const std::string& user) {
  const std::int64_t now = unix_now();
  return mint_jwt(user, auth.key, auth.policy, now, now + config.token_ttl_s);
}

int fail(const std::string& message) {
  std::cerr << "libsync-server: " << message << std::endl;
  return kExitFailed;
}

void announce(const Config& config, const AuthConfig& auth, std::uint16_t port) {
  // A wildcard address is no place to go to.
  std::string host = config.bind == "0.0.0.0" || config.bind == "::" ? "127.0.0.1" : config.bind;
  if (host.find(':') != host.npos) host = "[" + host + "]";
  const std::string base = "http://" + host + ":" + std::to_string(port);
  if (config.dev) std::cout << base << "/#token=" << mint(config, auth, "dev") << "\n";
  std::cout << "ready: " << base << "/healthz" << std::endl;
}

// Runs until a signal, or not at all if the server cannot start. The exit status.
int run(const Config& config, const AuthConfig& auth, Log& log, Game& game, std::unique_ptr<Store> store) {
  Limits limits;
  limits.max_sessions_per_user = config.max_sessions_per_user;
  limits.session_linger = config.session_linger;
  const Page page(config.page_dir);
  asio::io_context io(1);
  // Before any thread begins, so that none of them gets the signals.
  asio::signal_set signals(io, SIGINT, SIGTERM);
  std::signal(SIGPIPE, SIG_IGN);

  std::optional<Server> server;
  server.emplace(config, limits, auth, page, log, game, *store);
  Result<std::uint16_t> port = Error{};
  try {
    port = server->open();
  } catch (const boost::system::system_error& error) {
    return fail("cannot listen on " + config.bind + " port " + std::to_string(config.port) + ": " +
                error.code().message());
  }
  if (!port) return fail("cannot use what was saved in " + config.data_dir + ": " + port.error().detail);
  log.info("listening on " + config.bind + ":" + std::to_string(*port) + ", " + std::to_string(config.shards) +
           " shards" + (page.empty() ? ", no page" : ""));
  announce(config, auth, *port);
  server->start();

  int status = EXIT_SUCCESS;
  signals.async_wait([&](const boost::system::error_code&, int number) {
    log.info("stopping on signal " + std::to_string(number));
    signals.async_wait([](const boost::system::error_code& error, int) {
      if (!error) std::_Exit(kExitKilled);
    });
    server->stop(io, [&](bool saved) {
      if (!saved) {
        log.error("the game was not saved", ErrorCode::kStoreUnavailable);
        status = kExitFailed;
      }
      io.stop();
    });
  });
  io.run();
  store.reset();  // before the server: its thread posts to the room
  server.reset();
  log.info("stopped");
  return status;
}

int main(int argc, const char* const* argv) {
  const std::variant<Config, int> parsed = parse_config(argc, argv);
  if (const int* status = std::get_if<int>(&parsed)) return *status;
  const Config& config = std::get<Config>(parsed);

  AuthConfig auth;
  auth.policy.issuer = config.jwt_issuer;
  auth.policy.audience = config.jwt_audience;
  auth.allow_query_token = config.dev;
  Result<JwtKey> key = load_key(config.jwt_key_file, true);
  if (!key) return fail(key.error().detail);
  auth.key = std::move(*key);
  if (!config.mint_token.empty()) {
    std::cout << mint(config, auth, config.mint_token) << std::endl;
    return EXIT_SUCCESS;
  }

  std::filesystem::create_directories(config.data_dir);
  Log log(config.log_dir, config.dev);
  UniverseOptions options;
  options.tick_ms = static_cast<std::uint32_t>(config.tick.count());
  options.body_count = config.bodies;
  options.max_bodies = std::max<std::size_t>(options.max_bodies, 2 * options.body_count);
  Universe game(options);
  Result<std::unique_ptr<SqliteStore>> store =
      SqliteStore::open((std::filesystem::path(config.data_dir) / "save.sqlite").string());
  if (!store) return fail(store.error().detail);
  return run(config, auth, log, game, std::move(*store));
}

}  // namespace
}  // namespace libsync::server

int main(int argc, char** argv) {
  try {
    return libsync::server::main(argc, argv);
  } catch (const std::exception& error) {
    return libsync::server::fail(error.what());
  }
}
