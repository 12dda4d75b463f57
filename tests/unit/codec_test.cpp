// Patches between FlatBuffers, below libsync/patch.h: what they cost, and that nothing else than the target comes out.
#include "codec/codec.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>

#include "codec/entropy_coder.h"
#include "libsync/message.h"
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

// Of the one type with this kind and number of objects.
std::uint32_t only_type(const codec::Structure& structure, codec::Kind kind, std::size_t n_objects) {
  std::uint32_t found = codec::kNone;
  for (std::uint32_t type = 0; type < structure.types().size(); ++type) {
    if (structure.types()[type].kind != kind || structure.groups[type].starts.size() != n_objects) continue;
    CHECK(found == codec::kNone);
    found = type;
  }
  REQUIRE(found != codec::kNone);
  return found;
}
codec::Matches matches_of(const codec::Context& context, BytesView baseline, BytesView target) {
  return codec::match(*context.structure, baseline, codec::find_structure(target), target, false);
}
codec::Context context_of(BytesView baseline) {
  return {std::make_shared<const codec::Structure>(codec::find_structure(baseline)), {}, {}, {}};
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
    codec::EncoderWork work;
    codec::Encoder encoder(work);
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
  const codec::Type& root = structure.types()[2];
  CHECK(root.kind == codec::Kind::kTable);
  REQUIRE(root.fields.size() == 3);
  CHECK(root.fields[0].child == codec::kNone);
  CHECK(root.fields[1].kind == codec::FieldKind::kTables);
  CHECK(root.fields[2].kind == codec::FieldKind::kData);
  CHECK(structure.types()[root.fields[2].child].stride == 16);
  const codec::Type& body = structure.types()[only_type(structure, codec::Kind::kTable, 60)];
  REQUIRE(body.fields.size() == 8);
  CHECK(body.fields[1].kind == codec::FieldKind::kText);
  CHECK(body.fields[6].kind == codec::FieldKind::kData);
  CHECK(body.fields[7].kind == codec::FieldKind::kTexts);
  for (const std::size_t scalar : {0u, 2u, 3u, 4u, 5u}) CHECK(body.fields[scalar].child == codec::kNone);
  CHECK(body.shapes.size() > 1);  // with and without hp
  CHECK(structure.types()[only_type(structure, codec::Kind::kData, 60)].stride == 4);
  only_type(structure, codec::Kind::kText, 24);  // tags
  // Objects cover the bytes without gaps.
  std::uint32_t end = 0;
  structure.for_each(0, structure.size_bytes, [&](const codec::Object& object) {
    CHECK(object.start == end);
    end = object.end;
  });
  CHECK(end == bytes.size());
}

