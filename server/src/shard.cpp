#include "shard.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "clock.h"
#include "connection.h"
#include "http_session.h"
#include "listener.h"
#include "random.h"

namespace libsync::server {
namespace {

// What the kernel buffers for a peer that does not read; state waits in no other place.
constexpr int kSendBufferBytes = 64 << 10;
// Connections over a cap that are still told so; beyond it they are just closed.
constexpr std::size_t kMaxRefusals = 64;

std::string to_text(const asio::ip::tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

}  // namespace

Shard::Shard(std::uint32_t index, const ServerContext& context)
    : index_(index),
      context_(context),
      broadcaster_(context.limits),
      home_(context.limits, *this, context.config.shards),
      home_timer_(io_) {}

Shard::~Shard() {
  // Handlers that never ran hold connections until io_ goes, which is after the broadcaster.
  for (const auto& [id, connection] : std::exchange(connections_, {})) connection->abandon();
  for (const auto& [id, session] : std::exchange(http_, {})) session->abandon();
}

std::uint16_t Shard::listen(const asio::ip::tcp::endpoint& endpoint) {
  listener_ = std::make_unique<Listener>(*this, endpoint);
  listener_->start();
  return listener_->port();
}

void Shard::run() {
  const auto work = asio::make_work_guard(io_);
  io_.run();
}

// --- Connections -------------------------------------------------------------------------------------------

void Shard::accepted(TcpSocket socket) {
  error_code error;
  const asio::ip::tcp::endpoint peer = socket.remote_endpoint(error);
  if (error || is_draining()) return;
  socket.set_option(asio::ip::tcp::no_delay(true), error);
  socket.set_option(asio::socket_base::send_buffer_size(kSendBufferBytes), error);
  std::optional<Admission::Ticket> ticket = context_.admission.admit(peer.address(), steady_now());
  const std::uint64_t id = next_id();
  if (!ticket) {
    context_.log.write(LogLevel::kError, LogLine{.connection = id,
                                                 .user = {},
                                                 .peer = to_text(peer),
                                                 .code = ErrorCode::kRateLimited,
                                                 .detail = "over a cap of connections"});
    if (refusals_ >= kMaxRefusals) return;
    ++refusals_;
  }
  auto session = std::make_shared<HttpSession>(*this, id, AnyStream(make_plain_stream(std::move(socket))),
                                               to_text(peer), std::move(ticket));
  http_[id] = session;
  session->start();
}

void Shard::remove_http(std::uint64_t id, bool refused) {
  http_.erase(id);
  if (refused) --refusals_;
  check_drained();
}

void Shard::open_connection(std::uint64_t id, AnyStream stream, HttpRequest request, Identity identity,
                            std::string peer, Admission::Ticket ticket, TimePoint deadline) {
  auto connection = std::make_shared<Connection>(*this, id, std::move(stream), std::move(identity), std::move(peer),
                                                 std::move(ticket));
  connections_[id] = connection;
  connection->start(std::move(request), deadline);
}

void Shard::remove_connection(std::uint64_t id, const SessionStats* stats) {
  if (stats != nullptr) {
    ended_.updates_sent += stats->updates_sent;
    ended_.state_bytes_sent += stats->state_bytes_sent;
  }
  connections_.erase(id);
  check_drained();
}

// --- From the room -----------------------------------------------------------------------------------------

void Shard::deliver(std::vector<RoomMessage> messages) {
  // Pumped once at the end, so that a result and the state that shows it leave in one send.
  std::vector<std::shared_ptr<Connection>> touched;
  for (RoomMessage& message : messages) {
    std::visit(
        [&](auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, TopicUpdate>) {
            broadcaster_.publish(value);
          } else if constexpr (std::is_same_v<T, TopicRemoved>) {
            if (broadcaster_.has(value.topic)) broadcaster_.remove(value.topic, value.code);
          } else {
            const auto found = connections_.find(value.connection);
            if (found != connections_.end()) {
              touched.push_back(found->second);
              found->second->answer(std::move(value));
            } else if constexpr (std::is_same_v<T, SubscriptionAnswer>) {
              // The connection ended while the room said yes.
              if (value.topic) {
                context_.room.post([topic = *value.topic, shard = index_](Room& room) { room.release(shard, topic); });
              }
            }
          }
        },
        message);
  }
  pump_ready();
  for (const auto& connection : touched) connection->pump();
}

void Shard::pump_ready() {
  while (ServerSession* session = broadcaster_.next_ready()) static_cast<Connection*>(session->owner())->pump();
}

// --- As a home ---------------------------------------------------------------------------------------------

void Shard::home_open(const SessionRequest& request) {
  home_.open(steady_now(), request);
  arm_home();
}

void Shard::home_close(const InstanceKey& key, ConnectionNumber connection, bool for_good) {
  home_.close(steady_now(), key, connection, for_good);
  arm_home();
}

// Sessions linger equally long, so the first to end is the first that was closed: the timer never has to be set
// earlier.
void Shard::arm_home() {
  if (home_armed_at_ != TimePoint::max() || home_.next_deadline() == TimePoint::max()) return;
  home_armed_at_ = home_.next_deadline();
  home_timer_.expires_at(to_steady(home_armed_at_));
  home_timer_.async_wait([this](const error_code& error) {
    if (error) return;
    home_armed_at_ = TimePoint::max();
    home_.handle_timeout(steady_now());
    arm_home();
  });
}

template <typename Function>
void Shard::post_to(ConnectionRef to, Function function) {
  Shard& shard = *context_.shards[to.shard];
  shard.post([&shard, id = to.connection, function = std::move(function)] {
    const auto found = shard.connections_.find(id);
    // A connection that is gone has told its home, which hears of it after this.
    if (found != shard.connections_.end()) function(*std::shared_ptr(found->second));
  });
}

void Shard::grant(ConnectionRef to, const Result<SessionGrant>& grant) {
  post_to(to, [grant](Connection& connection) { connection.granted(grant); });
}

void Shard::end_connection(ConnectionRef connection, ErrorCode why) {
  post_to(connection, [why](Connection& replaced) { replaced.end_session(why); });
}

void Shard::join(const std::string& user) {
  context_.room.post([user](Room& room) { room.join(user); });
}

void Shard::leave(const std::string& user) {
  context_.room.post([user](Room& room) { room.leave(user); });
}

// --- Ending ------------------------------------------------------------------------------------------------

Duration Shard::random_retry() const {
  return Duration(static_cast<Duration::rep>(random_u64() %
                                             static_cast<std::uint64_t>(context_.limits.reconnect_window.count() + 1)));
}

void Shard::stop_listening() {
  if (listener_) listener_->close();
}

void Shard::drain(std::function<void()> drained) {
  drained_ = std::move(drained);
  stop_listening();
  // Copies: ending one changes the table.
  for (const auto& [id, session] : std::unordered_map(http_)) session->shut_down();
  for (const auto& [id, connection] : std::unordered_map(connections_)) connection->shut_down(random_retry());
  check_drained();
}

void Shard::check_drained() {
  if (!drained_ || told_drained_ || !connections_.empty() || !http_.empty()) return;
  told_drained_ = true;
  drained_();
}

ShardStats Shard::stats() const {
  ShardStats stats = ended_;
  stats.connections = connections_.size();
  stats.http = http_.size();
  stats.timers = http_.size();
  stats.history_bytes = broadcaster_.history_bytes();
  stats.patches_encoded = broadcaster_.stats().patches_encoded;
  stats.fulls_encoded = broadcaster_.stats().fulls_encoded;
  stats.chunk_diffs_encoded = broadcaster_.stats().chunk_diffs_encoded;
  stats.cache_hits = broadcaster_.stats().cache_hits;
  for (const auto& [id, connection] : connections_) {
    if (connection->has_timer()) ++stats.timers;
    const SessionStats* session = connection->stats();
    if (session == nullptr) continue;
    ++stats.sessions;
    stats.updates_sent += session->updates_sent;
    stats.state_bytes_sent += session->state_bytes_sent;
  }
  return stats;
}

}  // namespace libsync::server
