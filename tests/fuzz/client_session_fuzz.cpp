// A hostile server: any messages at any times. The client never holds bytes whose digest is not the announced one.
// Input: repeatedly one byte of time (units of 100 ms), one byte n and n bytes of a message.
#include <algorithm>
#include <cstdlib>

#include "libsync/session.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  Limits limits;
  limits.max_snapshot_bytes = 1 << 16;
  TimePoint now(std::chrono::seconds(1));
  ClientSession session(limits, {}, now);
  session.subscribe(now, "world");
  std::size_t at = 0;
  for (unsigned round = 0; at + 2 <= size && round < 200; ++round) {
    now += std::chrono::milliseconds(100 * data[at]);
    const std::size_t count = std::min<std::size_t>(data[at + 1], size - at - 2);
    const auto* begin = reinterpret_cast<const std::byte*>(data + at + 2);
    const Bytes message(begin, begin + count);
    at += 2 + count;
    session.handle_timeout(now);
    session.handle_frame(now, message);
    for (unsigned outputs = 0;; ++outputs) {
      if (outputs > 10'000) std::abort();
      const ClientOutput output = session.poll_output(now);
      if (std::holds_alternative<Deadline>(output)) break;
      const auto* event = std::get_if<ClientEvent>(&output);
      if (event == nullptr) continue;
      if (const auto* updated = std::get_if<TopicUpdated>(event)) {
        if (updated->held.snapshot->size_bytes() > limits.max_snapshot_bytes) std::abort();
        if (digest_of(updated->held.snapshot->bytes()) != updated->held.position.digest) std::abort();
      }
    }
  }
  return 0;
}
