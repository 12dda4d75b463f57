// The vtables of tables by rank, which are kept while a structure stays: when they are known, and that whoever has them
// reads what one without them reads.
#include "codec/table_shapes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>

#include "codec/codec.h"
#include "codec/contents.h"
#include "libsync/patch.h"
#include "libsync/patch_context.h"
#include "unit/small_world.h"

namespace libsync {
namespace {

using codec::Kind;
using codec::Structure;
using codec::TableShapes;

std::shared_ptr<const Structure> structure_of(std::uint32_t n_bodies) {
  return Snapshot::copy_of(test::small_world(n_bodies).build())->structure();
}

// Nothing but tables, and of these all.
void check_known(TableShapes& shapes, const Structure& structure) {
  for (std::uint32_t type = 0; type < structure.types().size(); ++type) {
    CAPTURE(type);
    const codec::Tag* const known = shapes.of(type);
    REQUIRE((known != nullptr) == (structure.types()[type].kind == Kind::kTable));
    if (known == nullptr) continue;
    const std::vector<std::uint32_t>& starts = structure.groups[type].starts;
    for (std::size_t rank = 0; rank < starts.size(); ++rank) CHECK(known[rank] == structure.object(starts[rank]).shape);
  }
}
void check_unknown(TableShapes& shapes, const Structure& structure) {
  for (std::uint32_t type = 0; type < structure.types().size(); ++type) CHECK(shapes.of(type) == nullptr);
}

}  // namespace

TEST_CASE("table shapes: known from the third patch on in which nothing moves") {
  const std::shared_ptr<const Structure> first = structure_of(20), second = structure_of(31);
  TableShapes shapes;
  check_unknown(shapes, *first);
  for (const std::shared_ptr<const Structure>& structure : {first, second, first}) {
    for (int i = 0; i < 2; ++i) {
      shapes.use(structure);
      check_unknown(shapes, *structure);
    }
    for (int i = 0; i < 2; ++i) {
      shapes.use(structure);
      check_known(shapes, *structure);
    }
  }
  // Patches that move know none, however many there are.
  for (int i = 0; i < 4; ++i) {
    shapes.use(nullptr);
    check_unknown(shapes, *first);
  }
  shapes.use(first);
  check_unknown(shapes, *first);
}

TEST_CASE("table shapes: a context that has come by many patches reads as one that has not") {
  test::SmallWorld world = test::small_world(40);
  SnapshotPtr held = Snapshot::copy_of(world.build());
  PatchContext sent;
  codec::Context kept = codec::new_context(held->structure());
  int n_in_place = 0, n_moved = 0;
  for (int step = 0; step < 48; ++step) {
    CAPTURE(step);
    if (step % 8 == 7) {  // tables get another vtable, so that ranks have others
      for (std::size_t i = 0; i < world.bodies.size(); i += 3) world.bodies[i].hp = world.bodies[i].hp == 100 ? 7 : 100;
      world.bodies.erase(world.bodies.begin() + step % 5);
    } else {
      for (test::SmallBody& body : world.bodies) body.x += 0.25f, body.mass += body.id;
      ++world.tick;
    }
    const SnapshotPtr next = Snapshot::copy_of(world.build());
    Bytes patch;
    make_patch(*held, *next, patch, kPatchFormat, &sent);
    const Result<PatchHeader> header = read_patch_header(patch);
    REQUIRE(header.has_value());
    CHECK(header->continues == (step > 0));
    const BytesView body = BytesView(patch).subspan(header->body_offset);
    codec::Context fresh{kept.structure, kept.models, {}, {}};
    Bytes bytes(held->bytes().begin(), held->bytes().end());
    if (header->kind == PatchKind::kInPlace) {
      Bytes other = bytes;
      codec::Touched touched, touched_too;
      touched.reset(bytes.size());
      touched_too.reset(bytes.size());
      REQUIRE(codec::decode_in_place(fresh, body, other.data(), touched_too));
      REQUIRE(codec::decode_in_place(kept, body, bytes.data(), touched));
      CHECK(bytes == other);
      ++n_in_place;
    } else {
      Bytes target(next->size_bytes());
      REQUIRE(codec::decode_moved(kept, bytes, body, target));
      bytes = std::move(target);
      ++n_moved;
    }
    CHECK(std::ranges::equal(bytes, next->bytes()));
    held = next;
  }
  CHECK(n_in_place >= 40);
  CHECK(n_moved >= 6);
}

}  // namespace libsync
