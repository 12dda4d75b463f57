// libsync-hostile [--bytes N]: how long the decoder can be kept busy. Times apply_patch() on patches and baselines made
// to be slow, and prints nanoseconds for each byte of patch, baseline and target together; the worst last. N: about how
// many bytes of baseline or target (1000000).
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "codec/excerpt.h"
#include "libsync/patch.h"
#include "unit/odd_layouts.h"
#include "unit/scripted_patch.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace {

using namespace libsync;
using Values = std::vector<std::uint32_t>;

struct Case {
  std::string name;
  Bytes baseline;
  Bytes patch;
  std::size_t target_size = 0;
};

Limits wide_limits() {
  Limits limits;
  limits.max_snapshot_bytes = 1u << 28;
  return limits;
}

// The least of some runs, in nanoseconds. Everything counts: the structure of the baseline, hashing, allocation.
double time_of(const Case& each) {
  double least = 1e18;
  for (int i = 0; i < 5; ++i) {
    const SnapshotPtr held = Snapshot::copy_of(each.baseline);
    const auto begin = std::chrono::steady_clock::now();
    const bool is_target = apply_patch(*held, each.patch, wide_limits()).has_value();
    const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - begin;
    least = std::min(least, took.count());
    static_cast<void>(is_target);  // a patch that is refused late is as slow
  }
  return least;
}

Values repeated(const Values& values, std::size_t times) {
  Values all;
  all.reserve(values.size() * times);
  for (std::size_t i = 0; i < times; ++i) all.insert(all.end(), values.begin(), values.end());
  return all;
}

Case moved(const std::string& name, const Bytes& baseline, std::size_t target_size, const Values& values) {
  const test::ScriptedPatch scripted =
      test::scripted_patch(*Snapshot::copy_of(baseline), PatchKind::kMoved, target_size, values);
  return {name + (scripted.target ? "" : " (refused)"), baseline, scripted.patch, target_size};
}
Case in_place(const std::string& name, const Bytes& baseline, const Values& values) {
  const test::ScriptedPatch scripted =
      test::scripted_patch(*Snapshot::copy_of(baseline), PatchKind::kInPlace, baseline.size(), values);
  return {name + (scripted.target ? "" : " (refused)"), baseline, scripted.patch, baseline.size()};
}
Case sent(const std::string& name, const Bytes& baseline, const Bytes& target) {
  Case made{name, baseline, {}, target.size()};
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), made.patch);
  return made;
}

