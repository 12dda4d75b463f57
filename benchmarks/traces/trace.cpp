#include "trace.h"

namespace libsync::traces {

Trace::Trace(const WorkloadInfo& info, std::uint64_t seed, std::uint32_t snapshots)
    : workload_(info.make(seed)), left_(snapshots == 0 ? info.snapshots : snapshots) {}

bool Trace::next() {
  if (left_ == 0) return false;
  --left_;
  if (started_) {
    past_.push_front(workload_->world());
    if (past_.size() > kMaxLag) past_.pop_back();
    workload_->step();
  }
  started_ = true;
  build_world(workload_->world(), builder_);
  return true;
}

BytesView Trace::snapshot() const {
  return {reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize()};
}

std::optional<FieldDelta> Trace::delta(std::size_t lag) const {
  if (lag == 0 || lag > past_.size()) return std::nullopt;
  return field_delta(past_[lag - 1], workload_->world());
}

}  // namespace libsync::traces
