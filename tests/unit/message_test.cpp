#include "libsync/message.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "libsync/frame.h"
#include "unit/support.h"

namespace libsync {
namespace {

protocol::SubscribeT subscribe_to(std::size_t topics) {
  protocol::SubscribeT subscribe;
  for (std::size_t i = 0; i < topics; ++i) {
    auto request = std::make_unique<protocol::TopicRequestT>();
    request->name = "topic/" + std::to_string(i);
    request->have = std::make_unique<protocol::PositionT>();
    request->have->version = i;
    subscribe.topics.push_back(std::move(request));
  }
  return subscribe;
}

ErrorCode error_of(BytesView message, const Limits& limits = {}) {
  const auto decoded = decode_message(message, limits);
  return decoded ? ErrorCode::kNone : decoded.error().code;
}

}  // namespace

TEST_CASE("decode_message: gives back what encode_message took") {
  const SharedBytes bytes = encode_message(Sequence{7}, subscribe_to(3));
  CHECK(message_kind(*bytes) == MessageKind::kControl);
  const auto decoded = decode_message(*bytes, Limits{});
  REQUIRE(decoded.has_value());
  CHECK((*decoded)->sequence == 7);
  REQUIRE((*decoded)->message.AsSubscribe() != nullptr);
  CHECK(*(*decoded)->message.AsSubscribe() == subscribe_to(3));
}

TEST_CASE("decode_message: as many topics as the limit allows, each with its position") {
  Limits limits;
  CHECK(error_of(*encode_message(Sequence{1}, subscribe_to(limits.max_topics)), limits) == ErrorCode::kNone);
  CHECK(error_of(*encode_message(Sequence{1}, subscribe_to(limits.max_topics * 8)), limits) == ErrorCode::kMalformed);
}

TEST_CASE("decode_message: refuses a message cut at any length") {
  const SharedBytes bytes = encode_message(Sequence{1}, subscribe_to(2));
  for (std::size_t length = 0; length < bytes->size(); ++length) {
    CAPTURE(length);
    CHECK(error_of(BytesView(bytes->data(), length)) == ErrorCode::kMalformed);
  }
}

TEST_CASE("decode_message: refuses what is too big before it looks inside") {
  Limits limits;
  limits.max_message_bytes = 100;
  CHECK(error_of(Bytes(101), limits) == ErrorCode::kMessageTooBig);
}

TEST_CASE("decode_message: refuses another identifier and an unknown message type") {
  Bytes bytes = *encode_message(Sequence{1}, protocol::HeartbeatT());
  Bytes other = bytes;
  other[4] = std::byte{'X'};
  CHECK(error_of(other) == ErrorCode::kMalformed);
  // The type is the only byte with this value in this message.
  const auto type = static_cast<std::byte>(protocol::Message::Heartbeat);
  REQUIRE(std::count(bytes.begin(), bytes.end(), type) == 1);
  *std::find(bytes.begin(), bytes.end(), type) = std::byte{200};
  CHECK(error_of(bytes) == ErrorCode::kUnknownMessage);
}

TEST_CASE("decode_message: survives flipped bits") {
  const SharedBytes bytes = encode_message(Sequence{1}, subscribe_to(4));
  std::size_t accepted = 0;
  for (std::uint64_t seed = 0; seed < 20'000; ++seed) {
    test::Random random(seed);
    Bytes hostile = *bytes;
    for (std::uint64_t flips = test::pick(random, 1, 3); flips > 0; --flips) {
      hostile[test::pick(random, 0, hostile.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    }
    if (decode_message(hostile, Limits{}).has_value()) ++accepted;
  }
  CHECK(accepted > 0);  // a flipped bit of a number is still a message
  CHECK(accepted < 20'000);
}

// A buffer whose tables share their children takes the stock verifier time exponential in its depth. The bound on
// tables must end it early; without it this case runs for seconds.
TEST_CASE("decode_message: a bomb of shared topic requests is refused, not walked") {
  flatbuffers::FlatBufferBuilder builder;
  const auto name = builder.CreateString(std::string(1000, 'x'));
  const auto request = protocol::CreateTopicRequest(builder, name);
  const std::vector<flatbuffers::Offset<protocol::TopicRequest>> same(15'000, request);
  const auto topics = builder.CreateVector(same);
  const auto subscribe = protocol::CreateSubscribe(builder, topics);
  protocol::FinishEnvelopeBuffer(builder,
                                 protocol::CreateEnvelope(builder, 1, protocol::Message::Subscribe, subscribe.Union()));
  const auto* begin = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  CHECK(builder.GetSize() <= Limits{}.max_message_bytes);
  CHECK(error_of(Bytes(begin, begin + builder.GetSize())) == ErrorCode::kMalformed);
}

TEST_CASE("name_of: the names of the schema") {
  CHECK(std::string(name_of(ErrorCode::kTextFrame)) == "kTextFrame");
  CHECK(std::string(name_of(CloseCode::kSlowConsumer)) == "kSlowConsumer");
  CHECK(std::string(name_of(static_cast<ErrorCode>(9999))) == "unknown");
}

}  // namespace libsync
