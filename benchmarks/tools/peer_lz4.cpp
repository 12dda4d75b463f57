// peer_lz4.cpp: the full snapshot, compressed by lz4: the fastest way not to make deltas.
#include <lz4.h>

#include "peers.h"

namespace libsync::tools {
namespace {

class Lz4 final : public PairCoder {
 public:
  std::string name() const override { return "lz4 of the full snapshot"; }

  bool encode(Bytes& patch) override {
    const int size = static_cast<int>(target_.size());
    patch.resize(static_cast<std::size_t>(LZ4_compressBound(size)));
    const int written =
        LZ4_compress_default(reinterpret_cast<const char*>(target_.data()), reinterpret_cast<char*>(patch.data()), size,
                             static_cast<int>(patch.size()));
    patch.resize(static_cast<std::size_t>(written));
    return written > 0;
  }

  bool apply(BytesView patch) override {
    const int size = static_cast<int>(result_.size());
    return LZ4_decompress_safe(reinterpret_cast<const char*>(patch.data()), reinterpret_cast<char*>(result_.data()),
                               static_cast<int>(patch.size()), size) == size;
  }
};

}  // namespace

void add_lz4(Coders& coders) { coders.push_back(std::make_unique<Lz4>()); }

}  // namespace libsync::tools
