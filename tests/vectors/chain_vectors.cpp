// Patches in the context of those before them, and of states that no builder writes.
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "patch_vectors.h"
#include "unit/odd_layouts.h"
#include "unit/random_world.h"
#include "unit/scripted_patch.h"
#include "unit/small_world.h"

namespace libsync::vectors {

using test::Random;

namespace {

// A world that goes on for some steps.
template <typename World, typename Step>
void add_chain(std::vector<Object>& objects, const std::string& name, World world, int n_steps, Step step) {
  PatchContext sent, received;
  Bytes baseline = world.build();
  std::string after;
  for (int i = 0; i < n_steps; ++i) {
    step(world, i);
    const Bytes target = world.build();
    const std::string own = name + ", step " + std::to_string(i);
    Bytes patch;
    make_patch(*Snapshot::copy_of(baseline), *Snapshot::copy_of(target), patch, kPatchFormat, &sent);
    objects.push_back(patch_object(own, baseline, patch, after, &received));
    baseline = target;
    after = own;
  }
}

}  // namespace

void add_chains(std::vector<Object>& objects) {
  using World = test::SmallWorld;
  add_chain(objects, "chain: shots fly", test::small_world(6), 6, [](World& w, int i) {
    ++w.tick;
    for (test::SmallShot& shot : w.shots) shot.x += shot.vx, shot.y += i * shot.vy, shot.vy -= 2;
    if (i == 4) w.shots[2].x = -9;
  });
  add_chain(objects, "chain: some bodies stop and go", test::small_world(16), 8, [](World& w, int i) {
    for (std::size_t k = 0; k < w.bodies.size(); ++k) {
      if ((k + static_cast<std::size_t>(i)) % 4 != 0) w.bodies[k].x += 0.5f, w.bodies[k].hp += 1;
    }
    if (i == 3) w.bodies[5].name[2] = '!', w.bodies[6].y = 0.5f;
    if (i == 5) w.bodies[6].items[1] = 77, w.bodies[9].mass -= 1;
  });
  add_chain(objects, "chain: bodies come, move and go", test::small_world(12), 8, [](World& w, int i) {
    for (test::SmallBody& body : w.bodies) body.mass += 1'000'000 + body.id;
    if (i % 3 == 1) w.bodies.erase(w.bodies.begin() + i);
    if (i % 3 == 2)
      w.bodies.insert(w.bodies.begin() + i, test::small_world(40).bodies[static_cast<std::size_t>(20 + i)]);
    if (i == 4) std::rotate(w.bodies.begin(), w.bodies.begin() + 3, w.bodies.end());
    if (i == 6) w.bodies[1].tags = {"late"}, w.bodies[2].hp = 1;
  });
  for (int seed = 0; seed < 12; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    add_chain(objects, "chain: random " + std::to_string(seed), test::small_world(static_cast<std::uint32_t>(seed)), 6,
              [&](World& w, int) { test::play(w, random); });
  }
  // Bent in the middle of a context.
  Random random(6);
  World world = test::small_world(5);
  PatchContext sent, received;
  const Bytes first = world.build();
  for (test::SmallBody& body : world.bodies) body.x += 1, body.mass += 5;
  const Bytes second = world.build();
  for (test::SmallBody& body : world.bodies) body.x += 1, body.mass += 5 + body.id;
  world.bodies[3].name += "!";
  const Bytes third = world.build();
  Bytes begins, continues;
  make_patch(*Snapshot::copy_of(first), *Snapshot::copy_of(second), begins, kPatchFormat, &sent);
  make_patch(*Snapshot::copy_of(second), *Snapshot::copy_of(third), continues, kPatchFormat, &sent);
  objects.push_back(patch_object("chain: continues nothing", second, continues));
  for (int i = 0; i < 16; ++i) {
    const std::string name = "chain: before bent " + std::to_string(i);
    objects.push_back(patch_object(name, first, begins, "", &received));
    Bytes bent = continues;
    bent[test::pick(random, 10, bent.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
    objects.push_back(patch_object("chain: bent " + std::to_string(i), second, bent, name, &received));
    objects.push_back(patch_object("chain: after bent " + std::to_string(i), second, continues,
                                   "chain: bent " + std::to_string(i), &received));
    received.close();
  }
}

namespace {

// "7x3 5": 7 7 7 5.
std::vector<std::uint32_t> read_values(std::istream& words) {
  std::vector<std::uint32_t> values;
  for (std::string word; words >> word;) {
    const std::size_t times = word.find('x');
    const auto value = static_cast<std::uint32_t>(std::stoul(word));
    values.insert(values.end(), times == std::string::npos ? 1 : std::stoul(word.substr(times + 1)), value);
  }
  return values;
}

}  // namespace

void add_scripts(std::vector<Object>& objects, const std::string& path) {
  std::ifstream file(path);
  std::string name, after;
  SnapshotPtr held;
  PatchContext context;
  int step = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) name.clear();
    if (line.empty() || line[0] == '#') continue;
    const std::size_t colon = line.find(':');
    std::istringstream words(line.substr(colon == std::string::npos ? 0 : colon + 1));
    if (name.empty()) {
      name = "scripted: " + line;
      after.clear();
      context.close();
      step = 0;
    } else if (line.starts_with("bodies ")) {
      held = Snapshot::copy_of(test::small_world(static_cast<std::uint32_t>(std::stoul(line.substr(7)))).build());
    } else {
      const bool is_moved = line.starts_with("moved ");
      const test::ScriptedPatch scripted =
          test::scripted_patch(*held, is_moved ? PatchKind::kMoved : PatchKind::kInPlace,
                               is_moved ? std::stoul(line.substr(6)) : held->size_bytes(), read_values(words), context);
      const std::string own = name + ", step " + std::to_string(step++);
      objects.push_back(patch_object(own, held->bytes(), scripted.patch, after, &context));
      if (scripted.target) held = Snapshot::copy_of(*scripted.target);
      after = own;
    }
  }
}

void add_odd(std::vector<Object>& objects) {
  for (int seed = 0; seed < 24; ++seed) {
    Random random(static_cast<std::uint64_t>(seed));
    test::RandomWorld world(random);
    if (world.build().size() > 700) continue;
    add_chain(objects, "chain: schema " + std::to_string(seed), world, 3,
              [&](test::RandomWorld& w, int) { w.play(random); });
  }
  const std::pair<std::string, Bytes> layouts[] = {{"shared", test::shared_layout()},
                                                   {"cut", test::cut_layout()},
                                                   {"overlapping", test::overlapping_layout()},
                                                   {"crowded", test::crowded_layout(3, 60)},
                                                   {"too crowded", test::crowded_layout(20, 200)},
                                                   {"costly", test::costly_layout(2, 6, 90, 2)},
                                                   {"too costly", test::costly_layout(3, 50, 400, 2)}};
  for (const auto& [name, baseline] : layouts) {
    Random random(7);
    const SnapshotPtr held = Snapshot::copy_of(baseline);
    const std::uint32_t n = held->structure()->n_objects();
    const test::ScriptedPatch all = test::scripted_patch(*held, PatchKind::kMoved, baseline.size() + 64, {0, n - 1});
    objects.push_back(patch_object("odd: " + name + ", all again", baseline, all.patch));
    for (int i = 0; i < 4; ++i) {
      Bytes target = baseline;
      for (int k = 0; k < 3; ++k)
        target[test::pick(random, 0, target.size() - 1)] ^= static_cast<std::byte>(1u << test::pick(random, 0, 7));
      if (i % 2 == 1)
        target.insert(target.begin() + static_cast<std::ptrdiff_t>(target.size() / 8 * 4), 8, std::byte{});
      objects.push_back(made_patch("odd: " + name + ", edit " + std::to_string(i), baseline, target));
    }
  }
}

}  // namespace libsync::vectors
