#include "stats.h"

#include <unistd.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace libsync::server {
namespace {

namespace json = boost::json;

std::uint64_t count_fds() {
  std::uint64_t n = 0;
  std::error_code error;
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end; at.increment(error)) {
    ++n;
  }
  return n > 0 ? n - 1 : 0;  // without the one that was counting
}

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// 64-bit values as text: JSON numbers lose bits beyond 2^53 in many readers.
std::string to_hex(std::uint64_t value) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += kHex[value >> shift & 15];
  return text;
}

json::object to_object(const TopicStats& topic) {
  return {{"epoch", to_hex(topic.position.epoch.value)},   {"version", topic.position.version.value},
          {"digest", to_hex(topic.position.digest.value)}, {"snapshot_bytes", topic.snapshot_bytes},
          {"subscriptions", topic.subscriptions},          {"updates", topic.updates},
          {"patch_bytes_total", topic.patch_bytes_total},  {"full_bytes_total", topic.full_bytes_total}};
}

}  // namespace

ShardStats& ShardStats::operator+=(const ShardStats& other) {
  connections += other.connections;
  sessions += other.sessions;
  http += other.http;
  timers += other.timers;
  history_bytes += other.history_bytes;
  updates_sent += other.updates_sent;
  state_bytes_sent += other.state_bytes_sent;
  patches_encoded += other.patches_encoded;
  fulls_encoded += other.fulls_encoded;
  chunk_diffs_encoded += other.chunk_diffs_encoded;
  cache_hits += other.cache_hits;
  return *this;
}

std::string to_json(const ServerStats& stats) {
  json::object topics;
  for (const TopicStats& topic : stats.room.topics) topics[topic.name] = to_object(topic);
  const ShardStats& shards = stats.shards;
  return json::serialize(json::object{
      {"connections", shards.connections},
      {"sessions", shards.sessions},
      {"http", shards.http},
      {"admitted", stats.admitted},
      {"users", stats.users},
      {"players", stats.room.users},
      {"subscriptions", stats.room.subscriptions},
      {"timers", shards.timers},
      {"fds", count_fds()},
      {"rss_bytes", resident_bytes()},
      {"ticks", stats.room.ticks},
      {"ticks_skipped", stats.room.ticks_skipped},
      {"tick_us_max", stats.room.tick_us_max},
      {"actions", stats.room.actions},
      {"history_bytes", shards.history_bytes},
      {"updates_sent", shards.updates_sent},
      {"state_bytes_sent", shards.state_bytes_sent},
      {"patches_encoded", shards.patches_encoded},
      {"fulls_encoded", shards.fulls_encoded},
      {"chunk_diffs_encoded", shards.chunk_diffs_encoded},
      {"cache_hits", shards.cache_hits},
      {"topics", std::move(topics)},
  });
}

}  // namespace libsync::server
