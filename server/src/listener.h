// listener.h: accepts connections for one shard. Each shard has its own socket on the same port (SO_REUSEPORT), and the
// kernel spreads the connections.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>

#include "any_stream.h"

namespace libsync::server {

class Shard;

class Listener {
 public:
  // Binds and listens. Throws boost::system::system_error.
  Listener(Shard& shard, const asio::ip::tcp::endpoint& endpoint);

  void start() { accept(); }
  void close();
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

 private:
  void accept();

  Shard& shard_;
  asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_;
  asio::steady_timer pause_;
};

// Throws boost::system::system_error(address_in_use) if somebody listens there already: with SO_REUSEPORT a second
// server of the same user would share the port without a word.
void check_port_is_free(const asio::ip::tcp::endpoint& endpoint);

}  // namespace libsync::server
