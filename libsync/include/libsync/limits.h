// limits.h: every bound of the library in one struct. Sources of the defaults: docs/ARCHITECTURE.md section 6.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libsync/types.h"

namespace libsync {

struct Limits {
  // Largest snapshot, bytes. A larger one is refused where it is published or declared, before allocation.
  std::size_t max_snapshot_bytes = 16u << 20;
  // Largest control message from a client, bytes. A larger one ends the connection with kMessageTooBig.
  std::size_t max_message_bytes = 64u << 10;
  // State updates whose body is larger travel in parts of this many bytes, so that control is never stuck behind one.
  std::size_t max_part_bytes = 32u << 10;
  // Subscriptions per session. One more is answered with kTooManyTopics.
  std::uint32_t max_topics = 64;
  // Actions per client instance whose result the client has not confirmed. One more is not executed: kTooManyActions.
  std::uint32_t max_actions_in_flight = 64;
  // Results of these, bytes per client instance. An action that comes when they are full is not executed. Well below
  // max_queued_bytes, as a new connection gets all of them at once.
  std::size_t max_result_bytes = 128u << 10;
  // Client instances that have acted: per user and in all. Beyond it, and after the time without an action, those
  // unused for longest are forgotten; actions that such an instance sends later are refused with kUnknownInstance.
  std::uint32_t max_instances_per_user = 16;
  std::size_t max_instances = 1u << 20;
  Duration instance_horizon = std::chrono::hours(24 * 30);
  // Sessions per user with and without a connection, and how long one without is kept: the user then has not left.
  std::uint32_t max_sessions_per_user = 8;
  Duration session_linger = std::chrono::seconds(120);
  // Sessions without a connection in all; beyond it the oldest end.
  std::size_t max_lingering_sessions = 1u << 16;
  // Control messages from a client: sustained rate and burst. Beyond it a message is dropped with kRateLimited;
  // when there were max_rate_violations more drops than messages within the rate, the connection ends.
  std::uint32_t messages_per_second = 60;
  std::uint32_t messages_burst = 120;
  std::uint32_t max_rate_violations = 240;
  // Format of the patches that a server sends; clients that understand less are refused. Format 1 is larger by far, and
  // needs next to nothing of a receiver.
  std::uint8_t patch_format = 2;
  // Patches that continue a topic's context, before it is begun anew for receivers that came late. Until then these get
  // patches that stand alone, which are larger.
  std::uint32_t min_patches_per_context = 16;
  // A state of fewer bytes is sent whole where a chunk diff might do: naming the chunks costs a round trip.
  std::size_t min_chunk_diff_bytes = 32u << 10;
  // Bytes of snapshots looked through for chunk diffs, per second and Broadcaster. They are made for one client each;
  // beyond it states are sent whole, which many can share.
  std::size_t chunk_diff_bytes_per_second = 64u << 20;
  // A larger snapshot that is sent whole is not compressed: at some 30 MB/s that would keep a server's thread for long.
  std::size_t max_packed_bytes = 1u << 20;
  // A snapshot that was compressed for one client is sent to others too until so many versions have come, each followed
  // by a patch: who comes when a thousand others do costs the server little.
  std::uint32_t max_full_reuse_versions = 8;
  // State updates per topic and session. Changes in between are conflated into the next update.
  std::uint32_t updates_per_second = 10;
  // Control messages waiting to be written to one peer. Beyond either bound the connection ends with kSlowConsumer.
  std::size_t max_queued_messages = 1024;
  std::size_t max_queued_bytes = 256u << 10;
  // History of a topic: versions kept as baselines. The oldest go first; a lost baseline costs a full snapshot.
  std::size_t max_history_versions = 64;
  std::size_t max_history_bytes = 32u << 20;
  Duration max_history_age = std::chrono::minutes(5);
  // Of these, the newest that are kept whole; older ones are made again from the way back, where little changed.
  std::size_t max_whole_history_bytes = 4u << 20;
  // Failed patches in a row, per topic, before a client gives up with kResyncLoop.
  std::uint32_t max_resyncs = 3;

  // Time from the upgrade to Hello.
  Duration hello_timeout = std::chrono::seconds(5);
  // Silence after which a heartbeat asks, and further silence after which the peer is taken for dead.
  Duration heartbeat_interval = std::chrono::seconds(9);
  Duration heartbeat_timeout = std::chrono::seconds(9);
  // An ack leaves when a version changed and this much time or this many bytes of state have passed.
  Duration ack_interval = std::chrono::seconds(1);
  std::size_t ack_bytes = 64u << 10;
  // Clients spread their first reconnect over this time.
  Duration reconnect_window = std::chrono::seconds(2);
  // How long an expired token is still good on an open connection.
  Duration token_grace = std::chrono::seconds(25);
};

}  // namespace libsync
