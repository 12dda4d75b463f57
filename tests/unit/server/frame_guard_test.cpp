#include "frame_guard.h"

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <string_view>

#include "clock.h"

namespace libsync::server {
namespace {

constexpr TimePoint kStart = TimePoint(std::chrono::seconds(100));

// A masked frame from a client.
std::string frame(std::uint8_t first, std::size_t size) {
  std::string out(1, static_cast<char>(first));
  if (size < 126) {
    out += static_cast<char>(0x80 | size);
  } else {
    const std::size_t n_bytes = size <= 0xffff ? 2 : 8;
    out += static_cast<char>(n_bytes == 2 ? 0xfe : 0xff);
    for (std::size_t i = n_bytes; i-- > 0;) out += static_cast<char>(size >> (8 * i));
  }
  out += "mask";
  return out + std::string(size, 'x');
}

BytesView view(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

TEST_CASE("FrameGuard: lets ordinary messages pass, in pieces of any size") {
  std::string stream;
  for (const std::size_t size : {0u, 1u, 125u, 126u, 65535u, 65536u}) stream += frame(0x82, size);
  stream += frame(0x02, 1) + frame(0x00, 0) + frame(0x89, 5) + frame(0x80, 7);
  for (const std::size_t piece : {1u, 2u, 3u, 7u, 1000u, 1u << 20}) {
    FrameGuard guard({}, kStart);
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      REQUIRE(guard.feed(kStart, view(std::string_view(stream).substr(at, piece))) == FrameVerdict::kFine);
    }
    CHECK_FALSE(guard.incomplete_since().has_value());
  }
}

TEST_CASE("FrameGuard: refuses frame 65 of a message, and counts anew for the next") {
  FrameGuard guard({}, kStart);
  for (int round = 0; round < 2; ++round) {
    std::string message = frame(0x02, 1);
    for (int i = 0; i < 62; ++i) message += frame(0x00, 0);
    message += frame(0x80, 1);
    CHECK(guard.feed(kStart, view(message)) == FrameVerdict::kFine);
  }
  std::string endless = frame(0x02, 0);
  for (int i = 0; i < 63; ++i) endless += frame(0x00, 0);
  CHECK(guard.feed(kStart, view(endless)) == FrameVerdict::kFine);
  CHECK(guard.feed(kStart, view(frame(0x00, 0))) == FrameVerdict::kTooManyFrames);
}

TEST_CASE("FrameGuard: refuses a message above the limit by its header alone") {
  for (const std::size_t size : {(64u << 10) + 1, 1u << 30}) {
    FrameGuard guard({}, kStart);
    CHECK(guard.feed(kStart, view(frame(0x82, 0).substr(0, 1))) == FrameVerdict::kFine);
    std::string header = "\xff";
    for (int i = 7; i >= 0; --i) header += static_cast<char>(size >> (8 * i));
    CHECK(guard.feed(kStart, view(header)) == FrameVerdict::kFine);
    CHECK(guard.feed(kStart, view("mask")) == FrameVerdict::kMessageTooBig);
  }
  // 2^63 and 2^64 - 1, where a sum would wrap.
  for (const char top : {'\x80', '\xff'}) {
    FrameGuard guard({}, kStart);
    const std::string huge = std::string("\x02\x81mask-\x00\xff", 9) + std::string(8, top) + "mask";
    CHECK(guard.feed(kStart, view(huge)) == FrameVerdict::kMessageTooBig);
  }
}

TEST_CASE("FrameGuard: adds up the fragments of a message") {
  FrameGuard guard({}, kStart);
  CHECK(guard.feed(kStart, view(frame(0x02, 40'000))) == FrameVerdict::kFine);
  CHECK(guard.feed(kStart, view(frame(0x00, 25'536))) == FrameVerdict::kFine);
  CHECK(guard.feed(kStart, view(frame(0x80, 1))) == FrameVerdict::kMessageTooBig);
}

TEST_CASE("FrameGuard: lets a burst of control frames pass, then one a second") {
  FrameGuard guard({}, kStart);
  for (int i = 0; i < 10; ++i) CHECK(guard.feed(kStart, view(frame(0x89, 4))) == FrameVerdict::kFine);
  CHECK(guard.feed(kStart + std::chrono::seconds(1), view(frame(0x89, 4))) == FrameVerdict::kFine);
  CHECK(guard.feed(kStart + std::chrono::seconds(1), view(frame(0x8a, 0))) == FrameVerdict::kTooManyControlFrames);
}

TEST_CASE("FrameGuard: says since when a message is incomplete") {
  FrameGuard guard({}, kStart);
  CHECK_FALSE(guard.incomplete_since());
  CHECK(guard.feed(kStart, view(frame(0x02, 3))) == FrameVerdict::kFine);
  CHECK(guard.incomplete_since() == kStart);
  CHECK(guard.feed(kStart + std::chrono::seconds(5), view(frame(0x89, 0))) == FrameVerdict::kFine);
  CHECK(guard.incomplete_since() == kStart);
  CHECK(guard.feed(kStart + std::chrono::seconds(6), view(frame(0x80, 3))) == FrameVerdict::kFine);
  CHECK_FALSE(guard.incomplete_since());
}

}  // namespace libsync::server
