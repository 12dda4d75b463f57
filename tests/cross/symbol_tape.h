// symbol_tape.h: the symbols that a patch's stream holds (docs/WIRE_FORMAT.md section 3.2), and how to put others in
// their place. A stream with one bent byte decodes to noise from there on; one with one other symbol still says
// something afterwards, which is how a decoder's later rules are reached.
//
// Recorder and Mutator have the members of codec::Decoder: codec/contents.h decodes with either.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/entropy_coder.h"
#include "libsync/types.h"
#include "unit/support.h"

namespace libsync::cross {

enum class SymbolKind : std::uint8_t { kNibble, kBit, kRaw };

struct Symbol {
  SymbolKind kind = SymbolKind::kNibble;
  std::uint32_t value = 0;
};

using Tape = std::vector<Symbol>;

// A number is made of symbols, for both.
template <typename Source>
class SymbolSource {
 public:
  static constexpr bool kDecodes = true;
  void begin(codec::Part, std::uint32_t = 0) {}

  std::uint32_t number(codec::Number& model, std::uint32_t = 0) {
    Source& source = static_cast<Source&>(*this);
    std::uint32_t length = source.nibble(model.length);
    if (length == 15) length += source.nibble(model.longer);
    return (source.raw(length) | 1u << length) - 1;
  }
};

// Decodes a stream and notes its symbols.
class Recorder : public SymbolSource<Recorder> {
 public:
  Recorder(BytesView stream, Tape& tape) : decoder_(stream), tape_(tape) {}

  std::uint32_t nibble(codec::Nibble& model, std::uint32_t = 0) {
    return note(SymbolKind::kNibble, decoder_.nibble(model));
  }
  bool bit(codec::Bit& model, bool = false) { return note(SymbolKind::kBit, decoder_.bit(model) ? 1 : 0) != 0; }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) { return note(SymbolKind::kRaw, decoder_.raw(n)); }
  bool at_end() const { return decoder_.at_end(); }

 private:
  std::uint32_t note(SymbolKind kind, std::uint32_t value) {
    tape_.push_back({kind, value});
    return value;
  }

  codec::Decoder decoder_;
  Tape& tape_;
};

// Hands out the symbols of a tape, some of them replaced at random, and encodes what it handed out.
class Mutator : public SymbolSource<Mutator> {
 public:
  // `rate`: how many of a thousand symbols are replaced, after the first `n_kept`. Requires: `tape` and `random`
  // outlive it.
  Mutator(const Tape& tape, unsigned rate, test::Random& random, std::size_t n_kept = 0)
      : encoder_(work_), tape_(tape), n_kept_(n_kept), rate_(rate), random_(random) {}

  std::uint32_t nibble(codec::Nibble& model, std::uint32_t = 0) {
    std::uint32_t symbol = next(SymbolKind::kNibble);
    // Mostly one that is likely here: it leads on.
    if (is_replaced()) symbol = random_() % 3 != 0 ? model.at(random_() % codec::kProbabilityOne) : random_() % 16;
    return encoder_.nibble(model, symbol);
  }
  bool bit(codec::Bit& model, bool = false) {
    return encoder_.bit(model, (next(SymbolKind::kBit) != 0) != is_replaced());
  }
  std::uint32_t raw(unsigned n, std::uint32_t = 0) {
    std::uint32_t value = next(SymbolKind::kRaw);
    if (is_replaced()) value = random_() % 2 != 0 ? value ^ 1 : static_cast<std::uint32_t>(random_());
    return encoder_.raw(n, n < 32 ? value & ((1u << n) - 1) : value);
  }
  bool at_end() const { return true; }

  // Everything that was handed out. Once, at the end.
  Bytes stream() {
    Bytes bytes;
    encoder_.finish(bytes);
    return bytes;
  }

 private:
  bool is_replaced() { return (n_kept_ == 0 || position_ > n_kept_) && random_() % 1000 < rate_; }
  // The next symbol of this kind, if one is near: what was replaced may need other kinds than what stood there.
  std::uint32_t next(SymbolKind kind) {
    const auto at = tape_.begin() + static_cast<std::ptrdiff_t>(position_);
    const auto end = tape_.begin() + static_cast<std::ptrdiff_t>(std::min(tape_.size(), position_ + 4));
    const auto found = std::find_if(at, end, [&](const Symbol& symbol) { return symbol.kind == kind; });
    if (found == end) return 0;
    position_ = static_cast<std::size_t>(found - tape_.begin()) + 1;
    return found->value;
  }

  codec::EncoderWork work_;
  codec::Encoder encoder_;
  const Tape& tape_;
  std::size_t position_ = 0;
  std::size_t n_kept_;
  unsigned rate_;
  test::Random& random_;
};

}  // namespace libsync::cross
