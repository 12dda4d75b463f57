// Patches between FlatBuffers, below libsync/patch.h: what they cost, and that nothing else than the target comes out.
#include "codec/codec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "codec/entropy_coder.h"
#include "libsync/patch.h"
#include "unit/small_world.h"
#include "unit/support.h"

namespace libsync {
namespace {

using test::pick;
using test::Random;
using test::small_world;
using test::SmallBody;
using test::SmallWorld;

// The bytes of the patch, after a round trip.
std::size_t cost(const Bytes& baseline, const Bytes& target, PatchKind expected) {
  const SnapshotPtr from = Snapshot::copy_of(baseline);
  const SnapshotPtr to = Snapshot::copy_of(target);
  Bytes patch;
  make_patch(*from, *to, patch);
  CHECK(static_cast<int>(patch[0]) == static_cast<int>(expected));
  const Result<SnapshotPtr> applied = apply_patch(*from, patch, Limits{});
  REQUIRE(applied.has_value());
  CHECK(std::ranges::equal((*applied)->bytes(), target));
  return patch.size();
}
std::size_t cost_of(const std::function<void(SmallWorld&)>& change, PatchKind expected = PatchKind::kMoved) {
  const SmallWorld world = small_world(60);
  SmallWorld changed = world;
  change(changed);
  return cost(world.build(), changed.build(), expected);
}

const codec::Type& only_type(const codec::Structure& structure, codec::Kind kind, std::size_t n_objects) {
  const codec::Type* found = nullptr;
  for (const codec::Type& type : structure.types) {
    if (type.kind != kind || type.objects.size() != n_objects) continue;
    CHECK(found == nullptr);
    found = &type;
  }
  REQUIRE(found != nullptr);
  return *found;
}

}  // namespace

TEST_CASE("entropy coder: what was coded comes out, to the last bit") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    struct Coded {
      std::uint64_t kind, value, bits;
    };
    std::vector<Coded> all(pick(random, 0, 60));
    const bool is_plain = seed % 3 == 0;  // hardly any information: the end must still be found
    for (Coded& coded : all) {
      coded.kind = pick(random, 0, 3);
      coded.bits = pick(random, 0, 32);
      coded.value = is_plain ? 0 : random();
    }
    bool all_equal = true;
    const auto run = [&](auto& coder, bool check) {
      codec::Nibble nibble;
      codec::Bit bit;
      codec::Number number;
      for (const Coded& coded : all) {
        const auto value = static_cast<std::uint32_t>(coded.value);
        const auto bits = static_cast<unsigned>(coded.bits);
        const std::uint32_t low = bits == 32 ? value : value & ((1u << bits) - 1);
        std::uint32_t expected = 0, got = 0;
        switch (coded.kind) {
          case 0: got = coder.nibble(nibble, expected = value % 16); break;
          case 1: got = coder.bit(bit, (expected = value % 8 == 0) != 0); break;
          case 2: got = coder.raw(bits, expected = low); break;
          default: got = coder.number(number, expected = value >> std::max(2u, bits % 32)); break;
        }
        if (check) CHECK(got == expected);
        all_equal = all_equal && got == expected;
      }
    };
    codec::Encoder encoder;
    run(encoder, false);
    Bytes stream;
    encoder.finish(stream);
    codec::Decoder decoder(stream);
    run(decoder, true);
    CHECK(decoder.at_end());
    // One valid form: nothing before, behind or left out.
    for (const bool at_front : {true, false}) {
      Bytes longer = stream;
      longer.insert(at_front ? longer.begin() : longer.end(), std::byte{0});
      codec::Decoder other(longer);
      all_equal = true;
      run(other, false);
      CHECK(!(other.at_end() && all_equal));
    }
  }
}

