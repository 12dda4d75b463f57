// byte_reader.h: a bounds-checked cursor over untrusted bytes. Every read says whether it succeeded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "libsync/types.h"

namespace libsync {

class ByteReader {
 public:
  explicit ByteReader(BytesView bytes) : bytes_(bytes) {}

  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  bool at_end() const { return position_ == bytes_.size(); }

  bool read_u8(std::uint8_t& value) {
    if (at_end()) return false;
    value = std::to_integer<std::uint8_t>(bytes_[position_++]);
    return true;
  }

  bool read_u64(std::uint64_t& value) {
    if (remaining() < 8) return false;
    value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
      value |= std::to_integer<std::uint64_t>(bytes_[position_ + i]) << (8 * i);
    }
    position_ += 8;
    return true;
  }

  // Shortest LEB128 of a value up to `max`; anything else is refused.
  bool read_varint(std::uint64_t& value, std::uint64_t max) {
    std::uint64_t result = 0;
    for (unsigned shift = 0;; shift += 7) {
      if (at_end()) return false;
      const auto byte = std::to_integer<std::uint64_t>(bytes_[position_++]);
      if (shift == 63 && byte > 1) return false;  // beyond 64 bits
      result |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        if (byte == 0 && shift != 0) return false;  // a shorter form exists
        value = result;
        return result <= max;
      }
    }
  }

  bool read_bytes(std::size_t count, BytesView& view) {
    if (count > remaining()) return false;
    view = bytes_.subspan(position_, count);
    position_ += count;
    return true;
  }

  BytesView rest() {
    const BytesView view = bytes_.subspan(position_);
    position_ = bytes_.size();
    return view;
  }

 private:
  BytesView bytes_;
  std::size_t position_ = 0;
};

}  // namespace libsync
