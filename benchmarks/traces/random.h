// random.h: pseudo-random numbers that are the same with every compiler and library.
#pragma once

#include <array>
#include <cstdint>

namespace libsync::traces {

// xoshiro256** 1.0 of Blackman and Vigna, seeded through splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // In [0, count). Requires: count > 0. The bias of the multiplication is below count / 2^32.
  std::uint32_t below(std::uint32_t count) { return static_cast<std::uint32_t>((next() >> 32) * count >> 32); }
  // In [low, high].
  int between(int low, int high) { return low + static_cast<int>(below(static_cast<std::uint32_t>(high - low + 1))); }
  // In [low, high), a multiple of 2^-53 of the range.
  double uniform(double low, double high) { return low + (high - low) * (static_cast<double>(next() >> 11) * 0x1p-53); }
  bool chance(double probability) { return uniform(0, 1) < probability; }
  // A number of [-largest, -1] or [1, largest].
  int step(int largest) {
    const int size = between(1, largest);
    return chance(0.5) ? size : -size;
  }

 private:
  static std::uint64_t rotate(std::uint64_t value, int bits) { return value << bits | value >> (64 - bits); }

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace libsync::traces
