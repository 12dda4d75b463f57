// room_thread.h: the game thread: runs the room's ticks and what shards post to it, in order.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <thread>
#include <utility>

#include "room.h"

namespace libsync::server {

class RoomThread {
 public:
  // Requires: everything named outlives the thread object, as for Room.
  RoomThread(Game& game, Store& store, const Limits& limits, Log& log, const RoomConfig& config,
             std::chrono::milliseconds tick, Room::Deliver deliver);
  ~RoomThread() { stop(); }
  RoomThread(const RoomThread&) = delete;
  RoomThread& operator=(const RoomThread&) = delete;

  // Before start(), by the starting thread; afterwards only from what was posted.
  Room& room() { return room_; }

  void start();
  // Ends the thread; what is still posted never runs.
  void stop();

  // Runs `function(Room&)` on the game thread. From one thread the order is kept.
  template <typename Function>
  void post(Function function) {
    boost::asio::post(io_, [this, function = std::move(function)]() mutable { function(room_); });
  }

 private:
  void wait();
  void on_tick();

  boost::asio::io_context io_{1};
  Log& log_;
  Room room_;
  const std::chrono::milliseconds tick_;
  boost::asio::steady_timer timer_;
  std::chrono::steady_clock::time_point next_;
  std::thread thread_;
};

}  // namespace libsync::server
