// Patches between bytes that no builder writes: whatever the structure found in them, both ways to apply a patch agree,
// and what is said value by value comes out.
#include "unit/odd_layouts.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "cross/symbol_tape.h"
#include "libsync/patch.h"
#include "libsync/replica.h"
#include "unit/scripted_patch.h"
#include "unit/support.h"

namespace libsync {
namespace {

using test::pick;
using test::Random;

void check_sent(const Bytes& baseline, const Bytes& target) {
  Bytes patch;
  make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch);
  CHECK(patch.size() <= target.size() + kPatchOverheadBytes);
  const Result<SnapshotPtr> applied = apply_patch(*Snapshot::copy_of(baseline), patch, Limits{});
  REQUIRE(applied.has_value());
  CHECK(std::ranges::equal((*applied)->bytes(), target));
}

// Edits of all sorts, sent.
void check_edits(const Bytes& baseline, int n_edits) {
  Random random(1);
  for (int i = 0; i < n_edits; ++i) {
    CAPTURE(i);
    Bytes target = baseline;
    target[pick(random, 0, target.size() - 1)] ^= static_cast<std::byte>(1u << pick(random, 0, 7));
    check_sent(baseline, target);
    const std::size_t at = pick(random, 1, target.size() / 4) * 4;
    target.insert(target.begin() + static_cast<std::ptrdiff_t>(at), 4, std::byte{0});
    check_sent(baseline, target);
    check_sent(target, baseline);
  }
}

// Any symbols, as long as they lead on: the target is what the patch made of them leads to.
void check_symbols(const Bytes& baseline, int n_patches) {
  Random random(2);
  const cross::Tape none;
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  for (int i = 0; i < n_patches; ++i) {
    CAPTURE(i);
    cross::Mutator mutator(none, static_cast<unsigned>(pick(random, 5, 300)), random);
    codec::Context context = codec::new_context(held->structure());
    Bytes target(baseline.size() + 4 * pick(random, 0, 8));
    const bool is_target = codec::decode_objects(context, mutator, baseline, target);
    const Bytes stream = mutator.stream();
    Bytes again(target.size());
    context = codec::new_context(held->structure());
    CHECK(codec::decode_moved(context, baseline, stream, again) == is_target);
    if (is_target) CHECK(again == target);
  }
}

// All objects once more, in their order.
std::optional<Bytes> all_again(const Bytes& baseline) {
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  const std::uint32_t n = held->structure()->n_objects();
  const test::ScriptedPatch all = test::scripted_patch(*held, PatchKind::kMoved, baseline.size() + 256, {0, n - 1});
  const Result<SnapshotPtr> applied = apply_patch(*held, all.patch, Limits{});
  CHECK(applied.has_value() == all.target.has_value());
  if (applied) CHECK(std::ranges::equal((*applied)->bytes(), *all.target));
  return all.target;
}

void check_all(const Bytes& baseline, int n) {
  CHECK(all_again(baseline).has_value());
  check_edits(baseline, n);
  check_symbols(baseline, 50 * n);
}

}  // namespace

TEST_CASE("odd layouts: tables and vectors that several refer to") {
  const codec::Structure structure = codec::find_structure(test::shared_layout());
  REQUIRE(structure.is_flatbuffer);
  CHECK(structure.n_objects() == 7);
  CHECK(std::ranges::count(structure.types(), codec::Kind::kReferences, &codec::Type::kind) == 2);
  // Of two vectors with the same table the first has a type of elements.
  CHECK(std::ranges::count_if(structure.types(), [](const codec::Type& type) {
          return type.kind == codec::Kind::kReferences && type.element == codec::kNone;
        }) == 1);
  check_all(test::shared_layout(), 40);
}

TEST_CASE("odd layouts: a number that leads to one of many tables, as if it were a reference") {
  const Bytes baseline = test::number_like_reference();
  const codec::Structure structure = codec::find_structure(baseline);
  REQUIRE(structure.is_flatbuffer);
  CHECK(!structure.is_mixed);
  // The root, and the tables of the vector.
  CHECK(std::ranges::count(structure.types(), codec::Kind::kTable, &codec::Type::kind) == 2);
  CHECK(structure.groups[structure.object(64).type].starts.size() == 4);
  check_all(baseline, 40);
}

TEST_CASE("odd layouts: tables that begin within others") {
  const Bytes baseline = test::overlapping_layout();
  const codec::Structure structure = codec::find_structure(baseline);
  REQUIRE(structure.is_flatbuffer);
  int n_cut = 0;
  structure.for_each(0, structure.size_bytes, [&](const codec::Object& object) {
    if (structure.types()[object.type].kind == codec::Kind::kTable)
      n_cut += structure.shapes()[object.shape].table_size > object.size() ? 1 : 0;
  });
  CHECK(n_cut == 2);
  check_all(baseline, 40);
  // The first of the tables with another vtable of its type: what it lacks is not there to be copied.
  const std::uint32_t type = structure.object(72).type;
  REQUIRE(structure.types()[type].shapes.size() == 2);
  const auto n = static_cast<std::uint32_t>(structure.groups[type].starts.size());
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  for (std::uint32_t rank = 0; rank < n; ++rank) {
    for (const std::uint32_t which : {0u, 1u}) {
      const test::ScriptedPatch reshaped =
          test::scripted_patch(*held, PatchKind::kMoved, 400, {6, type, which, 1, type, 2 * (n - 1 - rank), 0});
      REQUIRE(reshaped.target.has_value());
      const Result<SnapshotPtr> applied = apply_patch(*held, reshaped.patch, Limits{});
      REQUIRE(applied.has_value());
      CHECK(std::ranges::equal((*applied)->bytes(), *reshaped.target));
    }
  }
}

