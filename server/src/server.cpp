#include "server.h"

#include <pthread.h>

#include <boost/asio/ip/address.hpp>
#include <optional>
#include <string>
#include <utility>

#include "libsync/fingerprint.h"
#include "listener.h"

namespace libsync::server {
namespace {

// Saying goodbye takes at most the 2 s of a close; this is a little more.
constexpr std::chrono::milliseconds kStopTimeout{2600};
// In which the last versions reach the clients: one and a half intervals of updates, so that no rate holds them back.
constexpr std::chrono::milliseconds kSettleTime{150};

RoomConfig make_room_config(const Config& config) {
  RoomConfig room;
  room.n_shards = config.shards;
  room.ticks_between_saves = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(config.save_interval) / config.tick);
  return room;
}

AdmissionLimits make_admission_limits(const Config& config) {
  return {config.max_connections, config.max_connections_per_address, config.handshakes_per_second};
}

}  // namespace

Server::Server(const Config& config, const Limits& limits, const AuthConfig& auth, const Page& page, Log& log,
               Game& game, Store& store)
    : config_(config),
      log_(log),
      admission_(make_admission_limits(config)),
      room_(game, store, limits, log, make_room_config(config), config.tick,
            [this](std::uint32_t shard, std::vector<RoomMessage> messages) {
              Shard& to = *shards_[shard];
              to.post([&to, messages = std::move(messages)]() mutable { to.deliver(std::move(messages)); });
            }),
      context_{config,
               limits,
               auth,
               page,
               log,
               admission_,
               room_,
               shards_,
               xxh3_64(game.schema()),
               [this](Shard& asking, std::function<void(ServerStats)> done) { gather(asking, std::move(done)); }} {
  for (std::uint32_t i = 0; i < config.shards; ++i) shards_.push_back(std::make_unique<Shard>(i, context_));
}

Server::~Server() {
  join_threads();
  shards_.clear();  // before the room, to which connections that are left would post
}

Result<std::uint16_t> Server::open() {
  asio::ip::tcp::endpoint endpoint(asio::ip::make_address(config_.bind), config_.port);
  check_port_is_free(endpoint);
  for (const auto& shard : shards_) endpoint.port(shard->listen(endpoint));
  Result<bool> loaded = room_.room().start();
  if (!loaded) return loaded.error();
  return endpoint.port();
}

void Server::start() {
  room_.start();
  for (const auto& shard : shards_) {
    threads_.emplace_back([&shard = *shard] {
      ::pthread_setname_np(::pthread_self(), ("shard" + std::to_string(shard.index())).c_str());
      shard.run();
    });
  }
}

void Server::stop(asio::io_context& io, std::function<void(bool)> stopped) {
  struct Progress {
    Progress(asio::io_context& context, std::size_t n) : timer(context), settle(context), n_draining(n) {}
    asio::steady_timer timer;
    asio::steady_timer settle;
    std::size_t n_draining;
    std::optional<bool> saved;
    bool ended = false;
  };
  auto progress = std::make_shared<Progress>(io, shards_.size());
  const auto check = [this, progress, stopped](bool out_of_time) {
    const bool done = progress->n_draining == 0 && progress->saved;
    if (progress->ended || !(done || out_of_time)) return;
    progress->ended = true;
    progress->timer.cancel();
    progress->settle.cancel();
    if (!done) log_.warn("stopping although not everything ended in time");
    join_threads();
    stopped(progress->saved.value_or(false));
  };
  const auto drain = [this, &io, progress, check] {
    for (const auto& shard : shards_) {
      shard->post([&shard = *shard, &io, progress, check] {
        shard.drain([&io, progress, check] {
          asio::post(io, [progress, check] {
            --progress->n_draining;
            check(false);
          });
        });
      });
    }
  };
  for (const auto& shard : shards_) shard->post([&shard = *shard] { shard.stop_listening(); });
  // The game stands still first, and only then is everybody sent away: whoever keeps up holds the versions that are
  // saved, and after the restart pays for the difference only.
  room_.post([&io, progress, check, drain](Room& room) {
    room.stop([&io, progress, check](bool saved) {
      asio::post(io, [progress, check, saved] {
        progress->saved = saved;
        check(false);
      });
    });
    asio::post(io, [progress, drain] {
      progress->settle.expires_after(kSettleTime);
      progress->settle.async_wait([drain](const error_code& error) {
        if (!error) drain();
      });
    });
  });
  progress->timer.expires_after(kStopTimeout);
  progress->timer.async_wait([check](const error_code& error) {
    if (!error) check(true);
  });
}

void Server::join_threads() {
  for (const auto& shard : shards_) shard->stop();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  room_.stop();
}

// From shard to shard, twice, then to the room, then back: each adds what it knows, and nobody looks into another's
// tables. Users are counted in the second round: when a connection is seen to be gone in the first one, its message to
// the user's home is ahead of ours.
void Server::gather(Shard& asking, std::function<void(ServerStats)> done) {
  struct Question {
    ServerStats stats;
    std::function<void(ServerStats)> done;
    Shard* asking = nullptr;
    std::size_t step = 0;
  };
  struct Step {
    Server& server;
    std::shared_ptr<Question> question;
    void operator()() const {
      const std::size_t n_shards = server.shards_.size();
      const std::size_t step = question->step++;
      ServerStats& stats = question->stats;
      if (step < n_shards) {
        stats.shards += server.shards_[step]->stats();
      } else {
        stats.users += server.shards_[step - n_shards]->user_count();
      }
      if (question->step < 2 * n_shards) return server.shards_[question->step % n_shards]->post(*this);
      server.room_.post([question = question, &admission = server.admission_](Room& room) {
        question->stats.room = room.take_stats();
        question->stats.admitted = admission.connections();
        question->asking->post([question] { question->done(std::move(question->stats)); });
      });
    }
  };
  auto question = std::make_shared<Question>();
  question->done = std::move(done);
  question->asking = &asking;
  shards_.front()->post(Step{*this, std::move(question)});
}

}  // namespace libsync::server
