// stride.h: how many bytes an element of a vector of data has. Rules: docs/WIRE_FORMAT.md section 3.3, "Stride".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "codec/structure.h"

namespace libsync::codec {

inline constexpr std::uint32_t kMaxStride = 256;

// As many as fit everywhere, in vectors of a type. `starts`: of these; `room(i)`: bytes behind the length of vector i.
template <typename Room>
std::uint32_t stride_of(const std::byte* bytes, const std::vector<std::uint32_t>& starts, Room room) {
  std::uint32_t stride = kMaxStride;
  bool is_exact = false;  // no padding could hide an element more
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::uint32_t count = load32(bytes + starts[i]);
    if (count == 0) continue;
    stride = std::min(stride, room(i) / count);
    is_exact = is_exact || count >= 16;
  }
  if (is_exact) return stride;
  return stride >= 4 ? stride / 4 * 4 : stride >= 2 ? 2 : stride;
}

}  // namespace libsync::codec