// Of nothing but an excerpt, as large as it may be, and a target; `values` as in moved(), for the latter.
Case whole(const std::string& name, std::size_t target_size, std::size_t excerpt_size, const Values& values) {
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
test::Layout with_root(std::size_t size) {
  test::Layout out(size);
  out.refer(0, 16);
  out.vtable(4, 8, {4});
  out.table(16, 4);
  out.refer(20, 24);
  return out;
}

// A vector of tables, type 4, of `n_fields` fields of a byte each; all share one vtable.
Bytes tables_of_bytes(std::uint32_t n_tables, std::uint32_t n_fields) {
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

// The same, each table with a vtable of its own: `is_small`, without fields.
Bytes tables_of_own_vtables(std::uint32_t n_tables, std::uint32_t n_fields) {
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
Bytes chain_of_types(std::uint32_t n_types) {
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
Bytes data_of(std::uint32_t n) {
  test::Layout out = with_root(28 + n + 4);
  out.u32(24, n);
  for (std::uint32_t i = 0; i < n; ++i) out.bytes[28 + i] = static_cast<std::byte>(i % 3 == 0 ? 0 : 200);
  return out.bytes;
}

std::vector<Case> make_cases(std::uint32_t n) {
  std::vector<Case> cases;
  test::Random random(1);
  const Bytes tiny = tables_of_bytes(1, 0), noise = test::random_bytes(random, n);
  cases.push_back(moved("fresh tables of four bytes, a step each", tiny, n, repeated({3, 4, 0}, n / 4)));
  cases.push_back(moved("fresh vtables of four bytes, a step each", tiny, n, repeated({3, 1, 0}, n / 4)));
  cases.push_back(moved("raw bytes, two a step", tiny, n, repeated({8, 1, 0, 0, 0, 0}, n / 2)));
  cases.push_back(moved("raw bytes, two a step, all different", tiny, n, [&] {
    Values values;
    for (std::uint32_t i = 0; i < n / 2; ++i) {
      const Values step{8, 1, i % 16, i / 16 % 16, i / 7 % 16, i / 5 % 16};
      values.insert(values.end(), step.begin(), step.end());
    }
    return values;
  }()));
  cases.push_back(moved("splices of nothing, as many as bytes", data_of(64), n, [&] {
    Values values{5, 1, n - 100};
    values.resize(3 + 3 * std::size_t{n - 100});
    return values;
  }()));
  cases.push_back(moved("an element inserted by a splice, for each byte", data_of(64), n, [&] {
    Values values{5, 1, n - 100};
    for (std::uint32_t i = 0; i < n - 100; ++i) values.insert(values.end(), {0, 0, 1});
    return values;
  }()));
  const Bytes many = tables_of_bytes(n / 8, 0), dense = tables_of_bytes(n / 250, 240);
  cases.push_back(moved("runs of one", many, many.size(), repeated({0, 0}, n / 8)));
  cases.push_back(moved("jumps of one, far apart", many, many.size(), [&] {
    Values values;
    for (std::uint32_t i = 0; i < n / 16; ++i) values.insert(values.end(), {1, 4, 2 * (n / 8 - 1 - i), 0});
    return values;
  }()));
  cases.push_back(moved("skips of one", many, n, repeated({2, 0}, n / 8)));
  for (const std::uint32_t n_fields : {1, 8, 50}) {
    const Bytes own = tables_of_own_vtables(n / (8 + 12 + 6 * n_fields), n_fields);
    cases.push_back(in_place("a vtable of its own for each table, fields: " + std::to_string(n_fields), own, {}));
    cases.push_back(moved("the same, moved, fields: " + std::to_string(n_fields), own, own.size() + 8, {0, 0x7ffffff}));
  }
  const Bytes types = chain_of_types(n / 16);
  cases.push_back(in_place("a type for each table", types, {}));
  cases.push_back(moved("the same, moved", types, types.size() + 8, repeated({0, 0}, n / 8)));
  cases.push_back(sent("every byte of tables of bytes changed", dense, [&] {
    Bytes target = dense;
    for (std::size_t at = 28 + 4 * (n / 250) + 484; at < target.size(); ++at)
      if ((at - 28 - 4 * (n / 250) - 484) % 244 >= 4) target[at] = static_cast<std::byte>(1 + at % 255);
    return target;
  }()));
  cases.push_back(sent("noise to noise", noise, test::random_bytes(random, n)));
  cases.push_back(sent("every byte of data changed", data_of(n), [&] {
    Bytes target = data_of(n);
    for (std::size_t at = 28; at < 28 + std::size_t{n}; ++at) target[at] ^= static_cast<std::byte>(1 + at % 120);
    return target;
  }()));
  for (const std::uint32_t n_tables : {n / 4000, n / 400, n / 40}) {
    const Bytes crowded = test::crowded_layout(n_tables, std::min(n / 32, 16000u));
    cases.push_back(in_place("large tables four bytes apart: " + std::to_string(n_tables), crowded, {}));
  }
  cases.push_back(moved("raw bytes, all in one step", tiny, n, {8, n - 1}));
  cases.push_back(whole("the largest excerpt", n, codec::max_excerpt_bytes(n), {8, n - 1}));
  cases.push_back(sent("a world from nothing", {}, test::small_world(n / 100).build()));
  cases.push_back(in_place("text read over and over", test::costly_layout(3, 3, n / 2), {}));
  cases.push_back(in_place("references read over and over", test::costly_layout(60, n / 400, 8), {}));
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint32_t n = 1'000'000;
  if (argc == 3 && std::string(argv[1]) == "--bytes")
    n = static_cast<std::uint32_t>(std::strtoul(argv[2], nullptr, 10));
  if ((argc != 1 && argc != 3) || n < 1000) {
    std::fprintf(stderr, "usage: %s [--bytes N], N at least 1000\n", argv[0]);
    return 2;
  }
  std::printf("%-56s %10s %10s %10s %9s\n", "", "baseline", "target", "patch", "ns/byte");
  std::string worst_name;
  double worst = 0;
  for (const Case& each : make_cases(n)) {
    const auto n_bytes = static_cast<double>(each.baseline.size() + each.target_size + each.patch.size());
    const double per_byte = time_of(each) / n_bytes;
    std::printf("%-56s %10zu %10zu %10zu %9.1f\n", each.name.c_str(), each.baseline.size(), each.target_size,
                each.patch.size(), per_byte);
    if (per_byte > worst) worst = per_byte, worst_name = each.name;
  }
  std::printf("worst: %.1f ns/byte: %s\n", worst, worst_name.c_str());
  return 0;
}
