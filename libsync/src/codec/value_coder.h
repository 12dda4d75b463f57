// value_coder.h: by how much entries change. Format: docs/WIRE_FORMAT.md section 3.5. One template for both directions:
// see entropy_coder.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "codec/entropy_coder.h"
#include "codec/models.h"

namespace libsync::codec {

template <typename Coder>
class ValueCoder {
 public:
  ValueCoder(Coder& coder, Models& models) : coder_(coder), models_(models) {}

  // A value that is not zero: its length in bits, sign and second bit by models, the rest as it is. `index`: of its
  // model, which is made when it is needed first (ColumnModel::values).
  std::int32_t value(std::uint32_t& index, std::int32_t delta) {
    if (index == 0) {
      models_.values.emplace_back();
      index = static_cast<std::uint32_t>(models_.values.size());
    }
    ValueModel& model = models_.values[index - 1];
    std::uint32_t magnitude = 0, high = 0, detail = 0;
    if constexpr (!Coder::kDecodes) {
      magnitude = delta < 0 ? 0u - static_cast<std::uint32_t>(delta) : static_cast<std::uint32_t>(delta);
      const auto length = static_cast<std::uint32_t>(std::bit_width(magnitude)) - 1;
      high = length >> 2;
      detail = (length & 3) << 1 | (delta < 0 ? 1u : 0u);
    }
    high = learnt(model.nibbles[16], models_.size, high);
    detail = learnt(model.nibbles[high], models_.details[high], detail);
    const std::uint32_t length = (high << 2 | detail >> 1) & 31;
    magnitude = 1u << length | coder_.raw(length, magnitude & ((1u << length) - 1));
    return static_cast<std::int32_t>((detail & 1) != 0 ? 0u - magnitude : magnitude);
  }

 private:
  static constexpr std::uint8_t kInfant = 14;

  // A model begins as that of all columns is when it is needed first; that one learns from models that are still new.
  std::uint32_t learnt(std::uint32_t& index, Nibble& parent, std::uint32_t symbol) {
    if (index == 0) {
      models_.nibbles.push_back(parent);
      models_.nibbles.back().seen = std::min<std::uint8_t>(parent.seen, 1);
      index = static_cast<std::uint32_t>(models_.nibbles.size());
    }
    Nibble& model = models_.nibbles[index - 1];
    const bool is_new = model.seen < kInfant;
    symbol = coder_.nibble(model, symbol);
    if (is_new) parent.learn(symbol);
    return symbol;
  }

  Coder& coder_;
  Models& models_;
};

}  // namespace libsync::codec
