#include "admission.h"

#include <algorithm>
#include <iterator>

namespace libsync::server {
namespace {

// An IPv6 customer owns a /64 at least, so that is what counts as one address.
std::string key_of(const boost::asio::ip::address& address) {
  if (address.is_v4()) return address.to_string();
  const boost::asio::ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) {
    return boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, v6).to_string();
  }
  const auto bytes = v6.to_bytes();
  return std::string(bytes.begin(), bytes.begin() + 8);
}

}  // namespace

std::optional<Admission::Ticket> Admission::admit(const boost::asio::ip::address& address, TimePoint now) {
  std::string key = key_of(address);
  const std::lock_guard lock(mutex_);
  if (connections_ >= limits_.max_connections) return std::nullopt;
  if (addresses_.size() >= sweep_at_) sweep(now);
  const double rate = limits_.new_per_second;
  Entry& entry = addresses_.try_emplace(key, Entry{0, TokenBucket(rate, 2 * rate, now)}).first->second;
  if (entry.connections >= limits_.max_per_address || !entry.bucket.take(now, 1)) return std::nullopt;
  ++entry.connections;
  ++connections_;
  return Ticket(*this, std::move(key));
}

void Admission::release(const std::string& address) {
  const std::lock_guard lock(mutex_);
  --connections_;
  const auto found = addresses_.find(address);
  if (found != addresses_.end()) --found->second.connections;
}

// Entries stay after their last connection, because their bucket has to refill; then they go.
void Admission::sweep(TimePoint now) {
  const double burst = 2.0 * limits_.new_per_second;
  for (auto item = addresses_.begin(); item != addresses_.end();) {
    Entry& entry = item->second;
    const bool idle = entry.connections == 0 && entry.bucket.time_until(now, burst) == Duration::zero();
    item = idle ? addresses_.erase(item) : std::next(item);
  }
  sweep_at_ = std::max<std::size_t>(1024, 2 * addresses_.size());
}

std::uint32_t Admission::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_;
}

}  // namespace libsync::server
