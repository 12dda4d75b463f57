// Any symbols instead of any streams: a change of the input changes one thing of what it says, not all that follows, so
// that far more of what is tried has a meaning. What has one comes out the same of a stream. Input: one byte state, two
// bytes how the two patches are decoded, then symbols: a nibble or a bit is a byte, raw bits are the bytes that hold
// them.
#include "fuzz/decoding.h"

namespace {

using namespace libsync;

// Hands out an input's bytes as symbols and codes them. At the end of the input all symbols are 0.
class Symbols {
 public:
  static constexpr bool kDecodes = true;
  void begin(codec::Part, std::uint32_t = 0) {}

  Symbols(BytesView& input, codec::EncoderWork& work) : input_(input), encoder_(work) {}

  std::uint32_t nibble(codec::Nibble& model, std::uint32_t = 0) { return encoder_.nibble(model, byte() & 15); }
  bool bit(codec::Bit& model, bool = false) { return encoder_.bit(model, (byte() & 1) != 0); }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    std::uint32_t value = 0;
    for (unsigned at = 0; at < n; at += 8) value |= byte() << at;
    return encoder_.raw(n, n < 32 ? value & ((1u << n) - 1) : value);
  }
  std::uint32_t number(codec::Number& model, std::uint32_t = 0) {
    std::uint32_t length = nibble(model.length);
    if (length == 15) length += nibble(model.longer);
    return (raw(length) | 1u << length) - 1;
  }
  bool at_end() const { return true; }

  Bytes stream() {
    Bytes bytes;
    encoder_.finish(bytes);
    return bytes;
  }

 private:
  std::uint32_t byte() {
    if (input_.empty()) return 0;
    const auto value = static_cast<std::uint32_t>(input_.front());
    input_ = input_.subspan(1);
    return value;
  }

  BytesView& input_;  // what is left of it
  codec::Encoder encoder_;
};

std::optional<Bytes> decode(const Bytes& baseline, codec::Context& context, BytesView& input, std::uint8_t how) {
  static codec::EncoderWork work;
  codec::Context before = context;
  Symbols symbols(input, work);
  const std::optional<Bytes> target = fuzz::decode(baseline, context, symbols, how);
  if (!target) return target;
  const Bytes stream = symbols.stream();
  codec::Decoder decoder(stream);
  fuzz::check(fuzz::decode(baseline, before, decoder, how) == target);
  return target;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const fuzz::State& state = fuzz::state_of(data[0]);
  BytesView input(reinterpret_cast<const std::byte*>(data) + 3, size - 3);
  codec::Context context = state.context;
  const std::optional<Bytes> target = decode(state.bytes, context, input, data[1]);
  if (target && !input.empty()) decode(*target, context, input, data[2]);
  return 0;
}