TEST_CASE("structure: finds tables, strings and vectors without a schema") {
  const SmallWorld world = small_world(60);
  const Bytes bytes = world.build();
  const codec::Structure structure = codec::find_structure(bytes);
  REQUIRE(structure.is_flatbuffer);
  // The root has three fields, two of them references; tick is a number.
  const codec::Type& root = structure.types[2];
  CHECK(root.kind == codec::Kind::kTable);
  REQUIRE(root.fields.size() == 3);
  CHECK(root.fields[0].child == codec::kNone);
  CHECK(root.fields[1].kind == codec::FieldKind::kTables);
  CHECK(root.fields[2].kind == codec::FieldKind::kData);
  CHECK(structure.types[root.fields[2].child].stride == 16);
  const codec::Type& body = only_type(structure, codec::Kind::kTable, 60);
  REQUIRE(body.fields.size() == 8);
  CHECK(body.fields[1].kind == codec::FieldKind::kText);
  CHECK(body.fields[6].kind == codec::FieldKind::kData);
  CHECK(body.fields[7].kind == codec::FieldKind::kTexts);
  for (const std::size_t scalar : {0, 2, 3, 4, 5}) CHECK(body.fields[scalar].child == codec::kNone);
  CHECK(body.shapes.size() > 1);  // with and without hp
  CHECK(only_type(structure, codec::Kind::kData, 60).stride == 4);
  CHECK(only_type(structure, codec::Kind::kText, 24).objects.size() == 24);  // tags
  // Objects cover the bytes without gaps.
  std::uint32_t end = 0;
  for (std::uint32_t i = 0; i < structure.objects.size(); ++i) {
    CHECK(structure.object(i).start == end);
    end = structure.object(i).end;
  }
  CHECK(end == bytes.size());
}

TEST_CASE("structure: bytes that are no FlatBuffer are one object") {
  Random random(1);
  for (const std::size_t size : {1, 3, 4, 7, 8, 100, 5000}) {
    const Bytes bytes = test::random_bytes(random, size);
    const codec::Structure structure = codec::find_structure(bytes);
    CHECK(!structure.is_flatbuffer);
    REQUIRE(structure.objects.size() == 1);
    CHECK(structure.object(0).end == size);
  }
  CHECK(codec::find_structure({}).objects.empty());
}

TEST_CASE("patch: a scalar that changes costs some bytes besides the digest") {
  CHECK(cost_of([](SmallWorld& w) { ++w.tick; }, PatchKind::kInPlace) <= 14);
  CHECK(cost_of([](SmallWorld& w) { w.bodies[30].x += 1; }, PatchKind::kInPlace) <= 17);
  CHECK(cost_of([](SmallWorld& w) { w.bodies[31].mass += 1000; }, PatchKind::kInPlace) <= 16);
  CHECK(cost_of([](SmallWorld& w) { w.shots[12].vx = 8; }, PatchKind::kInPlace) <= 16);
  CHECK(cost_of([](SmallWorld& w) { w.bodies[31].items[0] += 1; }, PatchKind::kInPlace) <= 16);
}

TEST_CASE("patch: a text that changes costs what is new in it") {
  CHECK(cost_of([](SmallWorld& w) { w.bodies[20].name[8] = 'X'; }, PatchKind::kInPlace) <= 19);
  // The same room, another length.
  CHECK(cost_of([](SmallWorld& w) { w.bodies[20].name.pop_back(); }, PatchKind::kInPlace) <= 19);
  // All in front of it moves.
  CHECK(cost_of([](SmallWorld& w) { w.bodies[20].name += " of the north"; }) <= 58);
}

TEST_CASE("patch: what is removed costs a few bytes, what is new about its content") {
  CHECK(cost_of([](SmallWorld& w) { w.bodies.erase(w.bodies.begin() + 20); }) <= 30);
  CHECK(cost_of([](SmallWorld& w) { w.bodies.erase(w.bodies.begin()); }) <= 32);
  CHECK(cost_of([](SmallWorld& w) { w.bodies.pop_back(); }) <= 32);
  CHECK(cost_of([](SmallWorld& w) {
          SmallBody body = w.bodies[33];
          body.id = 1111;
          w.bodies.insert(w.bodies.begin() + 40, body);
        }) <= 60);
  CHECK(cost_of([](SmallWorld& w) { w.shots.erase(w.shots.begin() + 20); }) <= 30);
  CHECK(cost_of([](SmallWorld& w) { w.shots.insert(w.shots.begin() + 7, {1, 2, 3, 4}); }) <= 36);
}

TEST_CASE("patch: a field that leaves or reaches its default costs a few bytes") {
  CHECK(cost_of([](SmallWorld& w) { w.bodies[20].hp = 77; }) <= 34);
  CHECK(cost_of([](SmallWorld& w) { w.bodies[21].hp = 100; }) <= 34);
  CHECK(cost_of([](SmallWorld& w) { w.bodies[21].tags = {"new"}; }) <= 60);
}

