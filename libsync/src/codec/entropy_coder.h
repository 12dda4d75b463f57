// entropy_coder.h: adaptive models and an asymmetric numeral system (rANS, Duda 2013) that codes with them.
// Exact arithmetic: docs/WIRE_FORMAT.md section 3.2.
//
// Encoder and Decoder have the same members with the same arguments, so that one template describes both directions:
// an Encoder codes the value it is given and returns it, a Decoder ignores it and returns what was coded.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "libsync/types.h"

namespace libsync::codec {

// Signed numbers of 32 bits as unsigned ones, small where they are near 0.
inline std::uint32_t zigzag(std::uint32_t step) { return step << 1 ^ (0u - (step >> 31)); }
inline std::uint32_t unzigzag(std::uint32_t code) { return code >> 1 ^ (0u - (code & 1)); }

inline constexpr unsigned kProbabilityBits = 15;
inline constexpr std::uint32_t kProbabilityOne = 1u << kProbabilityBits;
// Below it the state takes in 16 more bits.
inline constexpr std::uint32_t kStateLow = 1u << 16;

// aims[s][i]: where low[i] goes when s is seen. Every other symbol keeps at least 4 of 32,768 in the long run.
inline constexpr auto kAims = [] {
  std::array<std::array<std::int16_t, 16>, 16> aims{};
  for (std::size_t s = 0; s < 16; ++s) {
    for (std::size_t i = 0; i < 16; ++i) {
      aims[s][i] = static_cast<std::int16_t>(i <= s ? 4 * i : kProbabilityOne - 4 * (16 - i));
    }
  }
  return aims;
}();

// A symbol of 16, from its frequency so far. Learns fast at first: by 1/5, 1/7, 1/9 ... down to 1/33; then only from
// every eighth symbol, which costs less.
struct Nibble {
  // low[s]: of 32,768, how much lies below symbol s. Strictly increasing, low[0] is 0.
  alignas(16) std::array<std::int16_t, 16> low = {0,         1 * 2048,  2 * 2048,  3 * 2048, 4 * 2048,  5 * 2048,
                                                  6 * 2048,  7 * 2048,  8 * 2048,  9 * 2048, 10 * 2048, 11 * 2048,
                                                  12 * 2048, 13 * 2048, 14 * 2048, 15 * 2048};
  std::uint8_t seen = 0;

  std::uint32_t below(std::uint32_t symbol) const { return static_cast<std::uint32_t>(low[symbol]); }
  std::uint32_t above(std::uint32_t symbol) const { return symbol == 15 ? kProbabilityOne : below(symbol + 1); }
  // The symbol with below(symbol) <= slot < above(symbol).
  std::uint32_t at(std::uint32_t slot) const;
  void learn(std::uint32_t symbol);

