// bytes_compare.h: which bytes of two buffers differ, many at a time.
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace libsync::codec {

// Of 64 bytes: a bit for each that differs.
inline std::uint64_t differing_bytes(const std::byte* a, const std::byte* b) {
  std::uint64_t bits = 0;
#if defined(__SSE2__)
  const auto* left = reinterpret_cast<const __m128i*>(a);
  const auto* right = reinterpret_cast<const __m128i*>(b);
  for (int i = 0; i < 4; ++i) {
    const __m128i equal = _mm_cmpeq_epi8(_mm_loadu_si128(left + i), _mm_loadu_si128(right + i));
    bits |= std::uint64_t{static_cast<std::uint32_t>(_mm_movemask_epi8(equal))} << (16 * i);
  }
  return ~bits;
#else
  if (std::memcmp(a, b, 64) == 0) return 0;
  for (std::uint32_t i = 0; i < 64; ++i) bits |= std::uint64_t{a[i] != b[i]} << i;
  return bits;
#endif
}

}  // namespace libsync::codec
