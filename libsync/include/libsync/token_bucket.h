// token_bucket.h: a rate with a burst, in whatever unit the caller counts.
#pragma once

#include <algorithm>
#include <cstdint>

#include "libsync/types.h"

namespace libsync {

class TokenBucket {
 public:
  // Starts full. `per_second` is the sustained rate, `burst` the most that can be saved up. Requires: both above zero.
  TokenBucket(double per_second, double burst, TimePoint now)
      : per_second_(per_second), burst_(burst), tokens_(burst), updated_at_(now) {}

  // Takes `amount` if it is there.
  bool take(TimePoint now, double amount) {
    refill(now);
    if (tokens_ < amount) return false;
    tokens_ -= amount;
    return true;
  }

  // How long until `amount` will be there. Zero: now.
  Duration time_until(TimePoint now, double amount) {
    refill(now);
    if (tokens_ >= amount) return Duration::zero();
    const double seconds = (amount - tokens_) / per_second_;
    return Duration(static_cast<Duration::rep>(seconds * 1e6) + 1);
  }

 private:
  void refill(TimePoint now) {
    if (now <= updated_at_) return;
    const double seconds = static_cast<double>((now - updated_at_).count()) / 1e6;
    tokens_ = std::min(burst_, tokens_ + seconds * per_second_);
    updated_at_ = now;
  }

  double per_second_;
  double burst_;
  double tokens_;
  TimePoint updated_at_;
};

}  // namespace libsync