TEST_CASE("structure: bytes that are no FlatBuffer are one object") {
  Random random(1);
  for (const std::size_t size : {1u, 3u, 4u, 7u, 8u, 100u, 5000u}) {
    const Bytes bytes = test::random_bytes(random, size);
    const codec::Structure structure = codec::find_structure(bytes);
    CHECK(!structure.is_flatbuffer);
    REQUIRE(structure.n_objects() == 1);
    CHECK(structure.object(0).end == size);
  }
  CHECK(codec::find_structure({}).n_objects() == 0);
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

TEST_CASE("patch: one that is gone and one that is new are noticed where nothing else moves") {
  SmallWorld world;
  world.tick = 1;
  for (std::uint32_t i = 0; i < 200; ++i) {
    SmallBody body;
    body.id = 1000 + i;
    body.name = "same";
    body.x = 1.5f * static_cast<float>(i * i);
    body.mass = 1'000'003LL * (i + 7);
    world.bodies.push_back(body);
  }
  SmallWorld changed = world;
  changed.bodies.erase(changed.bodies.begin() + 90);
  changed.bodies.push_back(world.bodies[3]);
  changed.bodies.back().id = 4000;
  REQUIRE(world.build().size() == changed.build().size());
  CHECK(cost(world.build(), changed.build(), PatchKind::kMoved) <= 70);
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
  CHECK(shuffled <= 34 + 124);
}

TEST_CASE("patch: round trips whatever happens in a world") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    SmallWorld world = small_world(static_cast<std::uint32_t>(pick(random, 0, 40)));
    for (int step = 0; step < 4; ++step) {
      SmallWorld next = world;
      test::play(next, random);
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

TEST_CASE("context: round trips whatever happens in a world, step after step") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    Random random(seed);
    SmallWorld world = small_world(static_cast<std::uint32_t>(pick(random, 0, 40)));
    SnapshotPtr held = Snapshot::copy_of(world.build());
    PatchContext sent, received;
    for (int step = 0; step < 12; ++step) {
      CAPTURE(step);
      // Now and then it is an in-place row, or one of few changes.
      if (pick(random, 0, 3) == 0) {
        ++world.tick;
        for (SmallBody& body : world.bodies) body.x += 0.25f;
      } else {
        test::play(world, random);
      }
      const SnapshotPtr next = Snapshot::copy_of(world.build());
      Bytes patch;
      make_patch(*held, *next, patch, kPatchFormat, &sent);
      CHECK(patch.size() <= next->size_bytes() + kPatchOverheadBytes);
      // Cut anywhere, it is refused, and closes the context.
      PatchContext spoilt = received;
      const Bytes cut(patch.begin(), patch.begin() + static_cast<std::ptrdiff_t>(pick(random, 0, patch.size() - 1)));
      CHECK(!apply_patch(*held, cut, Limits{}, &spoilt).has_value());
      CHECK(!spoilt.is_at(*held));
      const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{}, &received);
      REQUIRE(applied.has_value());
      CHECK(std::ranges::equal((*applied)->bytes(), next->bytes()));
      CHECK(sent.is_at(*next) == received.is_at(*next));
      held = next;
    }
  }
}

TEST_CASE("context: what goes on as it did costs next to nothing") {
  SmallWorld world = small_world(200);
  for (test::SmallShot& shot : world.shots) shot.vy = 1000 * (shot.vy + 1);
  PatchContext sent;
  std::size_t first = 0, third = 0, last = 0;
  SnapshotPtr held = Snapshot::copy_of(world.build());
  for (int step = 0; step < 40; ++step) {
    for (test::SmallShot& shot : world.shots) {
      shot.x += shot.vy;         // goes on
      shot.y += shot.vx * step;  // accelerates
    }
    world.tick += 3;
    const SnapshotPtr next = Snapshot::copy_of(world.build());
    Bytes patch;
    make_patch(*held, *next, patch, kPatchFormat, &sent);
    held = next;
    (step == 0 ? first : step == 2 ? third : last) = patch.size();
  }
  CHECK(first > 300);
  CHECK(third <= 40);
  CHECK(last <= 12);
}

TEST_CASE("context: motion follows objects that move in memory") {
  SmallWorld world = small_world(100);
  PatchContext sent, received;
  std::size_t without = 0, with = 0;
  SnapshotPtr held = Snapshot::copy_of(world.build());
  for (int step = 0; step < 20; ++step) {
    for (std::size_t i = 0; i < world.bodies.size(); ++i)
      world.bodies[i].mass += static_cast<std::int64_t>(i * i * 7919);
    std::rotate(world.bodies.begin(), world.bodies.begin() + 1, world.bodies.begin() + 50);
    std::rotate(world.bodies.begin(), world.bodies.begin() + 49, world.bodies.begin() + 50);
    world.bodies.erase(world.bodies.begin() + 70 - step);
    const SnapshotPtr next = Snapshot::copy_of(world.build());
    Bytes patch;
    make_patch(*held, *next, patch);
    without = patch.size();
    make_patch(*held, *next, patch, kPatchFormat, &sent);
    with = patch.size();
    CHECK(static_cast<int>(read_patch_header(patch)->kind) == static_cast<int>(PatchKind::kMoved));
    CHECK(read_patch_header(patch)->continues == (step > 0));
    const Result<SnapshotPtr> applied = apply_patch(*held, patch, Limits{}, &received);
    REQUIRE(applied.has_value());
    CHECK(std::ranges::equal((*applied)->bytes(), next->bytes()));
    held = next;
  }
  CHECK(with * 2 < without);
}

