// What a context may hold at most, whatever a stream says, and what contexts are to those who copy and move them.
#include <doctest/doctest.h>
#include <sys/mman.h>

#include <algorithm>
#include <utility>

#include "libsync/patch.h"
#include "libsync/patch_context.h"
#include "libsync/replica.h"
#include "patch_reader.h"
#include "unit/odd_layouts.h"
#include "unit/scripted_patch.h"
#include "unit/small_world.h"

namespace libsync {
namespace {

using test::small_world;
using test::SmallWorld;

std::uint32_t zigzag(std::int32_t step) {
  return static_cast<std::uint32_t>(step) << 1 ^ static_cast<std::uint32_t>(step >> 31);
}

// A table of each of `n` types, each of 16,000 columns.
Bytes wide_tables(std::uint32_t n) {
  constexpr std::uint32_t kTableBytes = 4 + 4 * 16000;
  const std::uint32_t root = (8 + 2 * n + 3) / 4 * 4, first = root + 4 + 4 * n, each = kTableBytes + 4 * n + 8;
  test::Layout out(first + n * each);
  out.refer(0, root);
  out.u16(4, 4 + 2 * n);
  out.u16(6, 4 + 4 * n);
  for (std::uint32_t i = 0; i < n; ++i) out.u16(8 + 2 * i, 4 + 4 * i);
  out.table(root, 4);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t vtable = first + i * each;
    out.refer(root + 4 + 4 * i, vtable + 4);
    out.vtable(vtable, kTableBytes, {});
    out.table(vtable + 4, vtable);
  }
  return out.bytes;
}

// `n` tables without fields, each with a vtable of its own.
Bytes tables_with_vtables(std::uint32_t n) {
  constexpr std::uint32_t kRoot = 12, kVector = 20, kTypes = 5;
  const std::uint32_t first = kVector + 4 + 4 * n;
  test::Layout out(first + 32 * n + kTypes * 64);  // so long that there is enough to look at them all
  out.refer(0, kRoot);
  out.vtable(4, 8, {4});
  out.table(kRoot, 4);
  out.refer(kRoot + 4, kVector);
  out.u32(kVector, n);
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t vtable = first + 8 * i;
    out.vtable(vtable, 4, {});
    out.table(vtable + 4, vtable);
    out.refer(kVector + 4 + 4 * i, vtable + 4);
  }
  return out.bytes;
}

// `n` tables of one number.
Bytes small_tables(std::uint32_t n) {
  constexpr std::uint32_t kRoot = 12, kVTable = 20, kVector = 28;
  const std::uint32_t first = kVector + 4 + 4 * n;
  test::Layout out(first + 8 * n);
  out.refer(0, kRoot);
  out.vtable(4, 8, {4});
  out.table(kRoot, 4);
  out.refer(kRoot + 4, kVector);
  out.vtable(kVTable, 8, {4});
  out.u32(kVector, n);
  for (std::uint32_t i = 0; i < n; ++i) {
    out.refer(kVector + 4 + 4 * i, first + 8 * i);
    out.table(first + 8 * i, kVTable);
    out.u32(first + 8 * i + 4, 0x7f000000 + i * i);
  }
  return out.bytes;
}

}  // namespace

TEST_CASE("patch: more columns than a context may know are told in another way") {
  for (const std::uint32_t n : {4u, 5u}) {
    const Bytes baseline = wide_tables(n);
    REQUIRE(codec::find_structure(baseline).is_flatbuffer);
    Bytes target = baseline;
    for (std::size_t at = 100; at + 4 <= target.size(); at += 4) {
      if (codec::load32(&target[at]) == 0) target[at + 1] = static_cast<std::byte>(at % 251 + 1);
    }
    codec::Context context =
        codec::new_context(std::make_shared<const codec::Structure>(codec::find_structure(baseline)));
    const ByteRange all{0, static_cast<std::uint32_t>(target.size())};
    Bytes patch;
    CHECK(codec::encode_in_place(context, baseline, target,
                                 codec::differences_of(*context.structure, baseline, target, {&all, 1}),
                                 patch) == (n == 4));
    make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
    const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, Limits{});
    REQUIRE(applied.has_value());
    CHECK(std::ranges::equal((*applied)->bytes(), target));
  }
}

