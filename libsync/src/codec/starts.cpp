#include "codec/starts.h"

#include <algorithm>

namespace libsync::codec {

void Starts::count() {
  before_.resize(bits_.size() / 2);
  n_ = 0;
  for (std::size_t pair = 0; pair < before_.size(); ++pair) {
    before_[pair] = n_;
    n_ += count_bits(bits_[2 * pair]) + count_bits(bits_[2 * pair + 1]);
  }
}

void Starts::add_moved(const Starts& other, std::uint32_t begin, std::uint32_t end, std::uint32_t distance) {
  const std::uint32_t first = (begin + distance) / 2;  // bit
  for (std::uint32_t bit = begin / 2, to = first; bit < (end + 1) / 2;) {
    // As many as one word of each side holds.
    const std::uint32_t n = std::min({64 - bit % 64, 64 - to % 64, (end + 1) / 2 - bit});
    const std::uint64_t bits = other.bits_[bit / 64] >> (bit % 64) & (~std::uint64_t{0} >> (64 - n));
    bits_[to / 64] |= bits << (to % 64);
    bit += n;
    to += n;
  }
}

std::uint32_t Starts::at(std::uint32_t index) const {
  const auto behind = std::upper_bound(before_.begin(), before_.end(), index);
  const auto pair = static_cast<std::size_t>(behind - before_.begin()) - 1;
  std::uint32_t left = index - before_[pair];
  std::size_t word = 2 * pair;
  if (const std::uint32_t n = count_bits(bits_[word]); left >= n) {
    left -= n;
    ++word;
  }
  std::uint64_t bits = bits_[word];
  for (; left > 0; --left) bits &= bits - 1;
  return static_cast<std::uint32_t>(128 * word) + 2 * static_cast<std::uint32_t>(std::countr_zero(bits));
}

std::uint32_t Starts::far_before(std::uint32_t position) const { return at(index_of(position)); }

std::uint32_t Starts::far_behind(std::uint32_t position) const {
  const std::uint32_t index = index_of(position) + 1;
  return index < n_ ? at(index) : size_;
}

}  // namespace libsync::codec