 private:
  static constexpr std::uint8_t kGrown = 15;
  // Counts on where nothing is learnt.
  bool is_skipped() {
    if (seen < kGrown) return false;
    seen = seen == kGrown + 6 ? kGrown - 1 : static_cast<std::uint8_t>(seen + 1);
    return true;
  }
};

#if defined(__SSE2__)
inline std::uint32_t Nibble::at(std::uint32_t slot) const {
  const __m128i wanted = _mm_set1_epi16(static_cast<std::int16_t>(slot));
  const __m128i first = _mm_load_si128(reinterpret_cast<const __m128i*>(low.data()));
  const __m128i second = _mm_load_si128(reinterpret_cast<const __m128i*>(low.data() + 8));
  const __m128i beyond = _mm_packs_epi16(_mm_cmpgt_epi16(first, wanted), _mm_cmpgt_epi16(second, wanted));
  const auto mask = static_cast<std::uint32_t>(_mm_movemask_epi8(beyond));
  return static_cast<std::uint32_t>(std::countr_zero(mask | 0x10000)) - 1;
}
inline void Nibble::learn(std::uint32_t symbol) {
  if (is_skipped()) return;
  const __m128i step = _mm_set1_epi16(static_cast<std::int16_t>(65536 / (2 * seen + 5)));
  seen = static_cast<std::uint8_t>(seen + 1);
  for (std::size_t i = 0; i < 16; i += 8) {
    auto* at = reinterpret_cast<__m128i*>(low.data() + i);
    const __m128i now = _mm_load_si128(at);
    const __m128i aim = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kAims[symbol].data() + i));
    _mm_store_si128(at, _mm_add_epi16(now, _mm_mulhi_epi16(_mm_sub_epi16(aim, now), step)));
  }
}
#else
inline std::uint32_t Nibble::at(std::uint32_t slot) const {
  std::uint32_t symbol = 0;
  for (std::uint32_t i = 1; i < 16; ++i) symbol += below(i) <= slot ? 1u : 0u;
  return symbol;
}
inline void Nibble::learn(std::uint32_t symbol) {
  if (is_skipped()) return;
  const std::int32_t step = 65536 / (2 * seen + 5);
  ++seen;
  for (std::size_t i = 1; i < 16; ++i)
    low[i] = static_cast<std::int16_t>(low[i] + (((kAims[symbol][i] - low[i]) * step) >> 16));
}
#endif

// What a model expects before it has learnt anything: weights of the 16 symbols.
constexpr Nibble expecting(const std::array<std::uint16_t, 16>& weights) {
  std::uint32_t sum = 0;
  for (const std::uint16_t weight : weights) sum += weight;
  Nibble nibble;
  std::uint32_t below = 0;
  for (std::uint32_t i = 0; i < 16; ++i) {
    nibble.low[i] = static_cast<std::int16_t>(below * (kProbabilityOne - 128) / sum + 8 * i);
    below += weights[i];
  }
  return nibble;
}

// A yes or no.
struct Bit {
  std::uint16_t no = kProbabilityOne / 2;  // of 32,768
  std::uint8_t seen = 0;

  void learn(bool yes) {
    const std::int32_t step = 131072 / (2 * seen + 5);
    if (seen < 30) ++seen;
    const std::int32_t aim = yes ? 32 : static_cast<std::int32_t>(kProbabilityOne) - 32;
    no = static_cast<std::uint16_t>(no + (((aim - no) * step) >> 16));
  }
};

// A number of up to 30 bits: the length of number + 1 by models, its other bits as they are.
struct Number {
  Nibble length;
  Nibble longer;
};

// What an Encoder works with; worth keeping from patch to patch. A copy is empty.
struct EncoderWork {
  // frequency 0x8000 + n: n raw bits, their value in `low`.
  struct Step {
    std::uint16_t low;
    std::uint16_t frequency;
  };
  EncoderWork() = default;
  EncoderWork(const EncoderWork&) {}
  EncoderWork& operator=(const EncoderWork&) { return *this; }
  EncoderWork(EncoderWork&&) noexcept = default;
  EncoderWork& operator=(EncoderWork&&) noexcept = default;

  std::unique_ptr<Step[]> steps;
  std::size_t capacity = 0;
};

// What a patch speaks of, for those who want to know what it costs.
enum class Part : std::uint8_t { kObjects, kElements, kColumns, kRows, kValues, kNewObjects, kTexts, kExcerpt };
inline constexpr std::size_t kParts = 8;

class Encoder {
 public:
  static constexpr bool kDecodes = false;
  void begin(Part, std::uint32_t /*type*/ = 0) {}

  // Requires: `work` outlives it, and serves no other meanwhile.
  explicit Encoder(EncoderWork& work) : work_(work) {}