TEST_CASE("patch: of new vtables a context takes no more than their tables could use") {
  const SnapshotPtr held = Snapshot::copy_of(small_world(6).build());
  const codec::Structure& structure = *held->structure();
  std::uint32_t type = 0;
  while (structure.types()[type].kind != codec::Kind::kTable || structure.groups[type].starts.size() != 6) ++type;
  const auto n_known = static_cast<std::uint32_t>(structure.types()[type].shapes.size());
  const codec::Shape& like = structure.shapes()[structure.types()[type].shapes[0]];
  // Step 6 with a vtable of so many fields and a table of so many bytes; step 1: the type's objects, the last first.
  const auto reshape = [&](std::uint32_t n_before, std::uint32_t n_fields, std::uint32_t table_size) {
    return std::vector<std::uint32_t>{6, type, n_known + n_before,
                                      zigzag(static_cast<std::int32_t>(n_fields - like.offsets.size())),
                                      zigzag(static_cast<std::int32_t>(table_size - like.table_size))};
  };
  struct VTable {
    std::uint32_t n_fields, table_size;
  };
  const auto patch_of = [&](const std::vector<VTable>& vtables) {
    std::vector<std::uint32_t> values;
    for (std::uint32_t i = 0; i < vtables.size(); ++i) {
      const std::uint32_t n_fields = vtables[i].n_fields;
      const std::vector<std::uint32_t> one = reshape(i, n_fields, vtables[i].table_size);
      values.insert(values.end(), one.begin(), one.end());
      values.insert(values.end(), n_fields, 0);  // entries as those of the first
      const std::uint32_t jump[] = {1, type, i == 0 ? 0 : zigzag(static_cast<std::int32_t>(i)), 0};
      values.insert(values.end(), std::begin(jump), std::end(jump));
    }
    return test::scripted_patch(*held, PatchKind::kMoved, 3000, values);
  };
  const std::uint32_t fits = like.table_size;
  struct Case {
    std::vector<VTable> vtables;
    bool is_target;
  };
  for (const Case& each : {Case{{{9, fits}}, true},
                           {{{9, fits}, {9, fits}, {9, fits}}, true},
                           {{{9, 3001}}, false},
                           {{{32765, fits}}, true},
                           {{{32766, fits}}, false},
                           {{{32765, fits}, {32765, fits}}, false},
                           {{{32765, fits}, {2948, 40}}, true},
                           {{{32765, fits}, {2948, 100}}, false}}) {
    CAPTURE(each.vtables.size());
    CAPTURE(each.vtables.back().n_fields);
    CAPTURE(each.vtables.back().table_size);
    const test::ScriptedPatch scripted = patch_of(each.vtables);
    CHECK(scripted.target.has_value() == each.is_target);
    const Result<SnapshotPtr> applied = apply_patch(*held, scripted.patch, Limits{});
    CHECK(applied.has_value() == each.is_target);
    if (applied && each.is_target) CHECK(std::ranges::equal((*applied)->bytes(), *scripted.target));
  }
}

TEST_CASE("patch: types and vtables of types are at most 65535, found or added") {
  constexpr std::uint32_t kTypes = 5, kMost = 65535;  // besides: the vtable of the root
  for (const std::uint32_t n_tags : {kMost - 1, kMost, kMost + 1}) {
    CAPTURE(n_tags);
    const std::uint32_t n = n_tags - kTypes - 1;
    const Bytes baseline = tables_with_vtables(n);
    const SnapshotPtr held = Snapshot::copy_of(baseline);
    const codec::Structure& structure = *held->structure();
    CHECK(structure.is_flatbuffer == (n_tags <= kMost));
    if (!structure.is_flatbuffer) {
      CHECK(structure.n_objects() == 1);
      continue;
    }
    REQUIRE(structure.types().size() + structure.shapes().size() == n_tags);
    const std::uint32_t type = structure.object(static_cast<std::uint32_t>(baseline.size() - 1)).type;
    REQUIRE(structure.types()[type].shapes.size() == n);
    // The last table, with one more vtable, like the first of its type.
    const test::ScriptedPatch added =
        test::scripted_patch(*held, PatchKind::kMoved, 4, {6, type, n, 0, 0, 1, type, 0, 0});
    CHECK(added.target.has_value() == (n_tags < kMost));
    CHECK(apply_patch(*held, added.patch, Limits{}).has_value() == (n_tags < kMost));
  }
}

TEST_CASE("patch: what is raw, new or spliced is bounded by the sizes") {
  const SnapshotPtr held = Snapshot::copy_of(small_world(6).build());
  const auto size_of = [](std::size_t n) { return 2 * n + 8; };
  const auto most = [&](std::size_t n) { return (held->size_bytes() + size_of(n)) / 16 + 1024; };
  std::size_t n_fit = 0;
  while (n_fit + 1 <= most(n_fit + 1)) ++n_fit;
  for (const std::size_t n : {n_fit, n_fit + 1}) {
    CAPTURE(n);
    std::vector<std::uint32_t> values;
    for (std::size_t i = 0; i < n; ++i) values.insert(values.end(), {8, 1, 6, 1, 6, 2});  // two bytes each
    values.insert(values.end(), {1, 0, 0, 0});                                            // all the rest
    const test::ScriptedPatch scripted = test::scripted_patch(*held, PatchKind::kMoved, size_of(n), values);
    CHECK(scripted.target.has_value() == (n == n_fit));
    const Result<SnapshotPtr> applied = apply_patch(*held, scripted.patch, Limits{});
    CHECK(applied.has_value() == (n == n_fit));
  }
}