TEST_CASE("context: a patch that continues is refused by whoever missed the one before") {
  SmallWorld world = small_world(20);
  const SnapshotPtr first = Snapshot::copy_of(world.build());
  world.bodies[3].x += 1;
  const SnapshotPtr second = Snapshot::copy_of(world.build());
  world.bodies[3].x += 1;
  const SnapshotPtr third = Snapshot::copy_of(world.build());
  PatchContext sent;
  Bytes begins, continues;
  make_patch(*first, *second, begins, kPatchFormat, &sent);
  CHECK(sent.is_at(*second));
  make_patch(*second, *third, continues, kPatchFormat, &sent);
  CHECK(read_patch_header(continues)->continues);
  const auto error_of = [&](PatchContext* context) {
    const Result<SnapshotPtr> applied = apply_patch(*second, continues, Limits{}, context);
    return applied ? "" : std::string(name_of(applied.error().code));
  };
  PatchContext none;
  CHECK(error_of(nullptr) == name_of(ErrorCode::kWrongBaseline));
  CHECK(error_of(&none) == name_of(ErrorCode::kWrongBaseline));
  PatchContext received;
  REQUIRE(apply_patch(*first, begins, Limits{}, &received).has_value());
  CHECK(error_of(&received).empty());
  CHECK(received.is_at(*third));
  // A sender that begins anew needs nothing.
  sent.close();
  make_patch(*second, *third, begins, kPatchFormat, &sent);
  CHECK(!read_patch_header(begins)->continues);
  CHECK(apply_patch(*second, begins, Limits{}).has_value());
  // Bytes of no structure close it.
  make_patch(*third, *Snapshot::copy_of(test::bytes_of("other")), begins, kPatchFormat, &sent);
  CHECK(!sent.is_at(*Snapshot::copy_of(test::bytes_of("other"))));
}

TEST_CASE("decode: a hostile stream is refused or gives some target, and can be undone") {
  SmallWorld world = small_world(12);
  const Bytes first = world.build();
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    Random random(seed);
    // In a context that has seen some steps.
    codec::Context context = context_of(first);
    Bytes baseline = first;
    for (std::uint64_t steps = seed % 3; steps > 0; --steps) {
      test::play(world, random);
      const Bytes next = world.build();
      Bytes patch;
      if (!codec::encode_moved(context, baseline, matches_of(context, baseline, next), next, patch))
        context = context_of(next);
      baseline = next;
    }
    if (seed % 3 == 0) baseline = first;
    CAPTURE(seed);
    const Bytes stream = test::random_bytes(random, pick(random, 0, 200));
    Bytes bytes = baseline;
    codec::Undo undo;
    codec::Context one = context;
    codec::Touched touched;
    touched.reset(bytes.size());
    codec::decode_in_place(one, stream, bytes.data(), touched, &undo);
    undo.restore(bytes.data());
    CHECK(bytes == baseline);
    Bytes target(pick(random, 0, 4000));
    codec::decode_moved(context, baseline, stream, target);
    world = small_world(12);
  }
}

TEST_CASE("decode: a stream cannot make more columns known than any game has") {
  struct Case {
    std::size_t size;
    std::uint32_t n;
    bool is_few;
  };
  for (const Case& test : {Case{1'000'000, 0x10000, true}, Case{1'000'000, 0x10001, false}, Case{30'002, 10'064, true},
                           Case{30'002, 10'065, false}}) {
    const std::uint32_t n = test.n;
    CAPTURE(n);
    codec::Context context = context_of(Bytes(test.size, std::byte{1}));
    codec::Models models;
    models.types.resize(2);
    codec::EncoderWork work;
    codec::Encoder encoder(work);
    encoder.bit(models.types[0].is_any[0], true);
    encoder.number(models.n_columns, n - 1);
    for (std::uint32_t i = 0; i < n; ++i) encoder.number(models.column_gap, 0);
    encoder.number(models.count, 1 << 20);  // more rows than there are
    Bytes stream;
    encoder.finish(stream);
    Bytes bytes(test.size, std::byte{1});
    codec::Undo undo;
    codec::Touched touched;
    touched.reset(bytes.size());
    CHECK(!codec::decode_in_place(context, stream, bytes.data(), touched, &undo));
    CHECK(context.models.types[0].columns.size() == (test.is_few ? n : 0));
  }
}

}  // namespace libsync
