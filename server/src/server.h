// server.h: the parts of the server, their order of birth and death, and how it stops.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "admission.h"
#include "auth.h"
#include "config.h"
#include "game.h"
#include "libsync/limits.h"
#include "log.h"
#include "page.h"
#include "room_thread.h"
#include "shard.h"
#include "store.h"

namespace libsync::server {

class Server {
 public:
  // Requires: what is named outlives the server, except the store, which must go first: its thread posts to the room.
  Server(const Config& config, const Limits& limits, const AuthConfig& auth, const Page& page, Log& log, Game& game,
         Store& store);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and loads the game. The port that was bound; who connects now waits for start().
  // Throws boost::system::system_error if it cannot listen. Errors: what Room::start says.
  [[nodiscard]] Result<std::uint16_t> open();
  // Starts the threads. Requires: open() succeeded.
  void start();

  // Stops accepting, sends everybody away, saves, ends the threads. `stopped(saved)` runs on `io`, within 3 s.
  void stop(boost::asio::io_context& io, std::function<void(bool saved)> stopped);

 private:
  void gather(Shard& asking, std::function<void(ServerStats)> done);
  void join_threads();

  const Config& config_;
  Log& log_;
  Admission admission_;
  std::vector<std::unique_ptr<Shard>> shards_;
  RoomThread room_;
  ServerContext context_;
  std::vector<std::thread> threads_;
};

}  // namespace libsync::server
