// gap_coder.h: how many rows or strings of a type changed, and which. Format: docs/WIRE_FORMAT.md section 3.5. One
// template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "codec/entropy_coder.h"
#include "codec/models.h"

namespace libsync::codec {

template <typename Coder>
class GapCoder {
 public:
  GapCoder(Coder& coder, Models& models, TypeModel& model) : coder_(coder), models_(models), model_(model) {}

  // How many changed, of rows: that did not change last time.
  std::uint32_t count(std::uint32_t n) {
    if (!model_.has_count) {
      model_.has_count = true;
      model_.count = models_.count;
      model_.count.length.seen = std::min<std::uint8_t>(models_.count.length.seen, 1);
    }
    n = coder_.number(model_.count, n);
    models_.count.length.learn(std::min<std::uint32_t>(static_cast<std::uint32_t>(std::bit_width(n + 1)) - 1, 15));
    return n;
  }

  // Rows to leave out before the next of `n_left` changed ones among the last `n_rows`. What an even spread would give
  // is known to both ends: the bits below it are not modelled. False: malformed (Decoder).
  bool gap(std::uint32_t n_rows, std::uint32_t n_left, std::uint32_t& gap) {
    const std::uint32_t most = n_rows - n_left;
    if (most == 0) return gap == 0;
    const auto raw_bits = static_cast<unsigned>(std::max(0, static_cast<int>(std::bit_width(n_rows / n_left)) - 3));
    std::uint32_t high = coder_.nibble(model_.gaps.near, std::min(gap >> raw_bits, 15u));
    if (high == 15) high += coder_.number(model_.gaps.far, (gap >> raw_bits) - 15);
    if (high > most >> raw_bits) return false;
    gap = high << raw_bits | coder_.raw(raw_bits, gap & ((1u << raw_bits) - 1));
    return gap <= most;
  }

 private:
  Coder& coder_;
  Models& models_;
  TypeModel& model_;
};

}  // namespace libsync::codec
