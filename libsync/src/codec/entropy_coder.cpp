#include "codec/entropy_coder.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace libsync::codec {

void Encoder::grow() {
  const std::size_t capacity = std::max<std::size_t>(256, 2 * work_.capacity);
  auto steps = std::make_unique_for_overwrite<Step[]>(capacity);
  std::copy_n(work_.steps.get(), n_steps_, steps.get());
  work_.steps = std::move(steps);
  work_.capacity = capacity;
}

void Encoder::finish(Bytes& out) {
  // Last step first: a decoder undoes them in the opposite order. The state begins at zero, so that the end costs
  // nothing.
  std::uint32_t state = 0;
  const auto words = std::make_unique_for_overwrite<std::uint16_t[]>(n_steps_);
  std::size_t n_words = 0;
  for (std::size_t i = n_steps_; i-- > 0;) {
    const Step step = work_.steps[i];
    if (step.frequency > kProbabilityOne) {
      const unsigned n = step.frequency - kProbabilityOne;
      if (state >> (32 - n) != 0) {
        words[n_words++] = static_cast<std::uint16_t>(state);
        state >>= 16;
      }
      state = state << n | step.low;
    } else {
      const std::uint32_t frequency = step.frequency;
      if (state >> 17 >= frequency) {
        words[n_words++] = static_cast<std::uint16_t>(state);
        state >>= 16;
      }
      state = (state / frequency << kProbabilityBits) + state % frequency + step.low;
    }
  }
  const int state_bytes = n_words == 0 ? (std::bit_width(state) + 7) / 8 : state >> 24 != 0 ? 4 : 3;
  for (int i = state_bytes; i-- > 0;) out.push_back(static_cast<std::byte>(state >> (8 * i)));
  out.reserve(out.size() + 2 * n_words);
  while (n_words-- > 0) {
    out.push_back(static_cast<std::byte>(words[n_words]));
    out.push_back(static_cast<std::byte>(words[n_words] >> 8));
  }
}

Decoder::Decoder(BytesView input) : input_(input) {
  const std::size_t state_bytes = input.size() <= 2 ? input.size() : 4 - input.size() % 2;
  for (; position_ < state_bytes; ++position_) state_ = state_ << 8 | static_cast<std::uint32_t>(input_[position_]);
  // No leading zero, and not below what makes the decoder take in the next word.
  is_canonical_ = state_bytes == 0 || input_[0] != std::byte{0};
}

}  // namespace libsync::codec
