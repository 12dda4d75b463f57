#include "room_thread.h"

#include <pthread.h>

#include "random.h"

namespace libsync::server {
namespace {

// A delay of up to so many ticks is made up for; beyond it (a suspended process) the missed ticks are left out.
constexpr int kMaxLateTicks = 5;

}  // namespace

RoomThread::RoomThread(Game& game, Store& store, const Limits& limits, Log& log, const RoomConfig& config,
                       std::chrono::milliseconds tick, Room::Deliver deliver)
    : log_(log),
      room_(game, store, limits, log, config, std::move(deliver), random_u64,
            [this](std::function<void()> function) { boost::asio::post(io_, std::move(function)); }),
      tick_(tick),
      timer_(io_) {}

void RoomThread::start() {
  next_ = std::chrono::steady_clock::now() + tick_;
  wait();
  thread_ = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "game");
    const auto work = boost::asio::make_work_guard(io_);
    io_.run();
  });
}

void RoomThread::stop() {
  io_.stop();
  if (thread_.joinable()) thread_.join();
}

// The schedule is absolute: a late tick does not move the next one.
void RoomThread::wait() {
  timer_.expires_at(next_);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) on_tick();
  });
}

void RoomThread::on_tick() {
  const auto late = std::chrono::steady_clock::now() - next_;
  if (late > kMaxLateTicks * tick_) {
    const auto skipped = late / tick_;
    next_ += skipped * tick_;
    room_.count_skipped(static_cast<std::uint64_t>(skipped));
    log_.warn("the game was late: " + std::to_string(skipped) + " ticks left out");
  }
  room_.tick();
  next_ += tick_;
  wait();
}

}  // namespace libsync::server
