// Any streams against small states, below the digest, the second in the context of the first. Input: one byte state,
// one byte how each is decoded, one byte n, n bytes of the first stream, then the second.
#include "fuzz/decoding.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace libsync;
  if (size < 4) return 0;
  const fuzz::State& state = fuzz::state_of(data[0]);
  const auto* bytes = reinterpret_cast<const std::byte*>(data) + 4;
  const std::size_t first_size = std::min<std::size_t>(data[3], size - 4);
  codec::Context context = state.context;
  codec::Decoder first({bytes, first_size});
  const std::optional<Bytes> target = fuzz::decode(state.bytes, context, first, data[1]);
  if (!target || first_size == size - 4) return 0;
  codec::Decoder second({bytes + first_size, size - 4 - first_size});
  fuzz::decode(*target, context, second, data[2]);
  return 0;
}