TEST_CASE("patch: another order costs the order") {
  CHECK(cost_of([](SmallWorld& w) { std::swap(w.bodies[10], w.bodies[45]); }) <= 48);
  CHECK(cost_of([](SmallWorld& w) { std::rotate(w.bodies.begin(), w.bodies.begin() + 30, w.bodies.end()); }) <= 64);
  // 60 bodies in any order: log2(60!) = 272 bits.
  const std::size_t shuffled = cost_of([](SmallWorld& w) {
    Random random(4);
    std::shuffle(w.bodies.begin(), w.bodies.end(), random);
  });
  CHECK(shuffled <= 34 + 120);
}

TEST_CASE("patch: round trips whatever happens in a world") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    SmallWorld world = small_world(static_cast<std::uint32_t>(pick(random, 0, 40)));
    for (int step = 0; step < 4; ++step) {
      SmallWorld next = world;
      ++next.tick;
      for (std::uint64_t edits = pick(random, 0, 8); edits > 0; --edits) {
        const std::size_t n = next.bodies.size();
        const auto at = static_cast<std::ptrdiff_t>(n == 0 ? 0 : pick(random, 0, n - 1));
        switch (n == 0 ? 0 : pick(random, 0, 8)) {
          case 0: next.bodies.insert(next.bodies.begin() + at, small_world(50).bodies[pick(random, 0, 49)]); break;
          case 1: next.bodies.erase(next.bodies.begin() + at); break;
          case 2: next.bodies[static_cast<std::size_t>(at)].name.resize(pick(random, 0, 40), 'z'); break;
          case 3:
            next.bodies[static_cast<std::size_t>(at)].hp = static_cast<std::uint16_t>(pick(random, 98, 102));
            break;
          case 4: next.bodies[static_cast<std::size_t>(at)].items.resize(pick(random, 0, 20), 5); break;
          case 5: next.bodies[static_cast<std::size_t>(at)].tags.assign(pick(random, 0, 3), "tag"); break;
          case 6: std::shuffle(next.bodies.begin(), next.bodies.begin() + at, random); break;
          case 7: next.shots.resize(pick(random, 0, 30)); break;
          default: next.bodies[static_cast<std::size_t>(at)].x += 0.5f; break;
        }
      }
      const Bytes from = world.build(), to = next.build();
      const SnapshotPtr held = Snapshot::copy_of(from);
      Bytes patch;
      make_patch(*held, *Snapshot::copy_of(to), patch);
      CHECK(patch.size() <= to.size() + kPatchOverheadBytes);
      const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{});
      REQUIRE(applied.has_value());
      CHECK(std::ranges::equal((*applied)->bytes(), to));
      // Cut anywhere, it is refused.
      Bytes cut(patch.begin(), patch.begin() + static_cast<std::ptrdiff_t>(pick(random, 0, patch.size() - 1)));
      CHECK(!apply_patch(*held, cut, Limits{}).has_value());
      world = std::move(next);
    }
  }
}

TEST_CASE("patch: round trips between buffers that only look like FlatBuffers") {
  const Bytes good = small_world(12).build();
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    Bytes from = good, to = good;
    for (std::uint64_t flips = pick(random, 0, 20); flips > 0; --flips) {
      from[pick(random, 0, from.size() - 1)] = static_cast<std::byte>(random());
    }
    for (std::uint64_t flips = pick(random, 0, 20); flips > 0; --flips) {
      to[pick(random, 0, to.size() - 1)] = static_cast<std::byte>(random());
    }
    if (seed % 2 == 0) to.resize(pick(random, 1, to.size()));
    const SnapshotPtr held = Snapshot::copy_of(from);
    Bytes patch;
    make_patch(*held, *Snapshot::copy_of(to), patch);
    CHECK(patch.size() <= to.size() + kPatchOverheadBytes);
    const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{});
    REQUIRE(applied.has_value());
    CHECK(std::ranges::equal((*applied)->bytes(), to));
  }
}

TEST_CASE("decode: a hostile stream is refused or gives some target, and can be undone") {
  const Bytes baseline = small_world(12).build();
  const codec::Structure structure = codec::find_structure(baseline);
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    const Bytes stream = test::random_bytes(random, pick(random, 0, 200));
    Bytes bytes = baseline;
    codec::Undo undo;
    codec::decode_in_place(structure, stream, bytes.data(), undo);
    undo.restore(bytes.data());
    CHECK(bytes == baseline);
    Bytes target(pick(random, 0, 4000));
    codec::decode_moved(structure, baseline, stream, target);
  }
}

}  // namespace libsync
