// peer_zstd.cpp: `zstd --patch-from`: the baseline is a prefix of the window.
#define ZSTD_STATIC_LINKING_ONLY  // ZSTD_getCParams
#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "peers.h"

namespace libsync::tools {
namespace {

struct FreeContexts {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

class Zstd final : public PairCoder {
 public:
  // `long_distance`: as the command does it, which switches it on where the window is longer than the search; without
  // it small snapshots are a little smaller and large ones are not found again.
  Zstd(int level, bool long_distance)
      : level_(level), long_distance_(long_distance), encoder_(ZSTD_createCCtx()), decoder_(ZSTD_createDCtx()) {}

  std::string name() const override {
    return "zstd -" + std::to_string(level_) + (long_distance_ ? " --patch-from" : " prefix, no LDM");
  }

  bool encode(Bytes& patch) override {
    ZSTD_CCtx* const context = encoder_.get();
    ZSTD_CCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level_);
    // FIO_adjustParamsForPatchFromMode in programs/fileio.c of zstd 1.5.
    const std::size_t longest = std::max(baseline_.size(), target_.size());
    const int window_log =
        std::clamp(static_cast<int>(std::bit_width(longest)), ZSTD_WINDOWLOG_MIN, ZSTD_WINDOWLOG_MAX);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    const ZSTD_compressionParameters level = ZSTD_getCParams(level_, target_.size(), baseline_.size());
    const int cycle_log = static_cast<int>(level.chainLog) - (level.strategy >= ZSTD_btlazy2 ? 1 : 0);
    ZSTD_CCtx_setParameter(context, ZSTD_c_enableLongDistanceMatching,
                           long_distance_ && window_log > cycle_log ? ZSTD_ps_enable : ZSTD_ps_disable);
    ZSTD_CCtx_refPrefix(context, baseline_.data(), baseline_.size());
    patch.resize(ZSTD_compressBound(target_.size()));
    const std::size_t size = ZSTD_compress2(context, patch.data(), patch.size(), target_.data(), target_.size());
    if (ZSTD_isError(size)) return false;
    patch.resize(size);
    return true;
  }

  bool apply(BytesView patch) override {
    ZSTD_DCtx* const context = decoder_.get();
    ZSTD_DCtx_reset(context, ZSTD_reset_session_and_parameters);
    ZSTD_DCtx_setParameter(context, ZSTD_d_windowLogMax, ZSTD_WINDOWLOG_MAX);
    ZSTD_DCtx_refPrefix(context, baseline_.data(), baseline_.size());
    return ZSTD_decompressDCtx(context, result_.data(), result_.size(), patch.data(), patch.size()) == result_.size();
  }

 private:
  int level_;
  bool long_distance_;
  std::unique_ptr<ZSTD_CCtx, FreeContexts> encoder_;
  std::unique_ptr<ZSTD_DCtx, FreeContexts> decoder_;
};

}  // namespace

void add_zstd(Coders& coders) {
  for (const int level : {1, 3, 19}) {
    coders.push_back(std::make_unique<Zstd>(level, true));
    coders.push_back(std::make_unique<Zstd>(level, false));
  }
}

}  // namespace libsync::tools
