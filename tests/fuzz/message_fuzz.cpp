// Any bytes as a control message: a typed error, or a value that survives being encoded and decoded again.
#include <cstdlib>
#include <cstring>

#include "libsync/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  // The verifier wants the alignment that a received message has.
  const Bytes message(reinterpret_cast<const std::byte*>(data), reinterpret_cast<const std::byte*>(data) + size);
  auto decoded = decode_message(message, Limits{});
  if (!decoded) return 0;
  // Made of many references to one string, a small message may unpack to a large one.
  Limits wide;
  wide.max_message_bytes = 64u << 20;
  wide.max_topics = 100'000;
  const SharedBytes again = encode_message(Sequence{(*decoded)->sequence}, (*decoded)->message);
  auto twice = decode_message(*again, wide);
  if (!twice || (*twice)->message.type != (*decoded)->message.type) std::abort();
  return 0;
}
