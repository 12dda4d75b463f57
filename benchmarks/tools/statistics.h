// statistics.h: mean and percentiles of what a tool measured.
#pragma once

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace libsync::tools {

inline double mean(const std::vector<double>& values) {
  if (values.empty()) return 0;
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// The smallest value that at least `share` of all do not exceed (nearest rank); 0.5: the median.
inline double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = share * static_cast<double>(values.size());
  std::size_t index = static_cast<std::size_t>(rank);
  if (static_cast<double>(index) == rank && index > 0) --index;
  return values[std::min(index, values.size() - 1)];
}

}  // namespace libsync::tools
