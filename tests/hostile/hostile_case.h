// hostile_case.h: a patch that is made to be slow, what it is applied to, and how long that takes.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "libsync/patch.h"
#include "unit/odd_layouts.h"
#include "unit/scripted_patch.h"

namespace libsync::hostile {

using Values = std::vector<std::uint32_t>;

struct Case {
  std::string name;
  Bytes baseline;
  Bytes patch;
  std::size_t target_size = 0;
};

inline Limits wide_limits() {
  Limits limits;
  limits.max_snapshot_bytes = 1u << 28;
  return limits;
}

// The least of `n` runs, in nanoseconds. Everything counts: the structure of the baseline, hashing, allocation.
inline double time_of(const Case& each, int n) {
  double least = 1e18;
  for (int i = 0; i < n; ++i) {
    const SnapshotPtr held = Snapshot::copy_of(each.baseline);
    const auto begin = std::chrono::steady_clock::now();
    const bool is_target = apply_patch(*held, each.patch, wide_limits()).has_value();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    least = std::min(least, took.count());
    static_cast<void>(is_target);  // a patch that is refused late is as slow
  }
  return least;
}

inline Values repeated(const Values& values, std::size_t times) {
  Values all;
  all.reserve(values.size() * times);
  for (std::size_t i = 0; i < times; ++i) all.insert(all.end(), values.begin(), values.end());
  return all;
}

inline Case moved(const std::string& name, const Bytes& baseline, std::size_t target_size, const Values& values) {
  const test::ScriptedPatch scripted =
      test::scripted_patch(*Snapshot::copy_of(baseline), PatchKind::kMoved, target_size, values);
  return {name + (scripted.target ? "" : " (refused)"), baseline, scripted.patch, target_size};
}
inline Case in_place(const std::string& name, const Bytes& baseline, const Values& values) {
  const test::ScriptedPatch scripted =
      test::scripted_patch(*Snapshot::copy_of(baseline), PatchKind::kInPlace, baseline.size(), values);
  return {name + (scripted.target ? "" : " (refused)"), baseline, scripted.patch, baseline.size()};
}
inline Case sent(const std::string& name, const Bytes& baseline, const Bytes& target) {
  Case made{name, baseline, {}, target.size()};
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), made.patch);
  return made;
}

// Of nothing but an excerpt, as large as it may be, and a target; `values` as in moved(), for the latter.
inline Case whole(const std::string& name, std::size_t target_size, std::size_t excerpt_size, const Values& values) {
  Values all(2 * excerpt_size);
  all.insert(all.end(), values.begin(), values.end());
  test::Script script(std::move(all));
  Bytes target(target_size);
  codec::Context context = codec::new_context(nullptr);
  const bool is_target = codec::decode_whole(context, script, excerpt_size, target);
  Case made{name + (is_target ? "" : " (refused)"), {}, {}, target_size};
  ByteWriter writer(made.patch);
  writer.u8(static_cast<std::uint8_t>(PatchKind::kWhole));
  writer.varint(target_size);
  writer.u64(digest_of(target).value);
  writer.varint(excerpt_size);
  writer.bytes(script.stream());
  return made;
}

// --- baselines. Types: 0 other, 1 vtables, 2 the root, then as they are found.

// A root with one field that refers to what follows at 24; a vtable at 12 for it.
inline test::Layout with_root(std::size_t size) {
  test::Layout out(size);
  out.refer(0, 16);
  out.vtable(4, 8, {4});
  out.table(16, 4);
  out.refer(20, 24);
  return out;
}

// A vector of tables, type 4, of `n_fields` fields of a byte each; all share one vtable.
inline Bytes tables_of_bytes(std::uint32_t n_tables, std::uint32_t n_fields) {
  const std::uint32_t table_bytes = (4 + n_fields + 3) / 4 * 4;
  const std::uint32_t vtable = 28 + 4 * n_tables, first = vtable + (4 + 2 * n_fields + 3) / 4 * 4;
  test::Layout out = with_root(first + n_tables * table_bytes);
  out.u32(24, n_tables);
  out.u16(vtable, 4 + 2 * n_fields);
  out.u16(vtable + 2, 4 + n_fields);
  for (std::uint32_t i = 0; i < n_fields; ++i) out.u16(vtable + 4 + 2 * i, 4 + i);
  for (std::uint32_t i = 0; i < n_tables; ++i) {
    out.refer(28 + 4 * i, first + i * table_bytes);
    out.table(first + i * table_bytes, vtable);
  }
  return out.bytes;
}

// The same, each table with a vtable of its own, its fields of four bytes.
inline Bytes tables_of_own_vtables(std::uint32_t n_tables, std::uint32_t n_fields) {
  const std::uint32_t vtable_bytes = (4 + 2 * n_fields + 3) / 4 * 4, table_bytes = 4 + 4 * n_fields;
  const std::uint32_t first = 28 + 4 * n_tables, each = vtable_bytes + table_bytes;
  test::Layout out = with_root(first + n_tables * each);
  out.u32(24, n_tables);
  for (std::uint32_t i = 0; i < n_tables; ++i) {
    const std::uint32_t vtable = first + i * each;
    out.refer(28 + 4 * i, vtable + vtable_bytes);
    out.u16(vtable, 4 + 2 * n_fields);
    out.u16(vtable + 2, table_bytes);
    for (std::uint32_t k = 0; k < n_fields; ++k) out.u16(vtable + 4 + 2 * k, 4 + 4 * k);
    out.table(vtable + vtable_bytes, vtable);
  }
  return out.bytes;
}

// Tables each of which refers to the next, of a type of its own.
inline Bytes chain_of_types(std::uint32_t n_types) {
  test::Layout out = with_root(24 + 16 * n_types + 16);
  for (std::uint32_t i = 0; i < n_types; ++i) {
    const std::uint32_t vtable = 32 + 16 * i;
    if (i == 0) out.refer(20, vtable + 8);
    out.vtable(vtable, 8, {4});
    out.table(vtable + 8, vtable);
    if (i + 1 < n_types) out.refer(vtable + 12, vtable + 24);
  }
  return out.bytes;
}

// A vector of data, type 3, of `n` bytes.
inline Bytes data_of(std::uint32_t n) {
  test::Layout out = with_root(28 + n + 4);
  out.u32(24, n);
  for (std::uint32_t i = 0; i < n; ++i) out.bytes[28 + i] = static_cast<std::byte>(i % 3 == 0 ? 0 : 200);
  return out.bytes;
}

}  // namespace libsync::hostile
