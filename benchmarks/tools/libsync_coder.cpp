#include "libsync_coder.h"

#include <limits>
#include <utility>

#include "libsync/patch.h"

namespace libsync::tools {
namespace {

class LibsyncCoder final : public Coder {
 public:
  LibsyncCoder() { limits_.max_snapshot_bytes = std::numeric_limits<std::uint32_t>::max(); }

  std::string name() const override { return "libsync"; }

  void prepare(BytesView baseline, BytesView target) override {
    baseline_ = Snapshot::copy_of(baseline);
    target_ = target;
  }
  void before_encode() override {
    snapshot_ = nullptr;
    taken_.assign(target_.begin(), target_.end());
  }
  bool encode(Bytes& patch) override {
    snapshot_ = Snapshot::take(std::move(taken_), baseline_.get());
    make_patch(*baseline_, *snapshot_, patch);
    return true;
  }
  bool apply(BytesView patch) override {
    Result<SnapshotPtr> applied = apply_patch(*baseline_, patch, limits_);
    result_ = applied ? *applied : nullptr;
    return applied.has_value();
  }
  BytesView result() const override { return result_->bytes(); }

 private:
  Limits limits_;
  SnapshotPtr baseline_, snapshot_, result_;
  BytesView target_;
  Bytes taken_;
};

}  // namespace

std::unique_ptr<Coder> make_libsync_coder() { return std::make_unique<LibsyncCoder>(); }

}  // namespace libsync::tools
