#include <boost/asio/error.hpp>

#include "any_stream.h"

namespace libsync::server {
namespace {

class PlainStream : public StreamBase {
 public:
  explicit PlainStream(TcpSocket socket) : socket_(std::move(socket)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
  }

  Executor executor() override { return socket_.get_executor(); }

  void async_read_some(ReadBuffers buffers, IoHandler handler) override {
    socket_.async_read_some(buffers, std::move(handler));
  }

  void async_write_some(WriteBuffers buffers, IoHandler handler) override {
    socket_.async_write_some(buffers, std::move(handler));
  }

  std::size_t write_now(WriteBuffers buffers, error_code& error) override { return socket_.write_some(buffers, error); }

  void shutdown_send() override {
    error_code ignored;
    socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  }

  void close() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  TcpSocket socket_;
};

}  // namespace

std::unique_ptr<StreamBase> make_plain_stream(TcpSocket socket) {
  return std::make_unique<PlainStream>(std::move(socket));
}

}  // namespace libsync::server
