// admission.h: who may connect at all: caps on connections and a rate of new ones per address.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "libsync/token_bucket.h"
#include "libsync/types.h"

namespace libsync::server {

struct AdmissionLimits {
  std::uint32_t max_connections = 20'000;
  std::uint32_t max_per_address = 256;
  std::uint32_t new_per_second = 20;  // per address; burst: twice as many
};

// Shared by the shards and locked, because the caps are exact over all of them. This is the one lock of the server;
// it is taken when a connection begins and ends, never while state is sent.
class Admission {
 public:
  // The right to one connection. Gives it back when it goes.
  class Ticket {
   public:
    Ticket(Admission& admission, std::string address) : admission_(&admission), address_(std::move(address)) {}
    Ticket(Ticket&& other) noexcept
        : admission_(std::exchange(other.admission_, nullptr)), address_(std::move(other.address_)) {}
    Ticket& operator=(Ticket&& other) noexcept {
      std::swap(admission_, other.admission_);
      std::swap(address_, other.address_);
      return *this;
    }
    ~Ticket() {
      if (admission_ != nullptr) admission_->release(address_);
    }

   private:
    Admission* admission_;
    std::string address_;
  };

  explicit Admission(const AdmissionLimits& limits) : limits_(limits) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Nothing: the peer has to wait. Requires: the admission outlives the ticket.
  std::optional<Ticket> admit(const boost::asio::ip::address& address, TimePoint now);

  std::uint32_t connections() const;

 private:
  struct Entry {
    std::uint32_t connections = 0;
    TokenBucket bucket;
  };

  void release(const std::string& address);
  void sweep(TimePoint now);

  const AdmissionLimits limits_;
  mutable std::mutex mutex_;
  std::uint32_t connections_ = 0;
  std::map<std::string, Entry> addresses_;
  std::size_t sweep_at_ = 1024;
};

}  // namespace libsync::server
