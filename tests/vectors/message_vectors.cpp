// Control messages, as C++ writes them.
#include <string>
#include <utility>
#include <vector>

#include "libsync/message.h"
#include "unit/support.h"
#include "vectors.h"

namespace libsync::vectors {

using test::to_hex;

namespace {

template <typename MessageT>
Object message_object(const std::string& type, std::uint64_t sequence, MessageT message,
                      std::pair<std::string, std::string> sample) {
  return {{"type", type},
          {"sequence", std::to_string(sequence)},
          {"message", to_hex(*encode_message(Sequence{sequence}, std::move(message)))},
          {"sample", sample.first},
          {"value", sample.second}};
}

}  // namespace

std::vector<Object> messages() {
  std::vector<Object> objects;
  protocol::WelcomeT welcome;
  welcome.protocol = 1;
  welcome.patch_format = 1;
  welcome.session = std::make_unique<protocol::Id128>(11, 12);
  welcome.server = "libsync 0.1.0";
  welcome.schema_fingerprint = 0xfedcba9876543210;
  welcome.token_expires_in_ms = 86'400'000;
  welcome.limits = std::make_unique<protocol::SessionLimitsT>();
  welcome.limits->max_message_bytes = 65536;
  welcome.limits->heartbeat_interval_ms = 9000;
  objects.push_back(message_object("Welcome", 1, std::move(welcome), {"schema_fingerprint", "fedcba9876543210"}));
  protocol::SubscribedT subscribed;
  subscribed.name = "player/al\u00e9a";
  subscribed.topic = 7;
  subscribed.epoch = 0x0123456789abcdef;
  subscribed.version = 42;
  subscribed.reason = FullReason::kFirst;
  objects.push_back(message_object("Subscribed", 2, std::move(subscribed), {"name", "player/al\u00e9a"}));
  protocol::UnsubscribedT unsubscribed;
  unsubscribed.topic = 7;
  unsubscribed.code = ErrorCode::kUnknownTopic;
  objects.push_back(message_object("Unsubscribed", 3, std::move(unsubscribed), {"code", "3001"}));
  protocol::ActionResultT result;
  result.action_sequence = 5;
  result.status = ActionStatus::kRefused;
  result.code = ErrorCode::kActionRefused;
  result.message = "not enough energy";
  result.visible_at.push_back(std::make_unique<protocol::TopicVersionT>());
  result.visible_at[0]->topic = 1;
  result.visible_at[0]->version = 99;
  result.payload = {1, 2, 3};
  objects.push_back(message_object("ActionResult", 4, std::move(result), {"message", "not enough energy"}));
  protocol::HeartbeatT heartbeat;
  heartbeat.sent_ms = 1234567890123;
  objects.push_back(message_object("Heartbeat", 5, std::move(heartbeat), {"sent_ms", "1234567890123"}));
  protocol::ErrorT error;
  error.code = ErrorCode::kRateLimited;
  error.recovery = protocol::Recovery::kRetryable;
  error.retry_after_ms = 250;
  error.message = "too many messages";
  objects.push_back(message_object("Error", 6, std::move(error), {"retry_after_ms", "250"}));
  protocol::DisconnectT disconnect;
  disconnect.close_code = CloseCode::kServiceRestart;
  disconnect.code = ErrorCode::kShuttingDown;
  disconnect.reconnect = true;
  objects.push_back(message_object("Disconnect", 7, std::move(disconnect), {"close_code", "1012"}));
  return objects;
}

}  // namespace libsync::vectors
