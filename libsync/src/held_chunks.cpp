#include "libsync/held_chunks.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>
#include <vector>

#include "byte_writer.h"
#include "libsync/patch.h"
#include "patch_encoder.h"

namespace libsync {
namespace {

constexpr std::uint32_t kFactorA = 2654435761u, kFactorB = 2246822519u;

std::uint32_t power(std::uint32_t factor, std::size_t exponent) {
  std::uint32_t result = 1;
  for (; exponent > 0; exponent >>= 1, factor *= factor) {
    if ((exponent & 1) != 0) result *= factor;
  }
  return result;
}

// The fingerprint of so many numbers of a text of them, from one place to the next. Two polynomials of the mixed
// numbers (Karp and Rabin 1987, modulo 2^32: the mixing makes up for the weak low bits of such a modulus).
class RollingFingerprint {
 public:
  // Requires: 4 * n bytes at `from`.
  RollingFingerprint(const std::byte* from, std::size_t n)
      : n_(n), leaving_a_(power(kFactorA, n)), leaving_b_(power(kFactorB, n)) {
    restart(from);
  }
  void restart(const std::byte* from) {
    at_ = from;
    a_ = b_ = 0;
    for (std::size_t i = 0; i < n_; ++i) take(from + 4 * i);
  }
  // To the place four bytes further. Requires: they are there.
  void advance() {
    const std::uint32_t leaves = mixed(at_);
    take(at_ + 4 * n_);
    a_ -= leaves * leaving_a_;
    b_ -= leaves * leaving_b_;
    at_ += 4;
  }
  std::uint64_t value() const { return a_ | std::uint64_t{b_ >> 16} << 32; }

 private:
  static std::uint32_t mixed(const std::byte* at) {
    std::uint32_t x = 0;
    for (unsigned i = 0; i < 4; ++i) x |= std::to_integer<std::uint32_t>(at[i]) << (8 * i);
    x = (x ^ x >> 15) * 2246822507u;
    return x ^ x >> 13;
  }
  void take(const std::byte* at) {
    const std::uint32_t m = mixed(at);
    a_ = a_ * kFactorA + m;
    b_ = b_ * kFactorB + m;
  }

  std::size_t n_;
  std::uint32_t leaving_a_, leaving_b_;
  const std::byte* at_ = nullptr;
  std::uint32_t a_ = 0, b_ = 0;
};

// Which chunk has a fingerprint. Whatever they are, asking takes no longer than a search in a sorted list.
class ChunkIndex {
 public:
  explicit ChunkIndex(BytesView fingerprints) : may_have_(65536) {
    for (std::size_t i = 0; i < fingerprints.size() / kHeldFingerprintBytes; ++i) {
      std::uint64_t value = 0;
      for (unsigned k = 0; k < kHeldFingerprintBytes; ++k)
        value |= std::to_integer<std::uint64_t>(fingerprints[i * kHeldFingerprintBytes + k]) << (8 * k);
      values_.push_back(value);
      sorted_.emplace_back(value, static_cast<std::uint32_t>(i));
      may_have_[value >> 16 & 0xffff] = true;
    }
    std::sort(sorted_.begin(), sorted_.end());
  }
  std::size_t size() const { return values_.size(); }
  // size() if there is none. Of several the one at `preferred`, if it is one of them, else the first.
  std::size_t find(std::uint64_t value, std::size_t preferred) const {
    if (!may_have_[value >> 16 & 0xffff]) return size();
    if (preferred < size() && values_[preferred] == value) return preferred;
    const auto at = std::lower_bound(sorted_.begin(), sorted_.end(), std::pair{value, std::uint32_t{0}});
    return at != sorted_.end() && at->first == value ? at->second : size();
  }

 private:
  std::vector<std::uint64_t> values_;                            // [chunks]
  std::vector<std::pair<std::uint64_t, std::uint32_t>> sorted_;  // with their chunk
  std::vector<bool> may_have_;                                   // [16 bits of a fingerprint]
};

// Ops of kBytes, neighbours of one kind as one.
class OpWriter {
 public:
  OpWriter(BytesView target, Bytes& out) : target_(target), writer_(out) {}

