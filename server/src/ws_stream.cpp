#include "ws_stream.h"

#include <array>
#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/version.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <cstring>
#include <string_view>

#include "config.h"
#include "ws_layer.h"

namespace libsync::server {

namespace beast = boost::beast;
namespace websocket = beast::websocket;

namespace {

constexpr Duration kWriteTimeout = std::chrono::seconds(10);
constexpr Duration kMessageTimeout = std::chrono::seconds(10);
constexpr std::size_t kMaxReasonBytes = 123;  // RFC 6455 section 5.5

constexpr std::uint8_t kFinText = 0x81;
constexpr std::uint8_t kFinBinary = 0x82;
constexpr std::uint8_t kFinClose = 0x88;

// Header of a frame from the server: never masked, never fragmented. RFC 6455 section 5.2.
std::size_t write_header(std::uint8_t first, std::uint64_t size, std::uint8_t* out) {
  out[0] = first;
  if (size < 126) {
    out[1] = static_cast<std::uint8_t>(size);
    return 2;
  }
  const std::size_t n_bytes = size <= 0xffff ? 2 : 8;
  out[1] = n_bytes == 2 ? 126 : 127;
  for (std::size_t i = 0; i < n_bytes; ++i) {
    out[2 + i] = static_cast<std::uint8_t>(size >> (8 * (n_bytes - 1 - i)));
  }
  return 2 + n_bytes;
}

}  // namespace

struct WsStream::Impl {
  Impl(AnyStream stream, const FrameLimits& limits)
      : ws(std::move(stream), limits), max_message_bytes(limits.max_message_bytes) {}

  websocket::stream<WsLayer, false> ws;  // false: no permessage-deflate, not even as code
  std::size_t max_message_bytes;
  beast::flat_buffer buffer;
  HttpRequest request;
  std::weak_ptr<Observer> observer;

  // What the front job is made of.
  std::vector<OutMessage> sending;
  std::vector<std::array<std::uint8_t, 10>> headers;
  std::string close_frame;

  void read() {
    ws.async_read(buffer, [this, keep = observer.lock()](error_code error, std::size_t) {
      if (error) return keep->on_read_end(error);
      const auto data = buffer.cdata();
      keep->on_message(ws.got_text(), BytesView(static_cast<const std::byte*>(data.data()), data.size()));
      buffer.consume(buffer.size());
      // Memory that a large message took is not kept for the small ones that are usual.
      if (buffer.capacity() > 4096) buffer.shrink_to_fit();
      read();
    });
  }
};

WsStream::WsStream(AnyStream stream, const FrameLimits& limits)
    : impl_(std::make_unique<Impl>(std::move(stream), limits)) {}
WsStream::~WsStream() = default;

void WsStream::accept(HttpRequest request, const std::string& subprotocol, const std::shared_ptr<Observer>& observer) {
  Impl& impl = *impl_;
  impl.observer = observer;
  impl.request = std::move(request);
  impl.ws.set_option(websocket::stream_base::timeout{std::chrono::seconds(5), websocket::stream_base::none(), false});
  impl.ws.set_option(websocket::stream_base::decorator([subprotocol](websocket::response_type& response) {
    response.set(beast::http::field::server, kServerName);
    if (!subprotocol.empty()) response.set(beast::http::field::sec_websocket_protocol, subprotocol);
  }));
  impl.ws.auto_fragment(false);
  impl.ws.read_message_max(impl.max_message_bytes);
  impl.ws.async_accept(impl.request, [&impl, observer](error_code error) {
    impl.request = {};
    if (!error) {
      impl.ws.next_layer().begin_frames([&impl](FrameVerdict verdict) {
        if (const auto alive = impl.observer.lock()) alive->on_violation(verdict);
      });
      impl.ws.next_layer().on_teardown = [&impl] {
        if (const auto alive = impl.observer.lock()) alive->on_teardown();
      };
    }
    observer->on_accepted(error);
  });
}

void WsStream::start_reading() { impl_->read(); }

bool WsStream::send(std::vector<OutMessage> messages) {
  Impl& impl = *impl_;
  impl.sending = std::move(messages);
  impl.headers.resize(impl.sending.size());
  std::vector<asio::const_buffer> buffers;
  buffers.reserve(2 * impl.sending.size());
  for (std::size_t i = 0; i < impl.sending.size(); ++i) {
    const OutMessage& message = impl.sending[i];
    std::uint8_t* header = impl.headers[i].data();
    const std::size_t header_bytes = write_header(message.text ? kFinText : kFinBinary, message.bytes->size(), header);
    buffers.emplace_back(header, header_bytes);
    buffers.emplace_back(message.bytes->data(), message.bytes->size());
  }
  auto keep = impl.observer.lock();
  const bool gone = impl.ws.next_layer().write(std::move(buffers), [&impl, keep](error_code error, std::size_t) {
    impl.sending.clear();
    keep->on_sent(error);
  });
  if (gone) {
    impl.sending.clear();
  } else if (keep) {
    keep->on_waiting();
  }
  return gone;
}

void WsStream::close(CloseCode code, const std::string& reason) {
  Impl& impl = *impl_;
  // Not cut within a UTF-8 sequence: the peer would have to refuse the frame.
  std::size_t reason_bytes = std::min(reason.size(), kMaxReasonBytes);
  while (reason_bytes < reason.size() && reason_bytes > 0 && (reason[reason_bytes] & 0xc0) == 0x80) --reason_bytes;
  std::array<std::uint8_t, 10> header{};
  const std::size_t header_bytes = write_header(kFinClose, 2 + reason_bytes, header.data());
  const auto number = static_cast<std::uint16_t>(code);
  impl.close_frame.assign(reinterpret_cast<const char*>(header.data()), header_bytes);
  impl.close_frame += static_cast<char>(number >> 8);
  impl.close_frame += static_cast<char>(number & 0xff);
  impl.close_frame.append(reason, 0, reason_bytes);
  impl.ws.next_layer().write_last({asio::buffer(impl.close_frame)},
                                  [keep = impl.observer.lock()](error_code, std::size_t) {});
}

void WsStream::abort() { impl_->ws.next_layer().base().close(); }

bool WsStream::is_sending() const { return !impl_->sending.empty(); }

TimePoint WsStream::write_deadline() const {
  const std::optional<TimePoint> since = impl_->ws.next_layer().writing_since();
  return since ? *since + kWriteTimeout : TimePoint::max();
}

TimePoint WsStream::message_deadline() const {
  const std::optional<TimePoint> since = impl_->ws.next_layer().incomplete_since();
  return since ? *since + kMessageTimeout : TimePoint::max();
}

bool is_ordinary_end(error_code error) {
  return error == websocket::error::closed || error == asio::error::eof || error == asio::error::connection_reset ||
         error == asio::error::broken_pipe || error == asio::error::operation_aborted ||
         error == asio::error::connection_aborted || error == asio::error::timed_out;
}

}  // namespace libsync::server