  std::uint32_t nibble(Nibble& model, std::uint32_t symbol) {
    push({static_cast<std::uint16_t>(model.below(symbol)),
          static_cast<std::uint16_t>(model.above(symbol) - model.below(symbol))});
    model.learn(symbol);
    return symbol;
  }
  bool bit(Bit& model, bool yes) {
    push({yes ? model.no : std::uint16_t{0}, static_cast<std::uint16_t>(yes ? kProbabilityOne - model.no : model.no)});
    model.learn(yes);
    return yes;
  }
  // n <= 32.
  std::uint32_t raw(unsigned n, std::uint32_t value) {
    if (n > 16) {
      raw16(16, value & 0xffff);
      raw16(n - 16, value >> 16);
    } else if (n > 0) {
      raw16(n, value);
    }
    return value;
  }
  std::uint32_t number(Number& model, std::uint32_t value) {
    const std::uint32_t x = value + 1;
    const auto length = static_cast<std::uint32_t>(std::bit_width(x) - 1);
    nibble(model.length, length < 15 ? length : 15);
    if (length >= 15) nibble(model.longer, length - 15);
    raw(length, x & ((1u << length) - 1));
    return value;
  }

  // Appends everything coded to `out`. Once, at the end.
  void finish(Bytes& out);

 private:
  using Step = EncoderWork::Step;
  void raw16(unsigned n, std::uint32_t value) {
    push({static_cast<std::uint16_t>(value), static_cast<std::uint16_t>(0x8000 + n)});
  }

  void push(Step step) {
    if (n_steps_ == work_.capacity) grow();
    work_.steps[n_steps_++] = step;
  }
  void grow();

  EncoderWork& work_;
  std::size_t n_steps_ = 0;
};

// Never fails: what comes after the end of the input decodes to something, and at_end() says that it was not all right.
class Decoder {
 public:
  static constexpr bool kDecodes = true;
  void begin(Part, std::uint32_t /*type*/ = 0) {}

  explicit Decoder(BytesView input);

  std::uint32_t nibble(Nibble& model, std::uint32_t = 0) {
    const std::uint32_t slot = state_ & (kProbabilityOne - 1);
    const std::uint32_t symbol = model.at(slot);
    advance(model.below(symbol), model.above(symbol) - model.below(symbol), slot);
    model.learn(symbol);
    return symbol;
  }
  bool bit(Bit& model, bool = false) {
    const std::uint32_t slot = state_ & (kProbabilityOne - 1);
    const bool yes = slot >= model.no;
    if (yes) {
      advance(model.no, kProbabilityOne - model.no, slot);
    } else {
      advance(0, model.no, slot);
    }
    model.learn(yes);
    return yes;
  }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    if (n <= 16) return raw16(n);
    const std::uint32_t low = raw16(16);
    return low | raw16(n - 16) << 16;
  }
  std::uint32_t number(Number& model, std::uint32_t = 0) {
    std::uint32_t length = nibble(model.length);
    if (length == 15) length += nibble(model.longer);
    return (raw(length) | 1u << length) - 1;
  }

  // Whether the input ended exactly here, in its one valid form. While words of it are left the state is at least 2^16:
  // it begins so, no symbol takes it below 1, and then it takes in the next word.
  bool at_end() const { return is_canonical_ && state_ == 0; }

 private:
  void advance(std::uint32_t low, std::uint32_t frequency, std::uint32_t slot) {
    state_ = frequency * (state_ >> kProbabilityBits) + slot - low;
    refill();
  }
  std::uint32_t raw16(unsigned n) {
    const std::uint32_t value = state_ & ((1u << n) - 1);
    state_ >>= n;
    refill();
    return value;
  }
  void refill() {
    if (state_ >= kStateLow || position_ == input_.size()) return;
    state_ = state_ << 16 | static_cast<std::uint32_t>(input_[position_]) |
             static_cast<std::uint32_t>(input_[position_ + 1]) << 8;
    position_ += 2;
  }

  BytesView input_;
  std::size_t position_ = 0;
  std::uint32_t state_ = 0;
  bool is_canonical_ = true;
};

}  // namespace libsync::codec
