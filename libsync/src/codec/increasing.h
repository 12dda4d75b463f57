// increasing.h: what of a list is in order already.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace libsync::codec {

// Longest strictly increasing subsequence of `values`, as flags.
inline std::vector<bool> increasing(const std::vector<std::uint32_t>& values) {
  constexpr std::uint32_t kNobody = 0xffffffff;
  std::vector<std::uint32_t> tails, previous(values.size(), kNobody);
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    const auto at = std::lower_bound(tails.begin(), tails.end(), values[i],
                                     [&](std::uint32_t t, std::uint32_t v) { return values[t] < v; });
    if (at != tails.begin()) previous[i] = *(at - 1);
    if (at == tails.end()) {
      tails.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<bool> is_in(values.size());
  for (std::uint32_t i = tails.empty() ? kNobody : tails.back(); i != kNobody; i = previous[i]) is_in[i] = true;
  return is_in;
}

}  // namespace libsync::codec
