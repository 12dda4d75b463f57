// stats.h: what GET /debug/stats tells, so that tests can prove that nothing is left behind and what updates cost.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libsync/types.h"

namespace libsync::server {

struct TopicStats {
  std::string name;
  Position position;
  std::uint64_t snapshot_bytes = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t updates = 0;            // versions published since the start
  std::uint64_t patch_bytes_total = 0;  // of their patches, each counted once
  std::uint64_t full_bytes_total = 0;   // of their snapshots
};

struct RoomStats {
  std::uint64_t ticks = 0;
  std::uint64_t ticks_skipped = 0;
  std::uint64_t actions = 0;
  std::uint64_t users = 0;
  std::uint64_t subscriptions = 0;
  std::uint64_t tick_us_max = 0;  // the longest tick with its publishing, since the last question
  std::vector<TopicStats> topics;
};

// Sums over the shards.
struct ShardStats {
  std::uint64_t connections = 0;  // WebSockets, from the upgrade to the end of the socket
  std::uint64_t sessions = 0;     // of them, those with a session
  std::uint64_t http = 0;         // connections that speak HTTP
  std::uint64_t timers = 0;       // armed ones
  std::uint64_t history_bytes = 0;
  std::uint64_t updates_sent = 0;  // of live sessions and those that ended
  std::uint64_t state_bytes_sent = 0;
  std::uint64_t patches_encoded = 0;
  std::uint64_t fulls_encoded = 0;
  std::uint64_t chunk_diffs_encoded = 0;
  std::uint64_t cache_hits = 0;

  ShardStats& operator+=(const ShardStats& other);
};

struct ServerStats {
  ShardStats shards;
  RoomStats room;
  std::uint64_t users = 0;     // in the session registries
  std::uint64_t admitted = 0;  // connections that count against the caps
};

// Adds what the process knows of itself: fds, rss_bytes.
std::string to_json(const ServerStats& stats);

}  // namespace libsync::server
