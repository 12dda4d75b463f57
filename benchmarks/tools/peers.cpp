#include "peers.h"

#include <cstring>

namespace libsync::tools {
namespace {

// What a server sends that has no deltas.
class FullSnapshot final : public PairCoder {
 public:
  std::string name() const override { return "full snapshot"; }
  bool encode(Bytes& patch) override {
    patch.assign(target_.begin(), target_.end());
    return true;
  }
  bool apply(BytesView patch) override {
    std::memcpy(result_.data(), patch.data(), patch.size());
    return true;
  }
};

}  // namespace

Peers make_peers() {
  Peers peers;
  peers.coders.push_back(std::make_unique<FullSnapshot>());
#ifdef LIBSYNC_HAS_ZSTD
  add_zstd(peers.coders);
#else
  peers.missing.push_back("zstd: built without libzstd-dev");
#endif
  add_programs(peers);
#ifdef LIBSYNC_HAS_LIBRSYNC
  add_librsync(peers.coders);
#else
  peers.missing.push_back("librsync: built without librsync-dev");
#endif
#ifdef LIBSYNC_HAS_LZ4
  add_lz4(peers.coders);
#else
  peers.missing.push_back("lz4: built without liblz4-dev");
#endif
#ifdef LIBSYNC_HAS_ZLIB
  add_deflate(peers.coders);
#else
  peers.missing.push_back("permessage-deflate: built without zlib1g-dev");
#endif
  return peers;
}

}  // namespace libsync::tools
