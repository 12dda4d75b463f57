// model_patch.h: a slow, obvious reading of docs/WIRE_FORMAT.md section 3, for apply_patch to agree with.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libsync/types.h"

namespace libsync::test {

// The target, or nothing where the document calls the patch an error. The digest is not looked at.
inline std::optional<Bytes> model_apply(const Bytes& baseline, const Bytes& patch, std::uint64_t max_target) {
  std::size_t at = 0;
  bool bad = false;
  const auto byte = [&]() -> std::uint64_t {
    if (at >= patch.size()) {
      bad = true;
      return 0;
    }
    return std::to_integer<std::uint64_t>(patch[at++]);
  };
  const auto varint = [&]() -> std::uint64_t {
    __extension__ using Wide = unsigned __int128;
    Wide value = 0;
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t b = byte();
      value |= static_cast<Wide>(b & 0x7f) << (7 * i);
      if ((b & 0x80) == 0) {
        if (b == 0 && i > 0) bad = true;
        if (value >> 64 != 0) bad = true;
        return static_cast<std::uint64_t>(value);
      }
    }
    bad = true;
    return 0;
  };
  if (byte() != 1) return std::nullopt;
  if (varint() != baseline.size() || bad) return std::nullopt;
  const std::uint64_t target_size = varint();
  if (bad || target_size > max_target) return std::nullopt;
  for (int i = 0; i < 8; ++i) byte();
  Bytes target;
  std::int64_t cursor = 0;
  const auto baseline_size = static_cast<std::int64_t>(baseline.size());
  int last = -1;
  while (!bad && at < patch.size()) {
    const std::uint64_t op = varint();
    const int kind = static_cast<int>(op & 3);
    const std::uint64_t n = op >> 2;
    if (bad || n == 0) return std::nullopt;
    if (last == 2 && kind != 0 && kind != 3) return std::nullopt;
    if ((kind == 0 || kind == 1) && last == kind) return std::nullopt;
    last = kind;
    if (kind == 2) {
      const bool negative = (n & 1) != 0;
      const std::uint64_t distance = negative ? (n >> 1) + 1 : n >> 1;
      if (distance > (std::uint64_t{1} << 40)) return std::nullopt;
      cursor += negative ? -static_cast<std::int64_t>(distance) : static_cast<std::int64_t>(distance);
      if (cursor < 0 || cursor > baseline_size) return std::nullopt;
      continue;
    }
    for (std::uint64_t i = 0; i < n; ++i) {
      if (target.size() >= target_size) return std::nullopt;
      if (kind == 1) {
        target.push_back(static_cast<std::byte>(byte()));
        if (bad) return std::nullopt;
      } else if (kind == 0) {
        if (cursor >= baseline_size) return std::nullopt;
        target.push_back(baseline[static_cast<std::size_t>(cursor++)]);
      } else {
        if (cursor + 4 > baseline_size || target.size() + 4 > target_size) return std::nullopt;
        const std::uint64_t z = varint();
        if (bad || z > 0xffffffffu) return std::nullopt;
        const std::int64_t difference =
            (z & 1) != 0 ? -static_cast<std::int64_t>(z >> 1) - 1 : static_cast<std::int64_t>(z >> 1);
        std::uint64_t lane = 0;
        for (int k = 0; k < 4; ++k) {
          lane |= std::to_integer<std::uint64_t>(baseline[static_cast<std::size_t>(cursor + k)]) << (8 * k);
        }
        lane += static_cast<std::uint64_t>(difference);
        for (int k = 0; k < 4; ++k) target.push_back(static_cast<std::byte>(lane >> (8 * k)));
        cursor += 4;
      }
    }
  }
  if (bad || last == 2 || target.size() != target_size) return std::nullopt;
  return target;
}

}  // namespace libsync::test