TEST_CASE("odd layouts: text that is read over and over, until the budget ends") {
  int n_flatbuffers = 0, n_others = 0;
  for (std::uint32_t n_vectors = 1; n_vectors < 4; ++n_vectors) {
    for (std::uint32_t n_elements = 1; n_elements < 120; n_elements += 2) {
      for (const std::uint32_t n_more : {0u, 9u}) {
        const Bytes baseline = test::costly_layout(n_vectors, n_elements, 800, n_more);
        ++(codec::find_structure(baseline).is_flatbuffer ? n_flatbuffers : n_others);
        if (n_elements % 40 == 1) check_edits(baseline, 1);
      }
    }
  }
  CHECK(n_flatbuffers > 20);
  CHECK(n_others > 20);
}

TEST_CASE("odd layouts: tables that lie so close that the budget ends among them") {
  int n_flatbuffers = 0, n_others = 0;
  for (std::uint32_t n_tables = 1; n_tables < 40; ++n_tables) {
    const Bytes baseline = test::crowded_layout(n_tables, 300);
    ++(codec::find_structure(baseline).is_flatbuffer ? n_flatbuffers : n_others);
    if (n_tables % 10 == 1) check_edits(baseline, 1);
  }
  CHECK(n_flatbuffers > 3);
  CHECK(n_others > 3);
}

TEST_CASE("odd layouts: a vtable in the length of a text or vector") {
  for (const bool is_text : {true, false}) {
    CAPTURE(is_text);
    const Bytes baseline = test::vtable_in_length_layout(is_text);
    const codec::Structure structure = codec::find_structure(baseline);
    REQUIRE(structure.is_flatbuffer);
    const codec::Object object = structure.object(28);
    CHECK(object.size() == 2);
    CHECK(structure.types()[object.type].kind == (is_text ? codec::Kind::kText : codec::Kind::kData));
    all_again(baseline);
    check_edits(baseline, 1);
    check_symbols(baseline, 100);
  }
}

TEST_CASE("odd layouts: a vtable in the length of a vector of references") {
  const Bytes baseline = test::vtable_in_references_layout();
  const codec::Structure structure = codec::find_structure(baseline);
  REQUIRE(structure.is_flatbuffer);
  const codec::Object object = structure.object(32);
  CHECK(object.size() == 2);
  const codec::Type& type = structure.types()[object.type];
  REQUIRE(type.kind == codec::Kind::kReferences);
  REQUIRE(type.element != codec::kNone);
  CHECK(structure.groups[type.element].starts.size() == 1);
  // Of its length nothing is left, so the one that is made of it is empty.
  const std::optional<Bytes> again = all_again(baseline);
  REQUIRE(again.has_value());
  check_edits(baseline, 1);
}

TEST_CASE("odd layouts: a table that is cut beside one with room behind it") {
  const Bytes baseline = test::cut_and_padded_layout();
  const codec::Structure structure = codec::find_structure(baseline);
  REQUIRE(structure.is_flatbuffer);
  const codec::Object padded = structure.object(56), cut = structure.object(68);
  REQUIRE(padded.type == cut.type);
  CHECK(padded.size() == 12);
  CHECK(cut.size() == 8);
  CHECK(!structure.groups[cut.type].is_roomy);
  for (const std::uint32_t at : {60u, 64u, 66u, 72u, 80u}) {
    CAPTURE(at);
    Bytes target = baseline;
    target[at] ^= std::byte{5};
    check_sent(baseline, target);
  }
  check_all(baseline, 20);
  // Of two columns the cut one has only the first, so that nothing tells whether it changes.
  std::vector<std::uint32_t> values(cut.type, 0);
  values.insert(values.end(), {1, 1, 1, 0, 0, 1});  // any, two columns: 1 and 2, one row: the second
  const SnapshotPtr held = Snapshot::copy_of(baseline);
  const test::ScriptedPatch scripted = test::scripted_patch(*held, PatchKind::kInPlace, 0, values);
  Bytes target = baseline;
  codec::store32(&target[72], codec::load32(&target[72]) + 1);
  REQUIRE(scripted.target.has_value());
  CHECK(*scripted.target == target);
  const Result<SnapshotPtr> applied = apply_patch(*held, scripted.patch, Limits{});
  REQUIRE(applied.has_value());
  CHECK(std::ranges::equal((*applied)->bytes(), target));
}

TEST_CASE("odd layouts: a vtable where a table is") {
  const Bytes baseline = test::vtable_in_table_layout();
  const codec::Structure structure = codec::find_structure(baseline);
  REQUIRE(structure.is_flatbuffer);
  CHECK(structure.types()[structure.object(40).type].kind == codec::Kind::kTable);
  CHECK(structure.groups[1].starts.size() == 2);
  all_again(baseline);
  check_edits(baseline, 1);
}

}  // namespace libsync
