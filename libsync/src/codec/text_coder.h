// text_coder.h: strings and other bytes that are coded as characters. Format: docs/WIRE_FORMAT.md section 3.5.
// One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <cstdint>

#include "codec/entropy_coder.h"
#include "codec/models.h"
#include "codec/structure.h"

namespace libsync::codec {

template <typename Coder>
class TextCoder {
 public:
  TextCoder(Coder& coder, TextModels& models) : coder_(coder), models_(models) {}

  // A string from the text of another: what they begin and end with, and what is between. `room`: bytes of the object.
  // For an Encoder `object` is the target's. False: no text fits (Decoder).
  bool text(BytesView source, std::uint32_t predicted_length, std::byte* object, std::uint32_t room) {
    Bytes& out = text_;
    std::uint32_t length = 0, prefix = 0, suffix = 0;
    bool is_raw = false;
    BytesView target;
    const auto source_size = static_cast<std::uint32_t>(source.size());
    if constexpr (!Coder::kDecodes) {
      length = room >= 5 ? load32(object) : 0;
      is_raw = room < 5 || length > room - 5 || !is_zero({object + 4 + length, room - 4 - length});
      if (!is_raw) {
        target = {object + 4, length};
        const std::uint32_t most = std::min(source_size, length);
        while (prefix < most && source[prefix] == target[prefix]) ++prefix;
        while (suffix < most - prefix && source[source_size - 1 - suffix] == target[length - 1 - suffix]) ++suffix;
      }
    }
    if (coder_.bit(models_.is_raw_text, is_raw)) {
      for (std::uint32_t i = 0; i < room; ++i) {
        const std::byte value = character(i == 0 ? std::byte{0} : object[i - 1], object[i]);
        if constexpr (Coder::kDecodes) object[i] = value;
      }
      return true;
    }
    const auto step = static_cast<std::int32_t>(length - predicted_length);
    const std::uint32_t zigzag = coder_.number(
        models_.length_step, static_cast<std::uint32_t>(step) << 1 ^ static_cast<std::uint32_t>(step >> 31));
    length = predicted_length + (zigzag >> 1 ^ (0u - (zigzag & 1)));
    if (room < 5 || length > room - 5) return false;
    const std::uint32_t most = std::min(source_size, length);
    prefix = coder_.number(models_.prefix, prefix);
    if (prefix > most) return false;
    suffix = coder_.number(models_.suffix, suffix);
    if (suffix > most - prefix) return false;
    if constexpr (Coder::kDecodes) {
      out.assign(source.begin(), source.begin() + prefix);
      out.resize(length);
      std::copy(source.end() - suffix, source.end(), out.end() - suffix);
    }
    std::byte previous = prefix > 0 ? source[prefix - 1] : std::byte{0};
    for (std::uint32_t i = prefix; i < length - suffix; ++i) {
      previous = character(previous, Coder::kDecodes ? std::byte{0} : target[i]);
      if constexpr (Coder::kDecodes) out[i] = previous;
    }
    if constexpr (Coder::kDecodes) {
      store32(object, length);
      std::copy(out.begin(), out.end(), object + 4);
      std::fill(object + 4 + length, object + room, std::byte{0});
    }
    return true;
  }
  std::byte character(std::byte previous, std::byte value) {
    const auto code = static_cast<std::uint32_t>(value);
    const std::uint32_t high = coder_.nibble(models_.high[static_cast<std::uint32_t>(previous) >> 4], code >> 4);
    return static_cast<std::byte>(high << 4 | coder_.nibble(models_.low[high], code & 15));
  }

 private:
  static bool is_zero(BytesView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
  }

  Coder& coder_;
  TextModels& models_;
  Bytes text_;
};

}  // namespace libsync::codec