TEST_CASE("patch: more new objects than a patch may have are told as bytes") {
  const Bytes baseline = small_tables(20);
  for (const std::uint32_t n : {3000u, 5000u}) {
    CAPTURE(n);
    const Bytes target = small_tables(n);
    Bytes patch;
    make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
    CHECK(patch[0] == static_cast<std::byte>(n == 3000 ? PatchKind::kMoved : PatchKind::kBytes));
    const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, Limits{});
    REQUIRE(applied.has_value());
    CHECK(std::ranges::equal((*applied)->bytes(), target));
  }
}

TEST_CASE("patch: nothing of 2^31 bytes or more is looked into") {
  // Of which nothing is read, so that it takes no memory.
  constexpr std::size_t kSize = codec::kMaxBytes + 1;
  void* const bytes = mmap(nullptr, kSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  REQUIRE(bytes != MAP_FAILED);
  const auto open = [&](std::size_t size) {
    const HeldBytes held{{static_cast<const std::byte*>(bytes), size}, Digest{1}, [] {
                           return std::make_shared<const codec::Structure>(codec::find_structure({}));
                         }};
    Limits limits;
    limits.max_snapshot_bytes = kSize;
    const Bytes patch =
        test::scripted_patch(*Snapshot::copy_of(small_world(1).build()), PatchKind::kInPlace, 0, {}).patch;
    const Result<OpenPatch> opened = open_patch(held, patch, limits, nullptr);
    return opened ? ErrorCode::kNone : opened.error().code;
  };
  CHECK(open(codec::kMaxBytes) == ErrorCode::kNone);
  CHECK(open(kSize) == ErrorCode::kMalformed);
  munmap(bytes, kSize);
}

TEST_CASE("patch: of many rows that move only some tell how they go on") {
  SmallWorld world = small_world(3000);
  SnapshotPtr held = Snapshot::copy_of(world.build());
  PatchContext sent, received;
  std::size_t last_bytes = 0;
  for (int step = 0; step < 4; ++step) {
    for (test::SmallShot& shot : world.shots) shot.x += shot.vx, shot.y += shot.vy;
    const SnapshotPtr target = Snapshot::copy_of(world.build());
    Bytes patch;
    make_patch(*held, *target, patch, kPatchFormat, &sent);
    const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{}, &received);
    REQUIRE(applied.has_value());
    CHECK((*applied)->digest() == target->digest());
    held = target;
    last_bytes = patch.size();
  }
  CHECK(last_bytes < 64);
}

TEST_CASE("PatchContext: a copy goes on by itself") {
  SmallWorld world = small_world(5);
  SnapshotPtr held = Snapshot::copy_of(world.build());
  const auto sent_to = [&](PatchContext& context) {
    Bytes patch;
    world.bodies[2].x += 1;
    world.tick += 3;
    const SnapshotPtr target = Snapshot::copy_of(world.build());
    make_patch(*held, *target, patch, kPatchFormat, &context);
    held = target;
    return patch;
  };
  const SnapshotPtr first = held;
  PatchContext sent;
  const Bytes begins = sent_to(sent);
  PatchContext received;
  REQUIRE(apply_patch(*first, begins, Limits{}, &received).has_value());
  const SnapshotPtr second = held;
  const Bytes continues = sent_to(sent);

  PatchContext other, open = received, closed;
  PatchContext& same = other;
  other = open;  // none before
  CHECK(other.is_at(*second));
  CHECK(apply_patch(*second, continues, Limits{}, &other).has_value());
  CHECK(!other.is_at(*second));
  other = open;  // one before, which has decoded
  CHECK(apply_patch(*second, continues, Limits{}, &other).has_value());
  const SnapshotPtr third = held;
  same = other;
  CHECK(other.is_at(*third));
  other = closed;
  CHECK(!other.is_at(*third));
  CHECK(received.is_at(*second));
  CHECK(apply_patch(*second, continues, Limits{}, &received).has_value());
}

TEST_CASE("Replica: moves with its state and its context") {
  SmallWorld world = small_world(3);
  const SnapshotPtr first = Snapshot::copy_of(world.build());
  world.tick += 1;
  const SnapshotPtr second = Snapshot::copy_of(world.build());
  world.tick += 1;
  const SnapshotPtr third = Snapshot::copy_of(world.build());
  PatchContext sent;
  Bytes begins, continues;
  make_patch(*first, *second, begins, kPatchFormat, &sent);
  make_patch(*second, *third, continues, kPatchFormat, &sent);
  Replica replica(*first);
  REQUIRE(replica.apply(begins, Limits{}).has_value());
  Replica moved(std::move(replica));
  CHECK(moved.digest() == second->digest());
  Replica other;
  other = std::move(moved);
  REQUIRE(other.apply(continues, Limits{}).has_value());
  CHECK(other.digest() == third->digest());
}

TEST_CASE("entropy coder: models that expect are those of the document, at run time too") {
  const codec::Nibble few = codec::expecting({60, 8, 6, 6, 5, 4, 3, 2, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(few.low == codec::kFewNibble.low);
  CHECK(few.below(1) == 60 * 32640 / 102 + 8);
  CHECK(few.above(15) == 32768);
}

}  // namespace libsync
