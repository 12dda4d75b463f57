// peer_zlib.cpp: permessage-deflate (RFC 7692) with context takeover, as WebSocket servers do it by default: level
// 6, a window of 32 KiB, one stream per connection, the last four bytes of each message left out.
#include <zlib.h>

#include "peers.h"

namespace libsync::tools {
namespace {

class Deflate final : public PairCoder {
 public:
  Deflate() {
    deflateInit2(&deflater_, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
    inflateInit2(&inflater_, -15);
  }
  Deflate(const Deflate&) = delete;
  Deflate& operator=(const Deflate&) = delete;
  ~Deflate() override {
    deflateEnd(&deflater_);
    inflateEnd(&inflater_);
  }

  std::string name() const override { return "permessage-deflate"; }
  bool is_stream() const override { return true; }

  // The first snapshot of the trace opens the connection.
  void prepare(BytesView baseline, BytesView target) override {
    if (!open_) {
      open_ = true;
      PairCoder::prepare({}, baseline);
      Bytes first;
      encode(first);
      apply(first);
    }
    PairCoder::prepare(baseline, target);
  }

  bool encode(Bytes& patch) override {
    patch.resize(deflateBound(&deflater_, static_cast<uLong>(target_.size())) + 16);
    deflater_.next_in = input(target_);
    deflater_.avail_in = static_cast<uInt>(target_.size());
    deflater_.next_out = reinterpret_cast<Bytef*>(patch.data());
    deflater_.avail_out = static_cast<uInt>(patch.size());
    if (deflate(&deflater_, Z_SYNC_FLUSH) != Z_OK || deflater_.avail_in != 0) return false;
    patch.resize(patch.size() - deflater_.avail_out - 4);
    return true;
  }

  bool apply(BytesView patch) override {
    const Bytes tail = {std::byte{0}, std::byte{0}, std::byte{0xff}, std::byte{0xff}};
    inflater_.next_out = reinterpret_cast<Bytef*>(result_.data());
    inflater_.avail_out = static_cast<uInt>(result_.size());
    return feed(patch) && feed(tail) && inflater_.avail_out == 0;
  }

 private:
  static Bytef* input(BytesView bytes) { return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data())); }

  bool feed(BytesView bytes) {
    inflater_.next_in = input(bytes);
    inflater_.avail_in = static_cast<uInt>(bytes.size());
    const int result = inflate(&inflater_, Z_SYNC_FLUSH);
    return (result == Z_OK || result == Z_BUF_ERROR) && inflater_.avail_in == 0;
  }

  z_stream deflater_{};
  z_stream inflater_{};
  bool open_ = false;
};

}  // namespace

void add_deflate(Coders& coders) { coders.push_back(std::make_unique<Deflate>()); }

}  // namespace libsync::tools
