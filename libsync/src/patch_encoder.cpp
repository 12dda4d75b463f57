#include "patch_encoder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace libsync {
namespace {

constexpr std::size_t kLane = 4;
constexpr std::size_t kBlock = 16;
// Lanes looked at to judge a shift. Fewer mistake a chance match for an alignment, more react too late to its end.
constexpr std::size_t kProbeLanes = 32;
// A lane that has no counterpart in the baseline costs its bytes.
constexpr std::size_t kLiteralLaneCost = 4;
// Another shift must be this much cheaper over the probe: it costs a seek and an op.
constexpr std::size_t kSwitchCost = 6;
// An equal lane between two changed ones is cheaper as a zero difference than as a copy of its own.
constexpr std::size_t kMinCopyBytes = 2 * kLane;

std::uint32_t load32(const std::byte* at) {
  std::uint32_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}
std::uint64_t load64(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Multiplicative hash of 16 bytes (Knuth, TAOCP 3, 6.4); its top bits are the index.
std::uint32_t hash_block(const std::byte* at, unsigned bits) {
  const std::uint64_t mixed = (load64(at) * 0x9E3779B97F4A7C15u) ^ std::rotl(load64(at + 8) * 0xC2B2AE3D27D4EB4Fu, 31);
  return static_cast<std::uint32_t>((mixed * 0x165667B19E3779F9u) >> (64 - bits));
}

}  // namespace

PatchEncoder::PatchEncoder(BytesView baseline, BytesView target, Bytes& out)
    : baseline_(baseline), target_(target), writer_(out) {}

void PatchEncoder::run() {
  std::int64_t shift = 0;
  std::size_t at = 0;
  // Lanes coded since the shift was last judged; a fitting shift is judged again only after something changed.
  std::size_t lanes_since_choice = kProbeLanes;
  while (at < target_.size()) {
    const std::size_t equal = equal_run(at, shift);
    if (equal >= kMinCopyBytes || at + equal == target_.size()) {
      const std::size_t count = at + equal == target_.size() ? equal : equal - equal % kLane;
      emit_from_baseline(at, shift, count, true);
      at += count;
      lanes_since_choice = kProbeLanes;
      continue;
    }
    if (lanes_since_choice >= kProbeLanes / 4) {
      lanes_since_choice = 0;
      const std::int64_t chosen = choose_shift(at, shift);
      if (chosen != shift) {
        shift = chosen;
        continue;
      }
    }
    ++lanes_since_choice;
    const std::size_t count = std::min(kLane, target_.size() - at);
    const bool in_lanes =
        count == kLane && lane_in_baseline(at, shift) &&
        varint_size(zigzag32(load32(&target_[at]) -
                             load32(&baseline_[static_cast<std::size_t>(static_cast<std::int64_t>(at) + shift)]))) <=
            kLane;
    if (in_lanes) {
      emit_from_baseline(at, shift, count, false);
    } else {
      emit_literal(at, count);
    }
    at += count;
  }
  flush();
}

bool PatchEncoder::lane_in_baseline(std::size_t target_position, std::int64_t shift) const {
  const std::int64_t from = static_cast<std::int64_t>(target_position) + shift;
  return from >= 0 && from + static_cast<std::int64_t>(kLane) <= static_cast<std::int64_t>(baseline_.size());
}

std::size_t PatchEncoder::equal_run(std::size_t target_position, std::int64_t shift) const {
  const std::int64_t from = static_cast<std::int64_t>(target_position) + shift;
  if (from < 0 || from >= static_cast<std::int64_t>(baseline_.size())) return 0;
  const std::byte* a = target_.data() + target_position;
  const std::byte* b = baseline_.data() + from;
  const std::size_t limit =
      std::min(target_.size() - target_position, baseline_.size() - static_cast<std::size_t>(from));
  std::size_t equal = 0;
  // Wide first: in a snapshot where little changed this loop is the whole cost.
  constexpr std::size_t kWide = 256;
  while (equal + kWide <= limit && std::memcmp(a + equal, b + equal, kWide) == 0) equal += kWide;
  while (equal + 8 <= limit) {
    const std::uint64_t difference = load64(a + equal) ^ load64(b + equal);
    if (difference != 0) return equal + static_cast<std::size_t>(std::countr_zero(difference)) / 8;
    equal += 8;
  }
  while (equal < limit && a[equal] == b[equal]) ++equal;
  return equal;
}

std::size_t PatchEncoder::cost(std::size_t target_position, std::int64_t shift) const {
  std::size_t total = 0;
  bool was_equal = false;
  for (std::size_t i = 0; i < kProbeLanes; ++i) {
    const std::size_t at = target_position + i * kLane;
    if (at + kLane > target_.size()) break;
    if (!lane_in_baseline(at, shift)) {
      total += kLiteralLaneCost;
      was_equal = false;
      continue;
    }
    const std::uint32_t difference =
        load32(&target_[at]) - load32(&baseline_[static_cast<std::size_t>(static_cast<std::int64_t>(at) + shift)]);
    if (difference == 0) {
      total += was_equal ? 0 : 1;
      was_equal = true;
    } else {
      total += std::min(varint_size(zigzag32(difference)), kLiteralLaneCost);
      was_equal = false;
    }
  }
  return total;
}

std::int64_t PatchEncoder::choose_shift(std::size_t target_position, std::int64_t current) {
  const std::size_t probed = std::min(kProbeLanes, (target_.size() - target_position) / kLane);
  std::int64_t best = current;
  std::size_t best_cost = cost(target_position, current);
  // Cheap enough: a byte or so for every second lane is what change in place looks like.
  if (best_cost <= probed + kSwitchCost) return current;

  std::vector<std::int64_t> candidates = {
      0, static_cast<std::int64_t>(baseline_.size()) - static_cast<std::int64_t>(target_.size())};
  find_indexed_shifts(target_position, candidates);
  for (const std::int64_t candidate : candidates) {
    if (candidate == best) continue;
    const std::size_t candidate_cost = cost(target_position, candidate) + (candidate == current ? 0 : kSwitchCost);
    if (candidate_cost < best_cost) {
      best = candidate;
      best_cost = candidate_cost;
    }
  }
  return best;
}

void PatchEncoder::find_indexed_shifts(std::size_t target_position, std::vector<std::int64_t>& candidates) {
  if (baseline_.size() < kBlock) return;
  if (index_.empty()) build_index();
  // Every baseline block begins at a multiple of 16, so one of four consecutive target lanes meets it.
  const std::size_t end = std::min(target_.size(), target_position + 2 * kBlock);
  for (std::size_t at = target_position; at + kBlock <= end; at += kLane) {
    const std::uint32_t number = index_[hash_block(&target_[at], index_bits_)];
    if (number == 0) continue;
    const std::size_t from = std::size_t{number - 1} * kBlock;
    if (std::memcmp(&baseline_[from], &target_[at], kBlock) != 0) continue;
    candidates.push_back(static_cast<std::int64_t>(from) - static_cast<std::int64_t>(at));
  }
}

void PatchEncoder::build_index() {
  const std::size_t blocks = baseline_.size() / kBlock;
  index_bits_ = std::clamp(static_cast<unsigned>(std::bit_width(blocks * 2)), 8u, 24u);
  index_.assign(std::size_t{1} << index_bits_, 0);
  for (std::size_t i = 0; i < blocks; ++i) {
    std::uint32_t& slot = index_[hash_block(&baseline_[i * kBlock], index_bits_)];
    if (slot == 0) slot = static_cast<std::uint32_t>(i + 1);
  }
}

void PatchEncoder::emit_from_baseline(std::size_t target_position, std::int64_t shift, std::size_t count, bool equal) {
  if (count == 0) return;
  const Pending kind = equal ? Pending::kCopy : Pending::kLanes;
  if (pending_ != kind || pending_shift_ != shift) {
    flush();
    pending_ = kind;
    pending_begin_ = target_position;
    pending_count_ = 0;
    pending_shift_ = shift;
  }
  pending_count_ += count;
}

void PatchEncoder::emit_literal(std::size_t target_position, std::size_t count) {
  if (pending_ != Pending::kAdd) {
    flush();
    pending_ = Pending::kAdd;
    pending_begin_ = target_position;
    pending_count_ = 0;
  }
  pending_count_ += count;
}

void PatchEncoder::flush() {
  if (pending_ == Pending::kNone) return;
  if (pending_ == Pending::kAdd) {
    writer_.varint(std::uint64_t{pending_count_} << 2 | static_cast<std::uint64_t>(PatchOp::kAdd));
    writer_.bytes(target_.subspan(pending_begin_, pending_count_));
    pending_ = Pending::kNone;
    return;
  }
  const auto from = static_cast<std::size_t>(static_cast<std::int64_t>(pending_begin_) + pending_shift_);
  if (from != cursor_) {
    const std::uint64_t distance = zigzag64(static_cast<std::int64_t>(from) - static_cast<std::int64_t>(cursor_));
    writer_.varint(distance << 2 | static_cast<std::uint64_t>(PatchOp::kSeek));
  }
  if (pending_ == Pending::kCopy) {
    writer_.varint(std::uint64_t{pending_count_} << 2 | static_cast<std::uint64_t>(PatchOp::kCopy));
  } else {
    const std::size_t lanes = pending_count_ / kLane;
    writer_.varint(std::uint64_t{lanes} << 2 | static_cast<std::uint64_t>(PatchOp::kLanes));
    for (std::size_t i = 0; i < lanes; ++i) {
      writer_.varint(zigzag32(load32(&target_[pending_begin_ + i * kLane]) - load32(&baseline_[from + i * kLane])));
    }
  }
  cursor_ = from + pending_count_;
  pending_ = Pending::kNone;
}

}  // namespace libsync
