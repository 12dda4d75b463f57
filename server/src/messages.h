// messages.h: what crosses threads. Values only; what they point to is immutable.
//
//   shard --> room    open_instance, subscribe, release, act, join, leave: calls posted to the game thread, see room.h
//   room --> shard    RoomMessage, in one order: what a client is told of a topic and the topic's states stay in step
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "libsync/action_ledger.h"
#include "libsync/result.h"
#include "libsync/topic.h"
#include "libsync/types.h"

namespace libsync::server {

// A connection, as other threads know it.
struct ConnectionRef {
  std::uint32_t shard = 0;
  std::uint64_t connection = 0;
  bool operator==(const ConnectionRef&) const = default;
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

// Where the connection's client instance stands, or why it is refused.
struct InstanceAnswer {
  std::uint64_t connection = 0;
  protocol::Id128 ledger;
  Result<InstanceState> state = InstanceState{};
};

// All actions of the connection's instance up to this one are durable.
struct DurableAnswer {
  std::uint64_t connection = 0;
  Sequence sequence;
};

struct ActionAnswer {
  std::uint64_t connection = 0;
  protocol::ActionResultT result;
};

using RoomMessage =
    std::variant<TopicUpdate, TopicRemoved, SubscriptionAnswer, InstanceAnswer, ActionAnswer, DurableAnswer>;

}  // namespace libsync::server
