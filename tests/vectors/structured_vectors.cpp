// Patches of FlatBuffers that stand alone.
#include <string>
#include <vector>

#include "patch_vectors.h"
#include "unit/odd_layouts.h"
#include "unit/random_world.h"
#include "unit/small_world.h"

namespace libsync::vectors {

using test::bytes_of;
using test::Random;

void add_structured(std::vector<Object>& objects) {
  using World = test::SmallWorld;
  const auto add = [&](const std::string& name, std::uint32_t n, auto change) {
    const World world = test::small_world(n);
    World changed = world;
    change(changed);
    objects.push_back(made_patch(name, world.build(), changed.build()));
  };
  add("world: nothing", 8, [](World&) {});
  add("world: scalars", 20, [](World& w) {
    ++w.tick;
    w.bodies[3].x += 0.25f;
    w.bodies[4].mass -= 5;
    w.bodies[11].y = -1e30f;
    w.bodies[7].items[2] = 0xfffffff0;
    w.shots[5] = {1, 2, 3, 4};
  });
  add("world: everything moves", 25, [](World& w) {
    for (test::SmallBody& body : w.bodies) body.x += 0.125f, body.y -= 0.5f;
  });
  add("world: texts", 12, [](World& w) {
    w.bodies[1].name[3] = 'X';
    w.bodies[2].name.pop_back();
    w.bodies[5].tags[0] = "RARE";
  });
  add("world: longer texts", 12, [](World& w) { w.bodies[1].name += " with a longer name \u00e9"; });
  add("world: one removed", 20, [](World& w) { w.bodies.erase(w.bodies.begin() + 9); });
  add("world: some new", 20, [](World& w) {
    test::SmallBody body = w.bodies[6];
    body.id = 99;
    body.name = "brand new";
    w.bodies.insert(w.bodies.begin() + 4, body);
    body.id = 100;
    body.tags = {"a", "b"};
    w.bodies.push_back(body);
  });
  add("world: defaults", 20, [](World& w) {
    w.bodies[3].hp = 100;
    w.bodies[4].hp = 5;
    w.bodies[5].tags.clear();
    w.bodies[6].tags = {"first"};
  });
  add("world: another order", 24,
      [](World& w) { std::rotate(w.bodies.begin(), w.bodies.begin() + 5, w.bodies.end() - 3); });
  add("world: elements of structs come and go", 24, [](World& w) {
    w.shots.erase(w.shots.begin() + 3);
    w.shots.insert(w.shots.begin() + 17, 2, {9, 9, 9, 9});
    w.shots[20].x = 5;
  });
  add("world: empty", 10, [](World& w) { w = World{}; });
  const World small = test::small_world(3);
  objects.push_back(made_patch("world: from empty", World{}.build(), small.build()));
  // The first fields of bodies that none had before: a new vtable.
  World plain = test::small_world(10);
  for (test::SmallBody& body : plain.bodies) body.tags.clear(), body.hp = 100;
  World tagged = plain;
  tagged.bodies[4].hp = 3;
  tagged.bodies[7].hp = 4;
  objects.push_back(made_patch("world: a new vtable", plain.build(), tagged.build()));
  // The same patches, bent.
  Random random(5);
  const Bytes from = small.build();
  World next = small;
  next.bodies[1].x = 5;
  next.bodies.erase(next.bodies.begin());
  Bytes patch;
  make_patch(*Snapshot::copy_of(from), *Snapshot::copy_of(next.build()), patch);
  for (int i = 0; i < 24; ++i) {
    Bytes bent = patch;
    bent[test::pick(random, 10, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("world: bent " + std::to_string(i), from, bent));
  }
  World moved = small;
  moved.bodies[2].x = 5;
  moved.bodies[0].name[0] = 'M';
  make_patch(*Snapshot::copy_of(from), *Snapshot::copy_of(moved.build()), patch);
  for (int i = 0; i < 16; ++i) {
    Bytes bent = patch;
    bent[test::pick(random, 9, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("world: bent in place " + std::to_string(i), from, bent));
  }
  patch.push_back(std::byte{0});
  patch.push_back(std::byte{0});
  objects.push_back(patch_object("world: something behind the stream", from, patch));
  Bytes large = bytes_of({3, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0});
  objects.push_back(patch_object("world: target above the limit", from, large));
  objects.push_back(patch_object("world: moved from nothing", {}, bytes_of({3, 5, 0, 0, 0, 0, 0, 0, 0, 0, 1})));
  objects.push_back(patch_object("world: in place of nothing", {}, bytes_of({2, 0, 0, 0, 0, 0, 0, 0, 0})));
}

void add_whole(std::vector<Object>& objects) {
  const auto add = [&](const std::string& name, const Bytes& target) {
    objects.push_back(made_patch("whole: " + name, {}, target));
  };
  for (const std::uint32_t n : {1u, 2u, 12u, 40u}) add(std::to_string(n) + " bodies", test::small_world(n).build());
  for (std::uint64_t seed = 100; seed < 116; ++seed) {
    Random random(seed);
    const test::RandomWorld world(random);
    if (world.build().size() < 3000) add("schema " + std::to_string(seed), world.build());
  }
  add("shared", test::shared_layout());
  add("overlapping", test::overlapping_layout());
  add("crowded", test::crowded_layout(3, 60));
  const Bytes target = test::small_world(16).build();
  objects.push_back(made_patch("whole: whatever was held", bytes_of("something"), target));
  Bytes patch;
  make_patch(*Snapshot::empty(), *Snapshot::copy_of(target), patch);
  SYNC_ASSERT(patch[0] == std::byte{0});
  const std::size_t body = read_patch_header(patch)->body_offset;
  Random random(6);
  for (int i = 0; i < 32; ++i) {
    // The excerpt is in front: half of these leave it as it is.
    const std::size_t begin = i % 2 == 0 ? body : body + (patch.size() - body) / 2;
    Bytes bent = patch;
    bent[test::pick(random, begin, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("whole: bent " + std::to_string(i), {}, bent));
  }
  for (const std::size_t size : {std::size_t{1}, body - 1, body, body + 40, patch.size() - 2}) {
    const Bytes cut(patch.begin(), patch.begin() + static_cast<std::ptrdiff_t>(size));
    objects.push_back(patch_object("whole: cut to " + std::to_string(size), {}, cut));
  }
  Bytes continues = patch;
  continues[0] = std::byte{4};
  objects.push_back(patch_object("whole: continues", {}, continues));
  patch.push_back(std::byte{0});
  patch.push_back(std::byte{0});
  objects.push_back(patch_object("whole: something behind the stream", {}, patch));
  const auto header = [&](const std::string& name, const Bytes& bytes) {
    objects.push_back(patch_object("whole: " + name, {}, bytes));
  };
  header("no excerpt", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}));
  header("an excerpt larger than the target", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1}));
  header("the largest excerpt", bytes_of({0, 0xa0, 0x8d, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa8, 0xe3, 0x01}));
  header("an excerpt too large", bytes_of({0, 0xa0, 0x8d, 0x06, 0, 0, 0, 0, 0, 0, 0, 0, 0xa9, 0xe3, 0x01}));
  header("no excerpt size", bytes_of({0, 8, 0, 0, 0, 0, 0, 0, 0, 0}));
  header("of nothing", bytes_of({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  header("target above the limit", bytes_of({0, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1}));
  header("target above any limit", bytes_of({0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1}));
}

}  // namespace libsync::vectors
