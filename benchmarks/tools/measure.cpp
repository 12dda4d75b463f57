#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "statistics.h"

namespace libsync::tools {
namespace {

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// 0 to count - 1, each once: multiples of the golden ratio, modulo 1, are spread evenly however many one takes.
std::vector<std::size_t> spread_order(std::size_t count) {
  std::vector<std::size_t> order;
  std::vector<bool> used(count);
  double place = 0.5;
  while (order.size() < count) {
    place = std::fmod(place + 0.6180339887498949, 1.0);
    std::size_t index = static_cast<std::size_t>(place * static_cast<double>(count));
    while (used[index]) index = (index + 1) % count;
    used[index] = true;
    order.push_back(index);
  }
  return order;
}

std::vector<std::size_t> plain_order(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

// Runs `work` up to `passes` times; the median in seconds, or less than 0 when it failed.
template <typename Before, typename Work>
double median_seconds(std::size_t passes, double max_seconds, Before before, Work work) {
  std::vector<double> times;
  const auto start = SteadyClock::now();
  do {
    before();
    const auto begin = SteadyClock::now();
    if (!work()) return -1;
    times.push_back(seconds_since(begin));
  } while (times.size() < passes && seconds_since(start) < max_seconds);
  return percentile(times, 0.5);
}

}  // namespace

Measurement measure(const traces::TraceReader& trace, std::size_t lag, Coder& coder, const Effort& effort) {
  Measurement all;
  all.coder = coder.name();
  all.note = coder.note();
  all.timed = coder.is_timed();
  all.lag = lag;
  all.pairs_of_trace = trace.size() - lag;
  const bool sampled = effort.max_seconds > 0 && !coder.is_stream();
  const std::size_t passes = coder.is_stream() || !coder.is_timed() ? 1 : effort.passes;
  std::vector<double> sizes;
  double bytes = 0, encode_seconds = 0, apply_seconds = 0;
  Bytes patch;
  const auto start = SteadyClock::now();
  for (const std::size_t index : sampled ? spread_order(all.pairs_of_trace) : plain_order(all.pairs_of_trace)) {
    const BytesView target = trace.snapshot(index + lag);
    coder.prepare(lag == 0 ? BytesView() : trace.snapshot(index), target);
    const double encode = median_seconds(
        passes, effort.max_pair_seconds, [&] { coder.before_encode(); }, [&] { return coder.encode(patch); });
    const double apply = encode < 0 ? -1
                                    : median_seconds(
                                          passes, effort.max_pair_seconds, [&] { coder.before_apply(); },
                                          [&] { return coder.apply(patch); });
    all.verified = all.verified && apply >= 0 && std::ranges::equal(coder.result(), target);
    if (!all.verified) break;
    sizes.push_back(static_cast<double>(patch.size()));
    bytes += static_cast<double>(target.size());
    encode_seconds += encode;
    apply_seconds += apply;
    if (sampled && seconds_since(start) > effort.max_seconds) break;
  }
  all.pairs = sizes.size();
  all.snapshot_bytes_mean = sizes.empty() ? 0 : bytes / static_cast<double>(sizes.size());
  all.patch_bytes_mean = mean(sizes);
  all.patch_bytes_p99 = percentile(sizes, 0.99);
  if (all.timed && encode_seconds > 0) all.encode_bytes_per_second = bytes / encode_seconds;
  if (all.timed && apply_seconds > 0) all.apply_bytes_per_second = bytes / apply_seconds;
  return all;
}

double memcmp_bytes_per_second(const traces::TraceReader& trace, std::size_t passes) {
  double bytes = 0, seconds = 0;
  for (std::size_t i = 0; i < trace.size(); i += std::max<std::size_t>(1, trace.size() / 10)) {
    const Bytes one(trace.snapshot(i).begin(), trace.snapshot(i).end());
    Bytes two = one;
    // Through a volatile pointer the call cannot be left out.
    int (*volatile compare)(const void*, const void*, std::size_t) = std::memcmp;
    seconds += median_seconds(
        passes, 1, [] {}, [&] { return compare(one.data(), two.data(), one.size()) == 0; });
    bytes += static_cast<double>(one.size());
  }
  return seconds > 0 ? bytes / seconds : 0;
}

}  // namespace libsync::tools
