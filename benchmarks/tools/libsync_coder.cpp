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
    const SnapshotPtr next = Snapshot::copy_of(baseline);
    // A receiver that has the baseline from the patch before has its context too.
    const bool goes_on =
        snapshot_ != nullptr && next->digest() == snapshot_->digest() && n_continued_ < kMaxPatchesPerContext;
    n_continued_ = goes_on ? n_continued_ + 1 : 0;
    before_sent_ = goes_on ? std::move(sent_) : PatchContext();
    before_received_ = goes_on ? std::move(received_) : PatchContext();
    baseline_ = next;
    target_ = target;
  }
  void before_encode() override {
    snapshot_ = nullptr;
    taken_.assign(target_.begin(), target_.end());
    sent_ = before_sent_;
  }
  bool encode(Bytes& patch) override {
    snapshot_ = Snapshot::take(std::move(taken_), baseline_.get());
    make_patch(*baseline_, *snapshot_, patch, kPatchFormat, &sent_);
    return true;
  }
  void before_apply() override { received_ = before_received_; }
  bool apply(BytesView patch) override {
    Result<SnapshotPtr> applied = apply_patch(*baseline_, patch, limits_, &received_);
    result_ = applied ? *applied : nullptr;
    return applied.has_value();
  }
  BytesView result() const override { return result_->bytes(); }

 private:
  static constexpr std::size_t kMaxPatchesPerContext = 128;

  Limits limits_;
  SnapshotPtr baseline_, snapshot_, result_;
  BytesView target_;
  Bytes taken_;
  PatchContext before_sent_, sent_, before_received_, received_;
  std::size_t n_continued_ = 0;
};

}  // namespace

std::unique_ptr<Coder> make_libsync_coder() { return std::make_unique<LibsyncCoder>(); }

}  // namespace libsync::tools
