// coverage.h: which bytes of a snapshot are spoken for while its structure is found.
// Rules: docs/WIRE_FORMAT.md section 3.3, "Claims".
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace libsync::codec {

// Starts of objects, which are even, and words of four bytes.
class Coverage {
 public:
  explicit Coverage(std::uint32_t size) : size_(size), claimed_(size / 128 + 1), covered_(size / 256 + 1) {}

  bool is_claimed(std::uint32_t start) const { return (claimed_[start / 128] >> (start / 2 % 64) & 1) != 0; }
  void claim(std::uint32_t start) { claimed_[start / 128] |= std::uint64_t{1} << (start / 2 % 64); }

  bool is_covered(std::uint32_t position) const { return (covered_[position / 256] >> (position / 4 % 64) & 1) != 0; }
  // Whole words from the first that begins at or after `begin`, up to the one that holds the last byte.
  void cover(std::uint32_t begin, std::uint64_t end) {
    end = std::min<std::uint64_t>(end, size_);
    for (std::uint64_t word = (std::uint64_t{begin} + 3) / 4; word < (end + 3) / 4; ++word) {
      covered_[word / 64] |= std::uint64_t{1} << (word % 64);
    }
  }

 private:
  std::uint32_t size_;
  std::vector<std::uint64_t> claimed_;  // a bit for every second byte
  std::vector<std::uint64_t> covered_;  // a bit for every fourth
};

}  // namespace libsync::codec