  // Requires: `from` of the baseline holds what comes next in the target.
  void copy(std::size_t from, std::size_t count) {
    if (n_copied_ > 0 && from != copy_from_ + n_copied_) flush_copy();
    if (n_copied_ == 0) copy_from_ = from;
    n_copied_ += count;
    position_ += count;
  }
  void add(std::size_t count) {
    if (count == 0) return;
    flush_copy();
    op(PatchOp::kAdd, count);
    writer_.bytes(target_.subspan(position_, count));
    position_ += count;
  }
  void finish() { flush_copy(); }

 private:
  void op(PatchOp kind, std::uint64_t count) { writer_.varint(count << 2 | static_cast<std::uint64_t>(kind)); }
  void flush_copy() {
    if (n_copied_ == 0) return;
    if (copy_from_ != cursor_) {
      op(PatchOp::kSeek, zigzag64(static_cast<std::int64_t>(copy_from_) - static_cast<std::int64_t>(cursor_)));
    }
    op(PatchOp::kCopy, n_copied_);
    cursor_ = copy_from_ + n_copied_;
    n_copied_ = 0;
  }

  BytesView target_;
  ByteWriter writer_;
  std::size_t position_ = 0;  // in the target
  std::size_t cursor_ = 0;    // the receiver's, in the baseline
  std::size_t copy_from_ = 0, n_copied_ = 0;
};

}  // namespace

std::size_t held_chunk_bytes(std::size_t size_bytes) {
  return std::max(kMinHeldChunkBytes, std::bit_ceil((size_bytes + kMaxHeldChunks - 1) / kMaxHeldChunks));
}

HeldChunks HeldChunks::of(BytesView bytes) {
  const std::size_t chunk = held_chunk_bytes(bytes.size());
  HeldChunks held{bytes.size(), {}};
  held.fingerprints.reserve(bytes.size() / chunk * kHeldFingerprintBytes);
  for (std::size_t at = 0; at + chunk <= bytes.size(); at += chunk) {
    const std::uint64_t value = RollingFingerprint(bytes.data() + at, chunk / 4).value();
    for (unsigned i = 0; i < kHeldFingerprintBytes; ++i)
      held.fingerprints.push_back(static_cast<std::byte>(value >> (8 * i)));
  }
  return held;
}

bool HeldChunks::is_valid(const Limits& limits) const {
  return size_bytes <= limits.max_snapshot_bytes &&
         fingerprints.size() == size_bytes / held_chunk_bytes(size_bytes) * kHeldFingerprintBytes;
}

void make_chunk_diff(const HeldChunks& held, const Snapshot& target, Bytes& out) {
  const BytesView bytes = target.bytes();
  out.clear();
  ByteWriter writer(out);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kBytes));
  writer.varint(held.size_bytes);
  writer.varint(bytes.size());
  writer.u64(target.digest().value);
  OpWriter ops(bytes, out);
  const ChunkIndex chunks(held.fingerprints);
  const std::size_t chunk = held_chunk_bytes(held.size_bytes);
  std::size_t told = 0;  // bytes of the target
  if (chunks.size() > 0 && bytes.size() >= chunk) {
    RollingFingerprint fingerprint(bytes.data(), chunk / 4);
    std::size_t at = 0, preferred = 0;
    while (true) {
      const std::size_t found = chunks.find(fingerprint.value(), preferred);
      const bool is_there = found < chunks.size();
      if (is_there) {
        ops.add(at - told);
        ops.copy(found * chunk, chunk);
        told = at += chunk;
        preferred = found + 1;
      } else {
        at += 4;
      }
      if (at + chunk > bytes.size()) break;
      if (is_there) {
        fingerprint.restart(bytes.data() + at);
      } else {
        fingerprint.advance();
      }
    }
  }
  ops.add(bytes.size() - told);
  ops.finish();
}

}  // namespace libsync
