// messages.h: what crosses threads. Values only; what they point to is immutable.
//
//   shard --> room    subscribe, release, act, join, leave: calls posted to the game thread, see room.h
//   room --> shard    RoomMessage, in one order: what a client is told of a topic and the topic's states stay in step
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/result.h"
#include "libsync/topic.h"
#include "libsync/types.h"

namespace libsync::server {

// A connection, as other threads know it.
struct ConnectionRef {
  std::uint32_t shard = 0;
  std::uint64_t connection = 0;
};

// The topic is gone (kUnknownTopic), or nobody on the shard is subscribed to it any more (kNone).
struct TopicRemoved {
  TopicId topic;
  ErrorCode code = ErrorCode::kNone;
};

// Without a topic the subscription is refused, and `code` says why.
struct SubscriptionAnswer {
  std::uint64_t connection = 0;
  std::string name;
  std::optional<TopicId> topic;
  ErrorCode code = ErrorCode::kNone;
  std::string message;
};

struct ActionAnswer {
  std::uint64_t connection = 0;
  protocol::ActionResultT result;
};

using RoomMessage = std::variant<TopicUpdate, TopicRemoved, SubscriptionAnswer, ActionAnswer>;

}  // namespace libsync::server
