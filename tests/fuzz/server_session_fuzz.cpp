// A hostile client: any messages at any times. The session answers or closes, within its bounds, and never more.
// Input: repeatedly one byte of time (units of 100 ms), one byte n and n bytes of a message.
#include <algorithm>
#include <cstdlib>

#include "libsync/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  const Limits limits;
  Broadcaster broadcaster(limits);
  Topic topic(TopicInfo{TopicId{1}, "world", Epoch{7}}, limits);
  Bytes state(100);
  broadcaster.publish(**topic.publish(state));
  TimePoint now(std::chrono::seconds(1));
  ServerSession session(broadcaster, limits, {}, now);
  std::size_t at = 0;
  for (unsigned round = 0; at + 2 <= size && round < 200; ++round) {
    now += std::chrono::milliseconds(100 * data[at]);
    const std::size_t count = std::min<std::size_t>(data[at + 1], size - at - 2);
    const auto* begin = reinterpret_cast<const std::byte*>(data + at + 2);
    const Bytes message(begin, begin + count);  // aligned, as a received message is
    at += 2 + count;
    session.handle_timeout(now);
    session.handle_frame(now, message);
    state[round % 100] ^= std::byte{1};
    broadcaster.publish(**topic.publish(state));
    for (unsigned outputs = 0;; ++outputs) {
      if (outputs > 10'000) std::abort();  // a session that never comes to rest
      const ServerOutput output = session.poll_output(now);
      if (std::holds_alternative<Deadline>(output)) break;
      const auto* event = std::get_if<ServerEvent>(&output);
      if (event == nullptr) continue;
      if (const auto* request = std::get_if<SubscribeRequested>(event)) {
        if (request->name == "world") {
          session.accept_subscription(now, request->name, TopicId{1});
        } else {
          session.reject_subscription(now, request->name, ErrorCode::kUnknownTopic, "no such topic");
        }
      } else if (std::holds_alternative<HelloReceived>(*event)) {
        session.welcome(now, {});
      } else if (std::holds_alternative<TokenOffered>(*event)) {
        session.renew_token(now, now + std::chrono::seconds(5));
      } else if (const auto* action = std::get_if<ActionReceived>(event)) {
        protocol::ActionResultT result;
        result.action_sequence = action->sequence.value;
        session.complete_action(now, std::move(result));
      }
    }
  }
  return 0;
}
