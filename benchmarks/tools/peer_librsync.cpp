// peer_librsync.cpp: librsync: signature of the baseline, delta against it. The time includes the signature.
#include <librsync.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "peers.h"

namespace libsync::tools {
namespace {

// Bytes as a stdio stream, which is what librsync reads and writes.
class Stream {
 public:
  explicit Stream(BytesView bytes) : file_(::fmemopen(const_cast<std::byte*>(bytes.data()), bytes.size(), "rb")) {}
  Stream() : file_(::open_memstream(&data_, &size_)) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (file_ != nullptr) std::fclose(file_);
    std::free(data_);
  }

  std::FILE* file() { return file_; }
  // What was written.
  BytesView bytes() {
    std::fflush(file_);
    return {reinterpret_cast<const std::byte*>(data_), size_};
  }

 private:
  char* data_ = nullptr;
  std::size_t size_ = 0;
  std::FILE* file_;
};

class Librsync final : public PairCoder {
 public:
  // 0: the block size that librsync recommends.
  explicit Librsync(std::size_t block_bytes) : block_bytes_(block_bytes) {}

  std::string name() const override {
    return block_bytes_ == 0 ? "librsync" : "librsync, " + std::to_string(block_bytes_) + " B blocks";
  }

  bool encode(Bytes& patch) override {
    Stream baseline(baseline_), signature_bytes;
    std::size_t block_bytes = block_bytes_, strong_bytes = 0;
    rs_magic_number magic = RS_RK_BLAKE2_SIG_MAGIC;
    if (rs_sig_args(static_cast<rs_long_t>(baseline_.size()), &magic, &block_bytes, &strong_bytes) != RS_DONE ||
        rs_sig_file(baseline.file(), signature_bytes.file(), block_bytes, strong_bytes, magic, nullptr) != RS_DONE) {
      return false;
    }
    Stream signature_input(signature_bytes.bytes()), target(target_), delta;
    rs_signature_t* signature = nullptr;
    const bool good = rs_loadsig_file(signature_input.file(), &signature, nullptr) == RS_DONE &&
                      rs_build_hash_table(signature) == RS_DONE &&
                      rs_delta_file(signature, target.file(), delta.file(), nullptr) == RS_DONE;
    rs_free_sumset(signature);
    patch.assign(delta.bytes().begin(), delta.bytes().end());
    return good;
  }

  bool apply(BytesView patch) override {
    Stream baseline(baseline_), delta(patch), target;
    if (rs_patch_file(baseline.file(), delta.file(), target.file(), nullptr) != RS_DONE) return false;
    result_.assign(target.bytes().begin(), target.bytes().end());
    return true;
  }

 private:
  std::size_t block_bytes_;
};

}  // namespace

void add_librsync(Coders& coders) {
  coders.push_back(std::make_unique<Librsync>(64));
  coders.push_back(std::make_unique<Librsync>(0));
}

}  // namespace libsync::tools
