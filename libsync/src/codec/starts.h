// starts.h: where the objects of a buffer begin, in a bit for every second byte.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace libsync::codec {

// As std::popcount, which is a call where the processor is not known to have it.
inline std::uint32_t count_bits(std::uint64_t bits) {
  bits -= bits >> 1 & 0x5555555555555555;
  bits = (bits & 0x3333333333333333) + (bits >> 2 & 0x3333333333333333);
  return static_cast<std::uint32_t>(((bits + (bits >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56);
}

// An ascending set of even positions in [0, size). Once it is complete, count() must be called before anything asks for
// indices. Objects cover the buffer without gaps: each ends where the next begins.
class Starts {
 public:
  Starts() = default;
  explicit Starts(std::uint32_t size_bytes) : size_(size_bytes), bits_(2 * (std::size_t{size_bytes} / 256 + 1)) {}

  bool has(std::uint32_t position) const { return (bits_[position / 128] >> (position / 2 % 64) & 1) != 0; }
  void add(std::uint32_t position) { bits_[position / 128] |= std::uint64_t{1} << (position / 2 % 64); }
  // Adds those of `other` in [begin, end), each `distance` further. Requires: begin < end, all three are multiples of
  // 2, and none of the positions from the first to the last is in this set so far.
  void add_moved(const Starts& other, std::uint32_t begin, std::uint32_t end, std::uint32_t distance);
  void count();

  // The rest: after count().
  // Index of the last one at or before `position`. Requires: there is one.
  std::uint32_t index_of(std::uint32_t position) const {
    const std::uint32_t word = position / 128;
    const std::uint32_t before = before_[word / 2] + (word % 2 != 0 ? count_bits(bits_[word - 1]) : 0);
    return before + count_bits(bits_[word] & up_to(position)) - 1;
  }
  // The last one at or before `position`. Requires: there is one.
  std::uint32_t begin_of(std::uint32_t position) const {
    std::uint32_t word = position / 128;
    std::uint64_t bits = bits_[word] & up_to(position);
    for (int i = 0; bits == 0; bits = bits_[--word]) {
      if (++i == kNear) return far_before(position);
    }
    return 128 * word + 2 * (63 - static_cast<std::uint32_t>(std::countl_zero(bits)));
  }
  // The first one behind `position`, which must be below the size; without any the size.
  std::uint32_t next(std::uint32_t position) const {
    std::uint32_t word = position / 128;
    std::uint64_t bits = bits_[word] & ~up_to(position);
    for (int i = 0; bits == 0; bits = bits_[word]) {
      if (++word == bits_.size()) return size_;
      if (++i == kNear) return far_behind(position);
    }
    return 128 * word + 2 * static_cast<std::uint32_t>(std::countr_zero(bits));
  }
  std::uint32_t at(std::uint32_t index) const;

  // Calls visit(position) for each in [begin, end), ascending.
  template <typename Visit>
  void for_each(std::uint32_t begin, std::uint32_t end, Visit visit) const {
    for (std::uint32_t word = begin / 128; std::uint64_t{128} * word < end; ++word) {
      std::uint64_t bits = bits_[word];
      if (begin > 128 * word) bits &= ~std::uint64_t{0} << ((begin + 1) / 2 % 64);
      for (; bits != 0; bits &= bits - 1) {
        const std::uint32_t position = 128 * word + 2 * static_cast<std::uint32_t>(std::countr_zero(bits));
        if (position >= end) return;
        visit(position);
      }
    }
  }
  // 128 bytes of the buffer.
  std::uint64_t word(std::uint32_t index) const { return bits_[index]; }

  std::size_t memory_bytes() const {
    return bits_.capacity() * sizeof(std::uint64_t) + before_.capacity() * sizeof(std::uint32_t);
  }

 private:
  // Words to look at before counting is quicker.
  static constexpr int kNear = 8;
  static std::uint64_t up_to(std::uint32_t position) { return ~std::uint64_t{0} >> (63 - position / 2 % 64); }
  // Calls, so that what is near can be inlined.
  std::uint32_t far_before(std::uint32_t position) const;
  std::uint32_t far_behind(std::uint32_t position) const;

  std::uint32_t size_ = 0;
  std::uint32_t n_ = 0;
  std::vector<std::uint64_t> bits_ = std::vector<std::uint64_t>(2);
  std::vector<std::uint32_t> before_;  // [pairs of words] how many come before them
};

}  // namespace libsync::codec
