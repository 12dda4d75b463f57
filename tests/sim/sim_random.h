// sim_random.h: the one source of chance in a simulation: xoshiro256** seeded by splitmix64 (Blackman and Vigna, 2018).
#pragma once

#include <array>
#include <cstdint>

#include "libsync/types.h"

namespace libsync::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) {
    for (std::uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() {
    const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }
  // Uniform in [low, high]. Requires: low <= high.
  std::uint64_t pick(std::uint64_t low, std::uint64_t high) { return low + next() % (high - low + 1); }
  Duration pick(Duration low, Duration high) {
    return Duration(static_cast<Duration::rep>(
        pick(static_cast<std::uint64_t>(low.count()), static_cast<std::uint64_t>(high.count()))));
  }
  // True once in `n`.
  bool one_in(std::uint64_t n) { return next() % n == 0; }

 private:
  static std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace libsync::sim
