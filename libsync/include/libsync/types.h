// types.h: one strong type per meaning, so that a version is never mistaken for a topic.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace libsync {

using Bytes = std::vector<std::byte>;
using BytesView = std::span<const std::byte>;
// Bytes that many sessions share and nobody changes any more.
using SharedBytes = std::shared_ptr<const Bytes>;

// Some bytes of a buffer.
struct ByteRange {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  bool operator==(const ByteRange&) const = default;
};

// Number of a topic in one server process; on the wire a varint, so small numbers cost one byte.
struct TopicId {
  std::uint32_t value = 0;
  auto operator<=>(const TopicId&) const = default;
};

// Number of a snapshot within one epoch of one topic: 1, 2, 3 ...; 0 means "holds nothing".
struct Version {
  std::uint64_t value = 0;
  auto operator<=>(const Version&) const = default;
};

// One unbroken run of versions. Only equality has a meaning.
struct Epoch {
  std::uint64_t value = 0;
  bool operator==(const Epoch&) const = default;
};

// XXH3-64 over size and fingerprints of a snapshot, docs/WIRE_FORMAT.md section 4.
struct Digest {
  std::uint64_t value = 0;
  bool operator==(const Digest&) const = default;
};

// Number of a control message (per session and direction) or of an action (per client instance): 1, 2, 3 ...
struct Sequence {
  std::uint64_t value = 0;
  auto operator<=>(const Sequence&) const = default;
};

// What somebody holds of a topic. Epoch and version are one value; the digest proves that the bytes are the same.
struct Position {
  Epoch epoch;
  Version version;
  Digest digest;
  bool operator==(const Position&) const = default;
};

// A time line without now(): the library cannot read a clock even by mistake. The shell maps its steady clock to it.
struct Clock {
  using duration = std::chrono::microseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<Clock>;
  static constexpr bool is_steady = true;
};
using Duration = Clock::duration;
using TimePoint = Clock::time_point;

}  // namespace libsync
