// byte_writer.h: appends the encodings of docs/WIRE_FORMAT.md to a byte vector.
#pragma once

#include <cstddef>
#include <cstdint>

#include "libsync/types.h"

namespace libsync {

// Bytes that write_varint takes for `value`.
constexpr std::size_t varint_size(std::uint64_t value) {
  std::size_t size = 1;
  while (value >= 0x80) {
    value >>= 7;
    ++size;
  }
  return size;
}

// Maps a signed number to an unsigned one so that small magnitudes stay small: 0, -1, 1, -2 ... become 0, 1, 2, 3 ...
constexpr std::uint64_t zigzag64(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag64(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}
constexpr std::uint32_t zigzag32(std::uint32_t difference) {
  return (difference << 1) ^ static_cast<std::uint32_t>(static_cast<std::int32_t>(difference) >> 31);
}
constexpr std::uint32_t unzigzag32(std::uint32_t value) { return (value >> 1) ^ (0u - (value & 1)); }

class ByteWriter {
 public:
  explicit ByteWriter(Bytes& out) : out_(out) {}

  void u8(std::uint8_t value) { out_.push_back(std::byte{value}); }
  void u64(std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) u8(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      u8(static_cast<std::uint8_t>(value | 0x80));
      value >>= 7;
    }
    u8(static_cast<std::uint8_t>(value));
  }
  void bytes(BytesView view) { out_.insert(out_.end(), view.begin(), view.end()); }

 private:
  Bytes& out_;
};

}  // namespace libsync
