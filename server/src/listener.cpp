#include "listener.h"

#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <chrono>
#include <memory>

#include "shard.h"

namespace libsync::server {
namespace {

using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
using tcp = asio::ip::tcp;

}  // namespace

Listener::Listener(Shard& shard, const tcp::endpoint& endpoint)
    : shard_(shard), acceptor_(shard.io().get_executor()), pause_(shard.io()) {
  acceptor_.open(endpoint.protocol());
  acceptor_.set_option(asio::socket_base::reuse_address(true));
  acceptor_.set_option(ReusePort(true));
  acceptor_.bind(endpoint);
  acceptor_.listen();
}

void Listener::close() {
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
}

void Listener::accept() {
  // In a pointer, because it has to stay where it is while Asio fills it.
  auto socket = std::make_unique<TcpSocket>(shard_.io().get_executor());
  TcpSocket& peer = *socket;
  acceptor_.async_accept(peer, [this, socket = std::move(socket)](error_code error) {
    if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
    if (!error) {
      shard_.accepted(std::move(*socket));
      return accept();
    }
    if (error != asio::error::no_descriptors && error != asio::error::no_memory &&
        error != asio::error::no_buffer_space && error.value() != ENFILE) {
      return accept();  // a connection that ended before it was accepted
    }
    // Those who are connected go on; new ones wait in the kernel's queue.
    shard_.context().log.error("cannot accept: " + error.message());
    pause_.expires_after(std::chrono::milliseconds(200));
    pause_.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  });
}

void check_port_is_free(const tcp::endpoint& endpoint) {
  if (endpoint.port() == 0) return;
  asio::io_context io;
  tcp::acceptor probe(io);
  probe.open(endpoint.protocol());
  probe.set_option(asio::socket_base::reuse_address(true));  // not hindered by what is in TIME_WAIT
  probe.bind(endpoint);
  probe.listen();
}

}  // namespace libsync::server
