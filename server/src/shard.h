// shard.h: one thread with its connections. Nothing here is locked; other threads post.
//
// A shard is also the home of some users, see home.h.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "admission.h"
#include "any_stream.h"
#include "auth.h"
#include "config.h"
#include "home.h"
#include "libsync/broadcaster.h"
#include "libsync/limits.h"
#include "libsync/server_session.h"
#include "log.h"
#include "messages.h"
#include "page.h"
#include "room_thread.h"
#include "stats.h"

namespace libsync::server {

class Connection;
class HttpSession;
class Listener;
class Shard;

// What every part of the server may use. Outlives them all; constant once the threads run.
struct ServerContext {
  const Config& config;
  const Limits& limits;
  const AuthConfig& auth;
  const Page& page;
  Log& log;
  Admission& admission;
  RoomThread& room;
  std::vector<std::unique_ptr<Shard>>& shards;
  std::uint64_t schema_fingerprint = 0;
  // Collects from all threads; `done` runs on the shard that asked.
  std::function<void(Shard& asking, std::function<void(ServerStats)> done)> gather_stats;

  Shard& home_of(std::string_view user) const { return *shards[std::hash<std::string_view>{}(user) % shards.size()]; }
};

class Shard final : public Home::Ports {
 public:
  Shard(std::uint32_t index, const ServerContext& context);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // Listens on the address. Throws boost::system::system_error: the server is starting. The port that was bound.
  std::uint16_t listen(const asio::ip::tcp::endpoint& endpoint);
  // Runs until stop(). The shard's own thread.
  void run();

  // --- From any thread.
  void stop() { io_.stop(); }
  template <typename Function>
  void post(Function function) {
    asio::post(io_, std::move(function));
  }

  // --- On the shard's thread.
  const ServerContext& context() const { return context_; }
  std::uint32_t index() const { return index_; }
  asio::io_context& io() { return io_; }
  Broadcaster& broadcaster() { return broadcaster_; }
  // Numbers that are unique in the process, for logs and messages.
  std::uint64_t next_id() { return ++last_id_ * context_.shards.size() + index_; }

  void accepted(TcpSocket socket);
  // `refused`: it was over a cap.
  void remove_http(std::uint64_t id, bool refused);
  void open_connection(std::uint64_t id, AnyStream stream, HttpRequest request, Identity identity, std::string peer,
                       Admission::Ticket ticket, TimePoint deadline);
  void remove_connection(std::uint64_t id, const SessionStats* stats);

  // What the room says.
  void deliver(std::vector<RoomMessage> messages);

  // --- As a home.
  Home& home() { return home_; }
  void home_open(const SessionRequest& request);
  void home_close(const InstanceKey& key, ConnectionNumber connection, bool for_good);
  void grant(ConnectionRef to, const Result<SessionGrant>& grant) override;
  void end_connection(ConnectionRef connection, ErrorCode why) override;
  void join(const std::string& user) override;
  void leave(const std::string& user) override;

  void stop_listening();
  // Stops accepting and tells everybody to come back later; `drained` runs once when the last connection has gone.
  void drain(std::function<void()> drained);
  bool is_draining() const { return drained_ != nullptr; }
  // How long a client that is sent away should wait: spread over the reconnect window.
  Duration random_retry() const;

  ShardStats stats() const;
  // Users with sessions whose home this is.
  std::size_t user_count() const { return home_.user_count(); }

 private:
  void pump_ready();
  void arm_home();
  // Runs `function(Connection&)` on its shard, if it is still there.
  template <typename Function>
  void post_to(ConnectionRef to, Function function);
  void check_drained();

  const std::uint32_t index_;
  const ServerContext& context_;
  asio::io_context io_{1};
  Broadcaster broadcaster_;
  std::unique_ptr<Listener> listener_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<HttpSession>> http_;
  std::unordered_map<std::uint64_t, std::shared_ptr<Connection>> connections_;
  Home home_;
  asio::steady_timer home_timer_;
  TimePoint home_armed_at_ = TimePoint::max();
  std::size_t refusals_ = 0;  // connections kept only to be told 503
  std::function<void()> drained_;
  bool told_drained_ = false;
  ShardStats ended_;  // what sessions that ended had sent
};

}  // namespace libsync::server
