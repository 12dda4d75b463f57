// element_coder.h: what the elements of vectors of references refer to. Format: docs/WIRE_FORMAT.md section 3.4,
// "Elements". One template for both directions: see entropy_coder.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "codec/entropy_coder.h"
#include "codec/layout.h"
#include "codec/models.h"

namespace libsync::codec {

template <typename Coder>
class ElementCoder {
 public:
  // `bytes`: the target, which only an Encoder has. The elements go to `prediction` in both directions.
  ElementCoder(Coder& coder, ArrangementModels& models, const Structure& base, BytesView baseline, const Layout& layout,
               const std::byte* bytes, std::byte* prediction)
      : coder_(coder),
        models_(models),
        base_(base),
        baseline_(baseline),
        layout_(layout),
        bytes_(bytes),
        prediction_(prediction) {}

  // False: malformed (Decoder).
  bool run() {
    coder_.begin(Part::kElements);
    for (const ReferenceVector& vector : layout_.reference_vectors()) {
      if (!elements_of(vector)) return false;
    }
    return true;
  }

 private:
  bool elements_of(const ReferenceVector& vector) {
    const Object& object = vector.object;
    const Structure& target = layout_.structure();
    list_ = target.groups[target.types()[object.type].element].starts;
    const auto n = static_cast<std::int64_t>(list_.size());
    const Object from = base_.object(vector.source);
    const std::uint32_t old_count = std::min(length_of(from), std::max(1u, from.size() / 4) - 1);
    const std::uint32_t count = std::min(vector.count, std::max(1u, object.size() / 4) - 1);
    const std::int64_t direction = direction_of(from, old_count);
    // Where the first one was leads to where it is.
    std::int64_t expected = direction > 0 ? 0 : n - 1;
    if (old_count > 0) {
      const std::uint32_t first = from.start + 4;
      const std::uint64_t referred = std::uint64_t{first} + load32(baseline_.data() + first);
      const std::uint32_t start =
          referred < baseline_.size()
              ? layout_.where(base_.starts.begin_of(static_cast<std::uint32_t>(referred)), vector.piece)
              : kNone;
      if (start != kNone) expected = std::lower_bound(list_.begin(), list_.end(), start) - list_.begin();
    }
    for (std::uint32_t i = 0; i < count;) {
      std::uint32_t run = 0;
      std::int64_t actual = 0;
      if constexpr (!Coder::kDecodes) {
        while (i + run < count && is_element(object.start + 4 + 4 * (i + run), cut(expected + direction * run))) ++run;
        if (i + run < count) actual = rank_of_element(object.start + 4 + 4 * (i + run));
      }
      run = coder_.number(models_.element_run, run);
      if (run > count - i) return false;
      for (std::uint32_t k = 0; k < run; ++k, ++i, expected += direction)
        refer(cut(expected), object.start + 4 + 4 * i);
      if (i == count) break;
      const std::uint32_t step =
          coder_.number(models_.element_step, zigzag(static_cast<std::uint32_t>(actual - cut(expected))));
      actual = cut(expected) + static_cast<std::int32_t>(unzigzag(step));
      if (actual < 0 || actual >= n) return false;
      refer(actual, object.start + 4 + 4 * i);
      ++i;
      expected = actual + direction;
    }
    return true;
  }

  std::uint32_t length_of(const Object& from) const {
    return from.size() >= 4 ? load32(baseline_.data() + from.start) : 0;
  }
  std::int64_t cut(std::int64_t rank) const {
    return std::clamp<std::int64_t>(rank, 0, static_cast<std::int64_t>(list_.size()) - 1);
  }
  void refer(std::int64_t rank, std::uint32_t position) {
    store32(prediction_ + position, list_[static_cast<std::size_t>(rank)] - position);
  }
  // Whether rank_of_element() would give `rank`.
  bool is_element(std::uint32_t position, std::int64_t rank) const {
    return target_of(position) == list_[static_cast<std::size_t>(rank)] || rank_of_element(position) == rank;
  }
  // The object that the element refers to, or the last one before.
  std::int64_t rank_of_element(std::uint32_t position) const {
    const auto behind = std::upper_bound(list_.begin(), list_.end(), target_of(position));
    return std::max<std::int64_t>(behind - list_.begin() - 1, 0);
  }
  std::uint64_t target_of(std::uint32_t position) const { return std::uint64_t{position} + load32(bytes_ + position); }
  // Whether the elements of the baseline's vector go up or down in memory. Many new ones may be made of a long one.
  std::int64_t direction_of(const Object& from, std::uint32_t count) {
    constexpr std::uint32_t kLong = 16;
    if (count < kLong) return find_direction(from, count);
    const auto [known, is_new] = directions_.try_emplace(from.start, 0);
    if (is_new) known->second = find_direction(from, count);
    return known->second;
  }
  std::int64_t find_direction(const Object& from, std::uint32_t count) const {
    std::uint32_t up = 0;
    for (std::uint32_t i = 0; i + 1 < count; ++i) {
      const std::byte* at = baseline_.data() + from.start + 4 + 4 * i;
      up += load32(at + 4) + 4 > load32(at) ? 1u : 0u;
    }
    return 2 * up + 1 >= count ? 1 : -1;
  }

  Coder& coder_;
  ArrangementModels& models_;
  const Structure& base_;
  BytesView baseline_;
  const Layout& layout_;
  const std::byte* bytes_;
  std::byte* prediction_;
  std::span<const std::uint32_t> list_;                         // objects of the element type in the target
  std::unordered_map<std::uint32_t, std::int64_t> directions_;  // of long vectors of the baseline
};

}  // namespace libsync::codec
