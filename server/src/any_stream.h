// any_stream.h: a byte stream whose kind is chosen at run time, below HTTP and WebSocket.
//
// Beast's templates are instantiated over this one type instead of once for TCP and once for TLS: the compiler needs
// a third of the time and memory, the program is a third of the size and no slower.
#pragma once

#include <array>
#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace libsync::server {

namespace asio = boost::asio;
using boost::system::error_code;

// A shard's own executor, not any_io_executor: every connection lives and dies on one io_context.
using Executor = asio::io_context::executor_type;
using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

// Up to 16 buffers by value, as far as a virtual function can take a buffer sequence. Of a longer sequence the rest
// is left for the next call, as any short read or write.
template <typename Buffer>
class BufferList {
 public:
  static constexpr std::size_t kMaxBuffers = 16;

  BufferList() = default;
  template <typename Sequence>
  explicit BufferList(const Sequence& sequence) {
    const auto end = asio::buffer_sequence_end(sequence);
    for (auto at = asio::buffer_sequence_begin(sequence); at != end && size_ < kMaxBuffers; ++at) {
      const Buffer buffer(*at);
      if (buffer.size() > 0) buffers_[size_++] = buffer;
    }
  }
  const Buffer* begin() const { return buffers_.data(); }
  const Buffer* end() const { return buffers_.data() + size_; }

 private:
  std::array<Buffer, kMaxBuffers> buffers_;
  std::size_t size_ = 0;
};
using ReadBuffers = BufferList<asio::mutable_buffer>;
using WriteBuffers = BufferList<asio::const_buffer>;

using IoHandler = asio::any_completion_handler<void(error_code, std::size_t)>;

class StreamBase {
 public:
  StreamBase() = default;
  virtual ~StreamBase() = default;
  StreamBase(const StreamBase&) = delete;
  StreamBase& operator=(const StreamBase&) = delete;

  virtual Executor executor() = 0;
  virtual void async_read_some(ReadBuffers buffers, IoHandler handler) = 0;
  virtual void async_write_some(WriteBuffers buffers, IoHandler handler) = 0;
  // Writes what can be written without waiting. Errors: would_block if that is nothing.
  virtual std::size_t write_now(WriteBuffers buffers, error_code& error) = 0;
  // Ends our direction; the peer sees the end of the stream.
  virtual void shutdown_send() = 0;
  // Ends both at once. What is under way fails.
  virtual void close() = 0;
};

// Requires, for the constructor: `socket` is connected.
std::unique_ptr<StreamBase> make_plain_stream(TcpSocket socket);

// What Asio and Beast call an AsyncStream.
class AnyStream {
 public:
  using executor_type = Executor;

  explicit AnyStream(std::unique_ptr<StreamBase> base) : base_(std::move(base)) {}

  executor_type get_executor() const noexcept { return base_->executor(); }
  StreamBase& base() { return *base_; }

  // The handler that Beast passes becomes an any_completion_handler here and not earlier: in Boost 1.81 that type's
  // executor lacks a property that Beast asks for.
  template <typename Buffers, typename Token>
  auto async_read_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [](auto handler, StreamBase* base, ReadBuffers list) {
          base->async_read_some(list, IoHandler(std::move(handler)));
        },
        token, base_.get(), ReadBuffers(buffers));
  }
  template <typename Buffers, typename Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(error_code, std::size_t)>(
        [](auto handler, StreamBase* base, WriteBuffers list) {
          base->async_write_some(list, IoHandler(std::move(handler)));
        },
        token, base_.get(), WriteBuffers(buffers));
  }

 private:
  std::unique_ptr<StreamBase> base_;
};

}  // namespace libsync::server
